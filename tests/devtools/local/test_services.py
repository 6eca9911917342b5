"""Airflow's processes, by programs in their place that only wait: what is left, and watched."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys

import httpx
import psutil
import psycopg2
import pytest

from devtools.local import daily, ended_processes, fake_slack, postgres, services
from devtools.local.services import ServicesError
from devtools.local.source import OtherSourceError
from devtools.local.state_folder import Home
from devtools.scenarios.stage import wait_until

WORKER = "import os, time; os.fork(); time.sleep(600)"
UNSCHEDULED = {"AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False"}


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(services, "_airflow", lambda: [sys.executable, "-c", WORKER])
    monkeypatch.setattr(services, "_wait_until_healthy", services.watch)
    monkeypatch.setattr(services, "migrate_metadata", lambda *_: None)
    monkeypatch.setattr(daily, "environment", lambda *_: dict(os.environ))
    monkeypatch.delenv(fake_slack.VARIABLE, raising=False)
    home = Home(root=tmp_path, state=tmp_path / "state")
    yield home
    services.stop(home)


def start(home: Home, source: str = "file:///shop", **more: str) -> dict[str, psutil.Process]:
    services.start(home, {**os.environ, **more}, source)
    return services.running(home)


def test_what_an_airflow_was_started_for_is_remembered_without_a_secret(home):
    start(home, **UNSCHEDULED, **{fake_slack.VARIABLE: "xoxb-secret"})
    up = services.up(home)
    assert (up.source, up.schedule) == ("file:///shop", False)
    assert up.slack != services.purpose({}, "").slack
    assert "secret" not in (home.airflow / "processes.json").read_text()


def test_make_up_does_not_take_what_an_interrupted_run_left_for_its_own(home):
    left = start(home, **UNSCHEDULED)
    assert not daily.is_up(home, None, "/shop")
    daily.start(home, None, "/shop")
    assert services.up(home).schedule
    assert not any(process.is_running() for process in left.values())


def test_an_airflow_that_tells_another_slack_is_started_anew(home, monkeypatch):
    old = start(home)
    # who knows no Slack takes nobody's away
    assert daily.is_up(home, None, "/shop")
    assert services.running(home) == old
    monkeypatch.setenv(fake_slack.VARIABLE, "the local one")
    monkeypatch.setattr(daily.AirflowApi, "unfinished_runs", lambda _: ["at work"])
    with pytest.raises(ServicesError, match="at work at a run"):
        daily.is_up(home, None, "/shop")
    assert services.running(home) == old
    monkeypatch.setattr(daily.AirflowApi, "unfinished_runs", lambda _: [])
    assert daily.is_up(home, None, "/shop")
    new = services.running(home)
    assert not {*new.values()} & {*old.values()}
    assert services.up(home).schedule
    assert daily.is_up(home, None, "/shop")
    assert services.running(home) == new


def test_an_airflow_of_another_source_is_refused(home):
    start(home)
    with pytest.raises(OtherSourceError, match="Airflow is up with the source file:///shop, not"):
        daily.is_up(home, None, "/other")


def test_only_one_command_at_a_time_starts_an_airflow(home):
    with daily.alone(home), pytest.raises(ServicesError, match="Another `make run`"):
        with daily.alone(home):
            pass


def test_orphans_of_a_killed_scheduler_end_with_the_rest(home):
    alive = start(home)
    assert wait_until(lambda: all(process.children() for process in alive.values()))
    workers = [worker for process in alive.values() for worker in process.children()]
    for process in alive.values():
        process.kill()
        process.wait()
    assert all(worker.is_running() for worker in workers)
    assert services.up(home) is None
    assert services.stop(home)
    assert not any(worker.is_running() for worker in workers)
    assert not services.stop(home)


@pytest.mark.parametrize("component", services.COMPONENTS)
def test_a_part_that_dies_is_noticed_by_who_waits(home, component):
    alive = start(home)
    services.watch(home)
    alive[component].kill()
    alive[component].wait()
    with pytest.raises(ServicesError, match=f"Airflow's {component} has ended"):
        services.watch(home)
    services.stop(home)
    with pytest.raises(ServicesError, match="Airflow was stopped meanwhile"):
        services.watch(home)


def test_a_file_of_a_machine_that_was_started_anew_ends_nobody(home):
    alive = start(home)
    file = home.airflow / "processes.json"
    known = json.loads(file.read_text())
    before = {
        name: [pid, "another boot", program]
        for name, (pid, _, program) in known["processes"].items()
    }
    file.write_text(json.dumps(known | {"processes": before}))
    try:
        assert services.up(home) is None
        assert not services.stop(home)
        assert all(process.is_running() for process in alive.values())
    finally:
        file.write_text(json.dumps(known))


@pytest.mark.parametrize(
    "error",
    [httpx.ConnectError("refused"), psycopg2.OperationalError("refused"), ServicesError("ended")],
    ids=lambda error: type(error).__name__,
)
def test_an_error_of_who_is_gone_names_what_has_ended(home, monkeypatch, error):
    monkeypatch.setattr(ended_processes, "NOTICE_SECONDS", 0.1)
    monkeypatch.setattr(postgres, "is_running", lambda _: True)
    alive = start(home)
    os.kill(alive["scheduler"].pid, signal.SIGKILL)
    alive["scheduler"].wait()
    with pytest.raises(
        ServicesError, match=r"(?s)Airflow's scheduler has ended.*The next `make run`"
    ):
        with ended_processes.deaths_in_words(home):
            raise error
    monkeypatch.setattr(postgres, "is_running", lambda _: False)
    with pytest.raises(ServicesError, match="The local Postgres has ended meanwhile"):
        with ended_processes.deaths_in_words(home):
            raise error


def test_an_error_of_who_is_there_stays_what_it_is(home, monkeypatch):
    monkeypatch.setattr(ended_processes, "NOTICE_SECONDS", 0.1)
    monkeypatch.setattr(postgres, "is_running", lambda _: True)
    start(home)
    with pytest.raises(psycopg2.errors.UndefinedTable), ended_processes.deaths_in_words(home):
        raise psycopg2.errors.UndefinedTable
    with pytest.raises(ServicesError, match="Airflow does not answer as it should: late"):
        with ended_processes.deaths_in_words(home):
            raise httpx.ReadTimeout("late")


def test_a_port_that_another_program_has_is_left_to_it(home):
    with socket.create_server(("127.0.0.1", home.port)):
        with pytest.raises(ServicesError, match=f"Port {home.port} is taken by another program"):
            start(home)
        taken = home.port
        home.leave_taken_port()
        assert home.port != taken
        assert start(home)
