"""What a machine may lack, and whom a checkout may belong to: one sentence, and nothing broken."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from devtools.local import fake_slack, machine, postgres
from devtools.local.state_folder import Home
from tests.support.installation import ROOT

# an account of every Linux that is neither ours nor the one Postgres runs as
STRANGER = "daemon"


def as_stranger(*command: str, state: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a local command as somebody else: may read all of this checkout, and write nothing."""
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("only root, with setpriv, can be somebody else")
    who = ["--reuid", STRANGER, "--regid", STRANGER, "--clear-groups"]
    may_read = ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
    return subprocess.run(
        ["setpriv", *who, *may_read, sys.executable, "-m", "devtools.local", *command],
        cwd=ROOT,
        env={
            **{key: value for key, value in os.environ.items() if key != "GREENERY_STATE"},
            **({"GREENERY_STATE": str(state)} if state else {}),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """The state folder of a checkout with a warehouse, of another user than the stranger."""
    state = tmp_path_factory.mktemp("ours") / "state"
    postgres.start(state)
    yield state
    postgres.remove(state)


@pytest.mark.parametrize("command", ["up", "slack", "dbt"])
def test_a_checkout_that_may_only_be_read_is_told_in_one_sentence(tmp_path, command):
    state = tmp_path / "checkout" / ".local"
    state.parent.mkdir()
    done = as_stranger(command, state=state)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert str(state) in done.stderr
    assert "GREENERY_STATE=" in done.stderr
    assert f"{state.parent} is of root" in done.stderr


@pytest.mark.parametrize("command", ["reset", "down", "warehouse-url"])
def test_another_user_can_not_touch_our_warehouse(others, command):
    done = as_stranger(command, state=others)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "is of root" in done.stderr
    assert "is gone" not in done.stdout
    assert postgres.is_running(others)


def test_another_user_with_a_state_folder_of_their_own_has_another_warehouse(others):
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder, "own")
        own.mkdir()
        if os.geteuid() == 0:
            Path(folder).chmod(0o711)
            shutil.chown(own, STRANGER)
        made = as_stranger("warehouse-url", state=own)
        removed = as_stranger("reset", state=own)
        assert (made.returncode, removed.returncode) == (0, 0), made.stderr + removed.stderr
        assert not any(own.iterdir())
    assert f":{postgres.start(others).port}/" not in made.stdout
    assert postgres.is_running(others)


def test_secrets_are_read_by_their_owner_alone(others):
    home = Home(state=others)
    home.remembered("secret_key", lambda: "secret")
    for name in ("postgres.json", "settings.json"):
        assert stat.S_IMODE((others / name).stat().st_mode) == 0o600


def test_a_full_disk_is_told_with_the_file():
    error = OSError(errno.ENOSPC, "No space left on device", "/state/settings.json")
    said = machine.file_trouble(error, Path("/state"))
    assert said == (
        "/state/settings.json can't be written, the disk is full. Free some space and repeat the "
        "command."
    )


def test_what_is_no_trouble_with_a_file_is_not_explained_away():
    assert machine.file_trouble(FileNotFoundError(errno.ENOENT, "", "x"), Path()) is None
    assert machine.file_trouble(ConnectionRefusedError(errno.ECONNREFUSED, ""), Path()) is None


def warehouse_url(state: Path, *before: str) -> subprocess.CompletedProcess[str]:
    """Ask for a warehouse in this state folder, by a command that begins with these words."""
    return subprocess.run(
        [*before, sys.executable, "-m", "devtools.local", "warehouse-url"],
        cwd=ROOT,
        env={**os.environ, "GREENERY_STATE": str(state)},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_file_in_place_of_the_state_folder_is_told(tmp_path):
    (tmp_path / "state").touch()
    done = warehouse_url(tmp_path / "state")
    assert done.returncode == 1
    assert done.stderr.startswith(f"{tmp_path / 'state'} can't be used: File exists")


def test_a_machine_without_ipv4_loopback_is_told_in_one_sentence(tmp_path, monkeypatch):
    def connect(*_):
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    monkeypatch.setattr(socket.socket, "connect", connect)
    for start in (postgres.start, lambda state: fake_slack.start(Home(state=state))):
        with pytest.raises(machine.LoopbackError, match=r"no working 127\.0\.0\.1 \(Network is"):
            start(tmp_path / "state")
    assert not (tmp_path / "state" / "postgres").exists()


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("unshare"),
    reason="only root, with unshare, can have a network of its own",
)
def test_a_machine_whose_loopback_is_down_is_told_in_one_sentence(tmp_path):
    if subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode:
        pytest.skip("this machine lets not even root have a network of its own")
    done = warehouse_url(tmp_path / "state", "unshare", "--net")
    assert done.returncode == 1
    assert done.stderr.startswith("This machine has no working 127.0.0.1 (Network is unreachable)")
    assert len(done.stderr.splitlines()) == 1
