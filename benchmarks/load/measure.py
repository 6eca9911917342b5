"""Run a client and measure it together with the server."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Measured:
    """Seconds, and bytes of the client's processes. Without imports, except ``process_wall``.

    ``cpu`` is of client and server. ``bytes_before`` is what the imports had taken already.
    """

    process_wall: float
    wall: float
    cpu: float
    peak_bytes: int
    bytes_before: int
    error: str | None = None


class _Peak(threading.Thread):
    """Adds up the kernel's own high-water marks of a process and its descendants."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._process = psutil.Process(pid)
        self._marks: dict[int, int] = {}
        self._over = threading.Event()
        self.start()

    def run(self) -> None:
        while not self._over.wait(0.02):
            try:
                family = [self._process, *self._process.children(recursive=True)]
            except psutil.Error:
                return
            for process in family:
                if mark := _high_water(process.pid):
                    self._marks[process.pid] = mark

    def total(self) -> int:
        self._over.set()
        self.join()
        return sum(self._marks.values())


def _high_water(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    lines = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return next((int(line.split()[1]) * 1024 for line in lines), 0)


def run(command: Sequence[str], environment: Mapping[str, str], postmaster: int) -> Measured:
    """Run a client to its end. ``error`` is the last line of what it said if it failed."""
    server, client = _server_cpu(postmaster), _children_cpu()
    begun = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    peak = _Peak(process.pid)
    output, errors = process.communicate()
    wall = time.perf_counter() - begun
    told = _told(output) or {"wall": wall, "cpu": _children_cpu() - client, "bytes_before": 0}
    lines = (errors.strip() or "no word").splitlines()
    return Measured(
        wall,
        told["wall"],
        told["cpu"] + _server_cpu(postmaster) - server,
        peak.total(),
        told["bytes_before"],
        lines[-1] if process.returncode else None,
    )


def _told(output: str) -> dict[str, float] | None:
    last = output.strip().rpartition("\n")[2]
    return json.loads(last) if last.startswith('{"wall"') else None


def _children_cpu() -> float:
    times = os.times()
    return times.children_user + times.children_system


def _server_cpu(postmaster: int) -> float:
    """Return the seconds of the server's processes, those that have ended included."""
    main = psutil.Process(postmaster)
    while True:
        ended = main.cpu_times()
        total = ended.children_user + ended.children_system
        for process in main.children():
            try:
                times = process.cpu_times()
            except psutil.Error:
                continue
            total += times.user + times.system
        # one that ended meanwhile may have been counted on neither side
        if main.cpu_times()[2:4] == ended[2:4]:
            return total
