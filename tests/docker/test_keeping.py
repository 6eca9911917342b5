"""What must outlive a restart, a lost password, a lost machine; and what must not last for ever."""

from __future__ import annotations

import os
import re
import subprocess

import httpx
import pytest

from elt.docker.environment import MAKERS
from tests.docker.stack import Stack


def test_down_and_up_keeps_everything_and_passwords_may_be_lost_or_rotated(stack, first_marts):
    before, runs, old = stack.marts(), run_count(stack), stack.secrets()
    stack.compose("run", "--rm", "-T", "init", "rotate")
    # what is not encrypted with them can be new at any start
    stack.in_secrets(
        "rm /run/greenery/warehouse_password /run/greenery/metadata_password "
        "/run/greenery/metadata_url /run/greenery/jwt_secret"
    )
    stack.compose("down")
    stack.up()
    new = stack.secrets()
    assert [name for name in MAKERS if old[name] == new[name]] == ["fernet_key"]
    assert stack.marts() == before
    assert run_count(stack) == runs
    stack.run()
    assert stack.marts() == first_marts


@pytest.mark.rare
def test_backup_wipe_restore(stack, first_marts):
    client, server = (
        re.search(r"(\d+)\.", stack.in_service("warehouse", program, "--version"))[1]
        for program in ("pg_dump", "postgres")
    )
    if client != server:
        pytest.skip(f"this image's pg_dump {client} can't read its server {server}")
    before, runs = stack.marts(), run_count(stack)
    make(stack, "backup", "TO=backups/one")
    assert {file.stat().st_mode & 0o077 for file in (stack.folder / "backups/one").iterdir()} == {0}
    stack.compose("down", "--volumes")
    make(stack, "restore", "FROM=backups/one")
    assert stack.marts() == before
    assert run_count(stack) == runs
    stack.run()
    assert stack.marts() == first_marts


def test_housekeeping_forgets_old_runs_and_logs_and_nothing_else(stack, first_marts):
    # paused all along, or the scheduler goes on with the run's teardown and dates it anew
    stack.pause(True)
    old = stack.api.trigger()
    stack.api.fail(old)
    kept = run_count(stack) - 1
    stack.compose(
        *("exec", "-T", "metadata", "psql", "-U", "postgres", "-d", "airflow", "-c"),
        "update dag_run set start_date = now() - interval '100 days', "
        f"run_after = now() - interval '100 days' where run_id = '{old}'",
    )
    stack.in_service("scheduler", "touch", "-d", "2020-01-01", "/opt/airflow/logs/old.log")
    done = stack.in_service("housekeeping", "python", "-m", "elt.docker.housekeeping")
    assert "1 log files deleted" in done
    assert run_count(stack) == kept, done
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        stack.api.state(old)
    stack.pause(False)


def run_count(stack: Stack) -> int:
    return stack.api.call("GET", "/dags/greenery_elt/dagRuns")["total_entries"]


def make(stack: Stack, *arguments: str) -> None:
    environ = {key: value for key, value in os.environ.items() if not key.startswith("GREENERY_")}
    done = subprocess.run(
        ["make", *arguments],
        cwd=stack.folder,
        env={
            **environ,
            "COMPOSE_PROJECT_NAME": stack.project,
            "GREENERY_PORT": str(stack.port),
            **stack.variables,
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
