"""Who does for all tasks, once, what each of them would do: only what was told to."""

from __future__ import annotations

import os
import runpy
import sys

import pytest
import yaml

from devtools.local import services
from devtools.local.state_folder import Home
from elt.airflow import warm_up
from tests.support.installation import ROOT

VARIABLE = "GREENERY_WARM_UP"
SETTINGS = ROOT / "config/airflow_local_settings.py"


@pytest.fixture
def warmed_up(monkeypatch) -> list[bool]:
    done: list[bool] = []
    monkeypatch.setattr(warm_up, "warm_up", lambda: done.append(True))
    monkeypatch.setattr(os, "environ", dict(os.environ))
    return done


def test_what_is_told_to_warm_up_does_and_what_it_starts_does_not(warmed_up):
    os.environ[VARIABLE] = "1"
    runpy.run_path(str(SETTINGS))
    assert warmed_up == [True]
    runpy.run_path(str(SETTINGS))
    assert warmed_up == [True]


@pytest.mark.parametrize("told", [None, ""])
def test_what_is_not_told_to_warm_up_does_not_whatever_it_is_called(warmed_up, monkeypatch, told):
    os.environ.pop(VARIABLE, None)
    if told is not None:
        os.environ[VARIABLE] = told
    monkeypatch.setattr(sys, "argv", ["airflow", "scheduler"])
    runpy.run_path(str(SETTINGS))
    assert warmed_up == []


def test_the_scheduler_of_this_machine_alone_is_told_to(monkeypatch, tmp_path):
    given = {}

    def spawn(command, _, log, environment):
        given[log.stem] = environment.get(VARIABLE)
        return services.Started(0, "", "")

    monkeypatch.setattr(services.processes, "spawn", spawn)
    monkeypatch.setattr(services, "_wait_until_healthy", lambda _: None)
    monkeypatch.setattr(services, "port_is_taken", lambda _: False)
    services.start(Home(root=tmp_path, state=tmp_path / "state"), {}, "file:///shop")
    assert given == {"api-server": None, "scheduler": "1", "dag-processor": None}


def test_in_a_container_what_forks_tasks_is_told_to_and_no_other_command_in_it():
    found = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    told = [name for name, one in found.items() if f"{VARIABLE}=1" in one.get("entrypoint", [])]
    assert told == ["scheduler", "worker"]
    assert not [name for name, one in found.items() if VARIABLE in one.get("environment", {})]
