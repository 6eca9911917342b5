"""The Airflow that ``make up`` leaves running, with the daily schedule."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator

from devtools.local import fake_slack, postgres, services
from devtools.local.api import AirflowApi
from devtools.local.postgres import Server
from devtools.local.processes import exit_when_told
from devtools.local.services import ServicesError
from devtools.local.source import choose_source, identity, refuse_other_source
from devtools.local.state_folder import Home, environment
from elt.airflow.views import VIEWS


@contextlib.contextmanager
def alone(home: Home) -> Iterator[None]:
    """Be the only command of this checkout that starts an Airflow.

    Raises:
        ServicesError: if another one is at it.
    """
    home.state.mkdir(parents=True, exist_ok=True)
    with open(home.state / "run.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServicesError("Another `make run` is at work in this checkout.") from None
        yield


def up(home: Home, source: str | None, to_slack: str | None) -> None:
    """Have Airflow up with its daily schedule, and print where."""
    exit_when_told()
    server = postgres.start(home.state)
    source = choose_source(home, server, source)
    page = fake_slack.use(home, to_slack)
    with alone(home):
        if is_up(home, server, source):
            print(f"Airflow is up already: {home.url}")
            return
        start(home, server, source)
    print(f"Airflow is up: {home.url}\nSource: {identity(source)}\n`make down` stops it.")
    for view in VIEWS:
        print(f"{view.name}: {home.url}{view.address}")
    if page:
        print(f"Slack: http://{page} (the fake one)")


def start(home: Home, server: Server, source: str) -> None:
    """Start Airflow with the daily schedule; what an interrupted `make run` has left is ended."""
    services.stop(home)
    home.leave_taken_port()
    environ = environment(home, server, source)
    services.migrate_metadata(environ, home)
    services.start(home, environ, identity(source))


def is_up(home: Home, server: Server, source: str) -> bool:
    """Tell whether Airflow is up with the daily schedule, for this source and this Slack.

    One that tells another Slack than the one that is known here is started anew.

    Raises:
        OtherSourceError: if it loads from another source.
        ServicesError: if it tells another Slack and is at work.
    """
    there = services.up(home)
    if not there or not there.schedule:
        return False
    refuse_other_source(home, source)
    wanted = services.purpose(os.environ, there.source).slack
    if os.environ.get(fake_slack.VARIABLE) and there.slack != wanted:
        if AirflowApi(home.url).unfinished_runs():
            raise ServicesError(
                "Airflow is at work at a run, and it was started to tell another Slack. Wait for "
                "the end of that run, or `make down`, then again."
            )
        print("Airflow was started to tell another Slack: it is started anew.", flush=True)
        start(home, server, source)
    return True
