"""Who does for all its forks, once, what each of them would do: only what was told to."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys

import pytest
import yaml

from devtools.local import services
from devtools.local.state_folder import Home
from elt.airflow import warm_up
from tests.support.installation import ROOT

VARIABLE = "GREENERY_WARM_UP"
SETTINGS = ROOT / "config/airflow_local_settings.py"
READS_ALL = """
import pathlib, runpy, sys
from elt.airflow.warm_up import warm_up_for_dags
warm_up_for_dags()
known = {*sys.modules}
for file in pathlib.Path("dags").glob("*.py"):
    runpy.run_path(file)
print("new:", *[name for name in {*sys.modules} - known if name.startswith("elt.")])
"""


@pytest.fixture
def warmed_up(monkeypatch) -> list[str]:
    done: list[str] = []
    monkeypatch.setattr(warm_up, "warm_up_for_tasks", lambda: done.append("tasks"))
    monkeypatch.setattr(warm_up, "warm_up_for_dags", lambda: done.append("dags"))
    monkeypatch.setattr(os, "environ", dict(os.environ))
    return done


@pytest.mark.parametrize("forks", ["tasks", "dags"])
def test_what_is_told_to_warm_up_does_and_what_it_starts_does_not(warmed_up, forks):
    os.environ[VARIABLE] = forks
    runpy.run_path(str(SETTINGS))
    assert warmed_up == [forks]
    runpy.run_path(str(SETTINGS))
    assert warmed_up == [forks]


def test_after_it_the_files_with_dags_import_nothing_of_ours():
    done = subprocess.run(
        [sys.executable, "-c", READS_ALL], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1].strip() == "new:"


def test_a_module_that_is_broken_is_left_to_the_file_that_needs_it(monkeypatch, caplog):
    monkeypatch.setattr(warm_up, "DAG_MODULES", ("no.such.module",))
    warm_up.warm_up_for_dags()
    assert "No module named 'no'" in caplog.text


@pytest.mark.parametrize("told", [None, ""])
def test_what_is_not_told_to_warm_up_does_not_whatever_it_is_called(warmed_up, monkeypatch, told):
    os.environ.pop(VARIABLE, None)
    if told is not None:
        os.environ[VARIABLE] = told
    monkeypatch.setattr(sys, "argv", ["airflow", "scheduler"])
    runpy.run_path(str(SETTINGS))
    assert warmed_up == []


def test_what_forks_itself_on_this_machine_is_told_to(monkeypatch, tmp_path):
    given = {}

    def spawn(command, _, log, environment):
        given[log.stem] = environment.get(VARIABLE)
        return services.Started(0, "", "")

    monkeypatch.setattr(services.processes, "spawn", spawn)
    monkeypatch.setattr(services, "_wait_until_healthy", lambda _: None)
    monkeypatch.setattr(services, "port_is_taken", lambda _: False)
    services.start(Home(root=tmp_path, state=tmp_path / "state"), {}, "file:///shop")
    assert given == {"api-server": None, "scheduler": "tasks", "dag-processor": "dags"}


def test_in_a_container_what_forks_itself_is_told_to_and_no_other_command_in_it():
    found = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    told = {
        name: argument.removeprefix(f"{VARIABLE}=")
        for name, one in found.items()
        for argument in one.get("entrypoint", [])
        if argument.startswith(VARIABLE)
    }
    assert told == {"scheduler": "tasks", "dag-processor": "dags", "worker": "tasks"}
    assert not [name for name, one in found.items() if VARIABLE in one.get("environment", {})]
