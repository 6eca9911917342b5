"""One stack on demo data for all tests: each leaves it working, and none needs another."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from devtools.local.postgres import free_port
from tests.docker.stack import ROOT, Stack, running

PROJECT = f"greenery-test-{secrets.token_hex(3)}"


@pytest.fixture(scope="session", autouse=True)
def _engine() -> None:
    done = subprocess.run(["docker", "info"], capture_output=True, text=True)
    assert done.returncode == 0, f"no Docker engine answers: {done.stderr}"


@pytest.fixture(scope="session")
def folders() -> Iterator[Path]:
    """A folder whose parents anyone may enter: the image's user reads the copies below it."""
    folder = Path("/var/tmp") / PROJECT
    folder.mkdir(mode=0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def stack(folders) -> Iterator[Stack]:
    """A stack on demo data that tells its own fake Slack."""
    variables = {
        "GREENERY_SLACK": "local",
        "GREENERY_SLACK_PORT": str(free_port()),
        "COMPOSE_PROFILES": "slack",
        # for test_workers.py; others have an image without it
        "GREENERY_EXTRAS": "celery",
    }
    with running(PROJECT, folders / "demo", **variables) as stack:
        yield stack


@pytest.fixture(scope="session")
def first_marts(stack) -> list[list[str]]:
    """Wait for the run that comes by itself; what it published, any later run must publish."""
    run_id = stack.first_run()
    assert stack.wait(run_id) == "success", stack.explain(run_id)
    return stack.marts()


@pytest.fixture(scope="session")
def real_landing(folders) -> Path | None:
    """A copy of the real data that the image's user may read, or None."""
    named = os.environ.get("GREENERY_DATA")
    if not named:
        return None
    source = ROOT / named
    assert (source / "events.csv").is_file(), f"no real data in {source}: set GREENERY_DATA"
    landing = folders / "landing"
    landing.mkdir()
    for file in source.glob("*.csv"):
        shutil.copyfile(file, landing / file.name)
    return landing
