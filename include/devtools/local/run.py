"""``make run``: one run of the DAG, told task by task, ending with the shop's numbers."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import httpx
import psycopg2

from devtools.local import daily, postgres, run_report, services
from devtools.local import fake_slack as local_slack
from devtools.local.api import AirflowApi
from devtools.local.ended_processes import deaths_in_words, watch
from devtools.local.last_messages import send_what_waits, wait_until_told, what_waits
from devtools.local.postgres import Server
from devtools.local.processes import exit_when_told, forget_terminal
from devtools.local.services import ServicesError
from devtools.local.source import choose_source, identity
from devtools.local.state_folder import Home, environment, warehouse_connection
from elt.warehouse.rows import one_value


def run(
    home: Home,
    source: str | None,
    confirm_shrunk: Sequence[str] = (),
    slack: str | None = None,
) -> bool:
    """Run the DAG once on a landing folder or database (default: the last folder, or demo data).

    Args:
        confirm_shrunk: tables whose snapshot may lose more than half of its rows.
        slack: `local` for the fake Slack.

    Returns:
        Whether the run succeeded.
    """
    # from the very start: what was started must be ended
    exit_when_told()
    started = time.monotonic()
    server = postgres.start(home.state)
    os.environ["AIRFLOW_CONN_GREENERY_WAREHOUSE"] = warehouse_connection(server)
    source = choose_source(home, server, source)
    page = local_slack.use(home, slack)
    with airflow(home, server, source) as api:
        print(f"Airflow is up ({time.monotonic() - started:.0f} s). The run begins.", flush=True)
        begun = time.monotonic()
        run_id = api.trigger({"confirm_shrunk": list(confirm_shrunk)})
        with _ended_as_failed_when_interrupted(api, run_id, server):
            run_report.tasks((task, time.monotonic() - begun) for task in api.follow(run_id))
            seconds = time.monotonic() - begun
            state = api.state(run_id)
            if os.environ.get(local_slack.VARIABLE):
                wait_until_told(server, run_id, state)
            send_what_waits(server)
    with (
        contextlib.closing(server.connect("analyst")) as connection,
        connection.cursor() as cursor,
    ):
        is_good = run_report.end_of_run(cursor, home, run_id, state, seconds, page)
    if waits := what_waits(server, airflow_is_up=services.up(home) is not None):
        print(f"\n{waits}")
    return is_good


@contextlib.contextmanager
def airflow(
    home: Home, server: Server, source: str, more: Mapping[str, str] | None = None
) -> Iterator[AirflowApi]:
    """Yield the API of this checkout's Airflow, started for as long as needed.

    ``more``: variables that its environment has besides.

    Raises:
        ServicesError: if Airflow or Postgres ends meanwhile, or another command starts one.
    """
    with daily.alone(home):
        if daily.is_up(home, server, source):
            with deaths_in_words(home):
                api = _api(home)
                api.wait_for_dag()
                yield api
            return
        # of a `make run` that was killed
        services.stop(home)
        home.leave_taken_port()
        environ = {**environment(home, server, source), **(more or {})}
        # the daily schedule belongs to `make up`
        environ |= services.FOR_ONE_RUN
        services.migrate_metadata(environ, home)
        services.start(home, environ, identity(source))
        try:
            with deaths_in_words(home):
                api = _api(home)
                api.wait_for_dag()
                for left_over in api.unfinished_runs():
                    _end_as_failed(api, left_over, server)
                yield api
        finally:
            services.stop(home)


def _api(home: Home) -> AirflowApi:
    return AirflowApi(home.url, watch=partial(watch, home))


@contextlib.contextmanager
def _ended_as_failed_when_interrupted(
    api: AirflowApi, run_id: str, server: Server
) -> Iterator[None]:
    try:
        yield
    except (KeyboardInterrupt, SystemExit, BrokenPipeError) as error:
        if isinstance(error, BrokenPipeError):
            forget_terminal()
        print("\nInterrupted: the run is ended as failed. Nothing was published.", flush=True)
        _end_as_failed(api, run_id, server)
        raise
    except (ServicesError, httpx.HTTPError, psycopg2.Error):
        # as far as what is left of Airflow and Postgres lets us
        with contextlib.suppress(Exception):
            _end_as_failed(api, run_id, server)
        raise


def _end_as_failed(api: AirflowApi, run_id: str, server: Server) -> None:
    """End a run that nothing works at any more, and do what its own last task would have done."""
    from elt.publishing.publish import close_run

    api.fail(run_id)
    with contextlib.closing(server.connect("analyst")) as connection, connection.cursor() as cursor:
        cursor.execute("select to_regclass('ops.run_lease') is not null")
        if not one_value(cursor):
            return
        cursor.execute("select mart from marts.data_status")
        marts = [mart for (mart,) in cursor]
    close_run(run_id, marts)
