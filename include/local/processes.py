"""Processes that outlive the command that started them, found again by the next one."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

STOP_TIMEOUT = 20
# a process id is given again; the time of birth tells
Born = tuple[int, float]


def spawn(command: Sequence[str], folder: Path, log: Path, environment: Mapping[str, str]) -> Born:
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
    return process.pid, psutil.Process(process.pid).create_time()


def alive(pid: int, created: float) -> psutil.Process | None:
    """Return a process that was started before, if it is still alive."""
    try:
        process = psutil.Process(pid)
        is_ours = process.create_time() == created and process.status() != psutil.STATUS_ZOMBIE
        return process if is_ours else None
    except psutil.NoSuchProcess:
        return None


def end(processes: Sequence[psutil.Process]) -> None:
    """End processes and all their children, by force after 20 s."""
    family = [*processes]
    for process in processes:
        family += process.children(recursive=True)
    # these alone: they end their children in good order
    for process in processes:
        process.terminate()
    _, stubborn = psutil.wait_procs(family, timeout=STOP_TIMEOUT)
    for process in stubborn:
        process.kill()
    psutil.wait_procs(stubborn, timeout=5)


def last_lines(log: Path, number: int = 15) -> str:
    return "\n".join(log.read_text().splitlines()[-number:])
