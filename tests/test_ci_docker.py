"""`.ci/docker`, with a docker, a make and a maker of stand-ins that say what theirs would."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.installation import ROOT

PROGRAMS = {
    "docker": """
        case "$1 $2" in
            info* | "compose version") [ -e engine ] ;;
            "image inspect") [ -e images ] ;;
            pull*) echo "no such host" >&2; exit 1 ;;
            *) exit 1 ;;
        esac""",
    "make": "echo $@ >>made; exit $(cat status)",
    "id": "cat uid",
}
STAND_INS = """#!/bin/sh
setsid sleep 300 >/dev/null 2>&1 </dev/null &
echo $! >"${DOCKERD_ARGS##*--pidfile=}"
echo $! >started
echo "$@" >images
touch engine
exit $(cat stand-ins-status)
"""


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A folder with `.ci/docker` alone, where nothing but the command docker is there."""
    checkout = tmp_path / "checkout"
    (checkout / ".ci").mkdir(parents=True)
    shutil.copy2(ROOT / ".ci/docker", checkout / ".ci/docker")
    for name, text in PROGRAMS.items():
        program = checkout / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
    for name, text in {"uid": "0", "status": "0", "stand-ins-status": "0"}.items():
        (checkout / name).write_text(text)
    return checkout


@pytest.fixture
def stand_ins(tmp_path, checkout) -> Iterator[None]:
    script = tmp_path / "shared/docker/make-stand-in-images.sh"
    script.parent.mkdir(parents=True)
    script.write_text(STAND_INS)
    script.chmod(0o755)
    yield
    if (checkout / "started").exists() and not ended(checkout):
        os.kill(int((checkout / "started").read_text()), signal.SIGTERM)


def try_containers(checkout: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [checkout / ".ci/docker"],
        env={"PATH": f"{checkout / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )


def is_skipped_in_one_line(checkout: Path, why: str) -> bool:
    done = try_containers(checkout)
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.startswith("The containers are not tried: ")
    assert why in done.stdout
    assert not (checkout / "made").exists()
    return done.stdout.count("\n") == 1


def ended(checkout: Path) -> bool:
    return not Path("/proc", (checkout / "started").read_text().strip()).exists()


def test_without_an_engine_and_a_script_that_makes_one_a_line_says_so(checkout):
    assert is_skipped_in_one_line(
        checkout, "no Docker engine with compose answers, and there is no"
    )


def test_without_an_engine_one_is_made_used_and_ended(checkout, stand_ins):
    done = try_containers(checkout)
    assert (done.returncode, done.stderr) == (0, "")
    assert (checkout / "made").read_text() == "test-docker\n"
    assert (checkout / "images").read_text() == (
        "postgres=postgres:18 airflow=apache/airflow:3.3.2-python3.11 redis=redis:7\n"
    )
    assert ended(checkout)


def test_an_engine_that_can_t_be_made_is_no_failure(checkout, stand_ins):
    (checkout / "stand-ins-status").write_text("7")
    assert is_skipped_in_one_line(checkout, "ended with status 7")
    assert ended(checkout)


def test_only_root_makes_an_engine(checkout, stand_ins):
    (checkout / "uid").write_text("1000")
    assert is_skipped_in_one_line(checkout, "only root may make stand-ins")
    assert not (checkout / "started").exists()


def test_where_an_engine_answers_it_is_used_and_left_alone(checkout, stand_ins):
    (checkout / "engine").touch()
    (checkout / "images").touch()
    assert try_containers(checkout).returncode == 0
    assert (checkout / "made").read_text() == "test-docker\n"
    assert not (checkout / "started").exists()


def test_images_that_can_t_be_pulled_are_made_or_missed_in_one_line(checkout, request):
    (checkout / "engine").touch()
    assert is_skipped_in_one_line(checkout, "can't be pulled (no such host)")
    request.getfixturevalue("stand_ins")
    assert try_containers(checkout).returncode == 0
    assert (checkout / "made").read_text() == "test-docker\n"


def test_a_failing_test_fails_and_the_engine_ends_all_the_same(checkout, stand_ins):
    (checkout / "status").write_text("2")
    assert try_containers(checkout).returncode == 2
    assert ended(checkout)
