"""Processes are ended as a family, and never a stranger that has got a number of theirs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from devtools.local import processes
from devtools.local.processes import Started

# starts a child in a process group of its own, which starts another; both say their numbers
PARENT = """
import os, signal, sys, time
from pathlib import Path
folder, stubborn = Path(sys.argv[1]), sys.argv[2] == "stubborn"
def child(name):
    if os.fork():
        return
    os.setpgid(0, 0)
    if stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if name == "child":
        child("grandchild")
    (folder / f"{name}.new").write_text(str(os.getpid()))
    (folder / f"{name}.new").rename(folder / name)
    time.sleep(600)
child("child")
if sys.argv[3] == "leaves":
    sys.exit()
time.sleep(600)
"""


@pytest.fixture
def start(tmp_path):
    started: list[Started] = []

    def start(*how: str) -> tuple[Started, list[psutil.Process]]:
        how = (*how, "", "")[:2]
        command = [sys.executable, "-c", PARENT, str(tmp_path), *how]
        one = processes.spawn(command, tmp_path, tmp_path / "log", os.environ)
        started.append(one)
        files = [tmp_path / "child", tmp_path / "grandchild"]
        assert wait(lambda: all(file.exists() for file in files)), (tmp_path / "log").read_text()
        return one, [psutil.Process(int(file.read_text())) for file in files]

    yield start
    processes.end(started)


def wait(is_so, seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not (done := is_so()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return bool(done)


def is_alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_children_end_with_their_parent(start):
    one, children = start()
    assert processes.alive(one)
    assert processes.end([one])
    assert not processes.alive(one)
    assert not any(map(is_alive, children))
    assert not processes.end([one])


@pytest.mark.parametrize("reaped", [True, False], ids=["reaped", "zombie"])
def test_orphans_of_a_parent_that_was_killed_are_ended(start, reaped):
    one, children = start()
    os.kill(one.pid, signal.SIGKILL)
    if reaped:
        psutil.Process(one.pid).wait()
    assert wait(lambda: not processes.alive(one))
    assert all(map(is_alive, children))
    assert processes.end([one])
    assert not any(map(is_alive, children))


def test_who_does_not_listen_is_killed(start, monkeypatch):
    monkeypatch.setattr(processes, "STOP_TIMEOUT", 0.5)
    one, children = start("stubborn")
    os.kill(one.pid, signal.SIGSTOP)
    assert processes.end([one])
    assert not any(map(is_alive, children))


def test_a_stranger_with_a_number_of_ours_is_left_alone_with_its_children(start):
    stranger, children = start()
    remembered = Started(stranger.pid, "born at another time", sys.executable)
    assert processes.alive(remembered) is None
    assert not processes.end([remembered])
    assert processes.alive(stranger)
    assert all(map(is_alive, children))


def test_another_program_in_a_session_that_got_our_number_is_left_alone(start):
    """Its leader has ended as well, so that only what runs there tells."""
    leader, children = start("", "leaves")
    psutil.Process(leader.pid).wait()
    assert not processes.end([leader._replace(birth="long ago", program="/usr/bin/something")])
    assert all(map(is_alive, children))


def test_a_clock_that_is_set_makes_no_stranger_of_ours(start, monkeypatch):
    one, _ = start()
    monkeypatch.setattr(psutil.Process, "create_time", lambda _: 0.0)
    assert processes.alive(one)


SCRIPT = """
import signal, sys, time
from pathlib import Path
from devtools.local.processes import exit_when_told
exit_when_told()
try:
    print("ready", flush=True)
    time.sleep(600)
finally:
    print("cleaning up", flush=True)
    time.sleep(0.5)
    print("cleaned", flush=True)
    Path(sys.argv[1]).touch()
"""


@pytest.mark.parametrize("told", [signal.SIGHUP, signal.SIGTERM])
def test_a_closed_terminal_does_not_keep_it_from_cleaning_up(tmp_path, told):
    mark = tmp_path / "cleaned"
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, mark],
        stdout=subprocess.PIPE,
        # the tests themselves may have been started by nohup
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    ) as process:
        assert process.stdout.readline() == b"ready\n"
        if told == signal.SIGHUP:
            # nobody reads any more
            process.stdout.close()
        for _ in range(3):
            process.send_signal(told)
            time.sleep(0.1)
        assert process.wait(20) == 128 + told
    assert mark.exists()


def test_nohup_goes_on_when_the_terminal_is_closed(tmp_path):
    mark = tmp_path / "cleaned"
    command = ["nohup", sys.executable, "-c", SCRIPT, mark]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.terminate()
        assert process.wait(20) == 143
    assert Path(mark).exists()
