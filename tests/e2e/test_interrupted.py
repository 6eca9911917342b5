"""`make run` that is killed, or whose Airflow is: what is left does not become somebody else's."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from devtools.local import postgres, services
from devtools.local.api import AirflowApi
from devtools.local.state_folder import Home
from devtools.scenarios.stage import wait_until
from tests.support.installation import copy_checkout, keep_models, local_command, without_session

# an Airflow is started seven times
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    # a path that says something to a shell, to Airflow's settings, to URLs, and is too long
    name = "it's 100 % of $HOME and %(x)s `id` " + "x" * 60
    checkout = copy_checkout(tmp_path_factory.mktemp("interrupted") / name)
    keep_models(checkout, ("stg_*", "int_user_orders", "dim_users", "fct_orders"))
    yield Home(root=checkout, state=checkout / ".local")
    local_command(checkout, "reset")


class Run:
    """A `make run` at work, in a session of its own as in a terminal."""

    def __init__(self, home: Home, *arguments: str) -> None:
        self.log = home.root / "run.log"
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "devtools.local", "run", *arguments],
                cwd=home.root,
                env={**without_session(), "GREENERY_STATE": str(home.state)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def __enter__(self) -> Run:
        is_ready = wait_until(lambda: "The run begins" in self.said(), 400)
        assert is_ready, self.said()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def said(self) -> str:
        return self.log.read_text()

    def end(self, seconds: float = 120) -> int:
        return self.process.wait(seconds)


def is_clean(home: Home) -> bool:
    """Tell whether no process works for the Airflow of a checkout."""
    return not any(is_of(process, home) for process in Path("/proc").glob("[0-9]*"))


def is_of(process: Path, home: Home) -> bool:
    try:
        is_zombie = "State:\tZ" in (process / "status").read_text()
        return not is_zombie and Path(os.readlink(process / "cwd")) == home.root
    except OSError:
        return False


def test_up_after_a_killed_run_has_the_daily_schedule(home):
    with Run(home) as run:
        run.process.kill()
        run.end()
    assert not services.up(home).schedule
    up = local_command(home.root, "up")
    assert up.returncode == 0, up.stderr
    assert "Airflow is up: " in up.stdout
    assert services.up(home).schedule

    # it is used by a run, and not ended by it; but a dead scheduler is not waited for
    with Run(home) as run:
        scheduler = services.running(home)["scheduler"]
        scheduler.kill()
        assert run.end(60) == 1
    assert "Airflow's scheduler has ended" in run.said()
    assert "Traceback" not in run.said()

    down = local_command(home.root, "down")
    assert down.stdout == "Stopped.\n"
    assert is_clean(home)


@pytest.mark.rare
def test_a_run_tells_the_slack_it_was_asked_to_though_another_was_killed(home):
    with Run(home) as run:
        run.process.kill()
        run.end()
    with Run(home, "--slack", "local") as run:
        assert services.up(home).slack != services.purpose({}, "").slack
        # the terminal is closed: the shell and the kernel say so, and nobody reads any more
        for _ in range(2):
            os.killpg(run.process.pid, signal.SIGHUP)
        assert run.end() == 129
    assert services.up(home) is None
    state = postgres.start(home.state)
    with state.connect("analyst") as connection, connection.cursor() as cursor:
        cursor.execute("select count(*) from ops.run_lease where released_at is null")
        assert cursor.fetchone() == (0,)
    local_command(home.root, "down")
    assert is_clean(home)


@pytest.mark.rare
@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("down", r"has ended|was stopped meanwhile"),
        ("postgres", r"The local Postgres has ended meanwhile"),
    ],
)
def test_what_ends_during_a_run_is_said_in_words(home, how, words):
    with Run(home) as run:
        if how == "down":
            assert local_command(home.root, "down").returncode == 0
        else:
            assert postgres.stop(home.state)
        assert run.end() == 1
    assert re.search(words, run.said()), run.said()
    assert "Traceback" not in run.said()
    assert "The next `make run` ends that run as failed" in run.said()
    assert is_clean(home)


@pytest.mark.rare
def test_reset_during_a_run_is_said_in_words_and_the_next_one_starts_over(home):
    with Run(home) as run:
        assert local_command(home.root, "reset").returncode == 0
        assert run.end() == 1
    assert "Traceback" not in run.said(), run.said()
    assert is_clean(home)
    again = local_command(home.root, "run")
    assert again.returncode == 0, again.stdout + again.stderr


def test_airflow_gives_every_task_of_a_run_page_by_page(home):
    assert local_command(home.root, "up").returncode == 0
    api = AirflowApi(home.url)
    path = "/dags/greenery_elt/dagRuns"
    run_id = api.call("GET", path, params={"limit": 1, "order_by": "-id"})["dag_runs"][0][
        "dag_run_id"
    ]
    # its pages are smaller than any that we would ask for
    pages = api.pages(f"{path}/{run_id}/taskInstances", "task_instances", limit=3)
    tasks = [task["task_id"] for task in pages]
    assert len(tasks) == len({*tasks}) > 10
    assert local_command(home.root, "down").returncode == 0
