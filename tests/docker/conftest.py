"""One stack on demo data for most tests, and one on the real data where that is there."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

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
    with running(PROJECT, folders / "demo") as stack:
        yield stack


@pytest.fixture(scope="session")
def real_landing(folders) -> Path:
    named = os.environ.get("GREENERY_DATA")
    if not named:
        pytest.skip("no real data: set GREENERY_DATA")
    source = ROOT / named
    assert (source / "events.csv").is_file(), f"no real data in {source}: set GREENERY_DATA"
    landing = folders / "landing"
    landing.mkdir()
    for file in source.glob("*.csv"):
        shutil.copyfile(file, landing / file.name)
    return landing
