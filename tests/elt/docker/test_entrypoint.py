from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from elt.docker import environment as keys

ROOT = Path(__file__).parents[3]
SHOW = "import os, sys, elt.docker.__main__ as m; m.NEXT = '/usr/bin/env'; m.main(['-0'])"


@pytest.fixture
def entrypoint(tmp_path):
    """Run the entrypoint with variables; in the place of Airflow, `env` shows what it is given."""

    def run(code: str = SHOW, **variables: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-c", code],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "include"), **variables},
            capture_output=True,
            text=True,
        )

    return run


def shown(done: subprocess.CompletedProcess) -> dict[str, str]:
    assert done.returncode == 0, done.stderr
    return dict(pair.split("=", 1) for pair in done.stdout.split("\0") if pair)


def test_a_component_is_given_its_connections(entrypoint, tmp_path):
    keys.make_missing_secrets(tmp_path)
    given = shown(entrypoint(GREENERY_SECRETS=str(tmp_path), GREENERY_BIND="127.0.0.1"))
    password = keys.read_secret("warehouse_password", tmp_path)
    assert json.loads(given["AIRFLOW_CONN_GREENERY_WAREHOUSE"])["password"] == password
    assert given["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS"] == "True"


def test_the_image_by_itself_needs_no_secrets(entrypoint):
    assert "AIRFLOW_CONN_GREENERY_WAREHOUSE" not in shown(entrypoint())


@pytest.mark.parametrize("slack", ["xoxb-hidden", ""])
def test_what_is_wrong_is_said_in_words(entrypoint, tmp_path, slack):
    if slack:
        keys.make_missing_secrets(tmp_path)
    done = entrypoint(GREENERY_SECRETS=str(tmp_path), GREENERY_SLACK=slack)
    assert done.returncode == 1
    assert ("GREENERY_SLACK is neither" if slack else "is missing") in done.stderr
    assert "Traceback" not in done.stderr
    assert "hidden" not in done.stderr


def test_what_a_killed_start_left_in_the_temporary_folder_goes(entrypoint, tmp_path):
    secrets, temporary = tmp_path / "secrets", tmp_path / "temporary"
    keys.make_missing_secrets(secrets)
    (temporary / "left").mkdir(parents=True)
    show = SHOW.replace("m.main", f"m.TEMPORARY = m.Path({str(temporary)!r}); m.main")
    for named, left in ((tmp_path / "another", 1), (temporary, 0)):
        done = entrypoint(show, GREENERY_SECRETS=str(secrets), TMPDIR=str(named))
        assert done.returncode == 0, done.stderr
        assert len(list(temporary.iterdir())) == left
