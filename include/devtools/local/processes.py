"""Processes that outlive the command that started them, found again by the next one.

Each is started in a session of its own: whatever it starts is in it too, and stays in it when its
parent dies. A number is given again, so a process is known by the time of its birth as well.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

STOP_TIMEOUT = 20
BOOT = Path("/proc/sys/kernel/random/boot_id")
START_FIELD = 19


class Started(NamedTuple):
    """A process as it is remembered. ``program``: the file that it runs."""

    pid: int
    birth: str
    program: str = ""


def spawn(
    command: Sequence[str], folder: Path, log: Path, environment: Mapping[str, str]
) -> Started:
    """Start a program that writes into a log alone, and goes on when we end."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "w") as output:
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    return Started(process.pid, birth(process.pid), str(Path(command[0]).resolve()))


def birth(pid: int) -> str:
    """Return what tells a process from another of the same number; a set clock changes nothing.

    Raises:
        psutil.NoSuchProcess: if there is none.
    """
    try:
        # after the name, which may hold anything: in ticks since the machine was started
        fields = Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()
        return f"{BOOT.read_text().strip()} {fields[START_FIELD]}"
    except OSError:
        return str(psutil.Process(pid).create_time())


def alive(one: Started) -> psutil.Process | None:
    """Return a process that was started before, if it is still alive."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(one.pid)
        return process if birth(one.pid) == one.birth and _is_alive(process) else None
    return None


def family(started: Sequence[Started]) -> list[psutil.Process]:
    """Return what is alive of the sessions of these processes, with all their children.

    A process that died may have left others behind. They are ours if nobody else has got its
    number since, and they run what it ran.
    """
    ours: set[int] = set()
    gone: dict[int, str] = {}
    for one in started:
        try:
            ours |= {one.pid} if birth(one.pid) == one.birth else set()
        except psutil.NoSuchProcess:
            gone[one.pid] = one.program
    found: set[psutil.Process] = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            session = os.getsid(process.pid)
            if session in ours or (session in gone and _program(process) == gone[session]):
                found |= {process, *process.children(recursive=True)}
    return [process for process in found if _is_alive(process)]


def end(started: Sequence[Started]) -> bool:
    """End processes and all that they started, by force after 20 s. Return whether any was alive.

    Those alone are asked to end: they end their children in good order.
    """
    were_alive = family(started)
    asked = [process for process in map(alive, started) if process] or were_alive
    for process in asked:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    psutil.wait_procs(asked, timeout=STOP_TIMEOUT)
    # also what was started meanwhile
    for _ in range(3):
        left = {*family(started), *(process for process in were_alive if _is_alive(process))}
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=5)
    return bool(were_alive)


def exit_when_told() -> None:
    """Leave in good order, cleaning up, when we are ended or the terminal is closed.

    Whoever closes a terminal sends more than one signal: the first is enough.
    """

    def leave(number: int, _: object) -> None:
        for one in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(one, signal.SIG_IGN)
        if number == signal.SIGHUP:
            forget_terminal()
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, leave)
    # `nohup` wants us to go on
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signal.signal(signal.SIGHUP, leave)


def forget_terminal() -> None:
    """Write what is printed from now on nowhere: who read it has gone, and that is no error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for output in (1, 2):
        os.dup2(nowhere, output)


def last_lines(log: Path, number: int = 15) -> str:
    if not log.exists():
        return "(there is no log)"
    return "\n".join(log.read_text(errors="replace").splitlines()[-number:])


def _is_alive(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _program(process: psutil.Process) -> str:
    return str(Path(process.exe()).resolve())
