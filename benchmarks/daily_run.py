"""What a run costs beside `dbt build` alone: ``python -m benchmarks.daily_run [landing folder]``.

In one go on one machine: a first and a second run on the folder's files (default: demo data) with a
state of its own, then the same models and tests by `dbt build` in a shell, three times.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
BUILD = ("dbt", "build", "--exclude-resource-type", "unit_test")


class PeakMemory(threading.Thread):
    """Watches a process, its descendants and the local Postgres, shared pages counted once."""

    def __init__(self, process: psutil.Process, state: Path) -> None:
        super().__init__(daemon=True)
        self.process, self.state, self.peak = process, state, 0
        self.start()

    def run(self) -> None:
        while self.process.is_running() and self.process.status() != psutil.STATUS_ZOMBIE:
            self.peak = max(self.peak, sum(map(pss, self._family())))
            time.sleep(0.5)

    def _family(self) -> list[psutil.Process]:
        family = [self.process]
        settings = self.state / "postgres.json"
        if settings.exists():
            mark = Path(json.loads(settings.read_text())["home"], "data/postmaster.pid")
            if mark.exists():
                family.append(psutil.Process(int(mark.read_text().split()[0])))
        return [*family, *(child for one in family for child in one.children(recursive=True))]


def pss(process: psutil.Process) -> int:
    """Return the bytes of a process, each shared page by its part; 0 if it has ended."""
    try:
        return process.memory_full_info().pss
    except psutil.Error:
        return 0


def measure(state: Path, *arguments: str) -> tuple[str, float, float, int]:
    """Run a local command and return its output, wall and CPU seconds, and peak memory in bytes."""
    before, begun = os.times(), time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "devtools.local", *arguments],
        cwd=ROOT,
        env={**os.environ, "GREENERY_STATE": str(state)},
        stdout=subprocess.PIPE,
        text=True,
    )
    memory = PeakMemory(psutil.Process(process.pid), state)
    output, _ = process.communicate()
    after, wall = os.times(), time.monotonic() - begun
    if process.returncode != 0:
        sys.exit(f"{' '.join(arguments)} failed:\n{output}")
    cpu = after.children_user + after.children_system
    return output, wall, cpu - before.children_user - before.children_system, memory.peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("landing", nargs="?")
    landing = parser.parse_args().landing
    source = ["--source", landing] if landing else []
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        try:
            # the run proper, from its trigger to its end, is what stands beside dbt build
            runs = []
            for name in ("first run", "second run"):
                output, wall, cpu, peak = measure(state, "run", *source)
                proper = float(re.search(r"in ([\d.]+) s:", output)[1])
                runs.append(proper)
                print(
                    f"{name}: {proper:.1f} s, with Airflow's start and stop {wall:.1f} s, "
                    f"{cpu:.0f} CPU s, {peak / 2**20:.0f} MiB at most",
                    flush=True,
                )
            builds = [measure(state, *BUILD)[1:3] for _ in range(3)]
            build = statistics.median(wall for wall, _ in builds)
            cpu = statistics.median(cpu for _, cpu in builds)
            print(f"dbt build alone: {build:.1f} s, {cpu:.0f} CPU s (median of 3)")
            print(f"run / dbt build: {runs[0] / build:.1f} first, {runs[1] / build:.1f} second")
        finally:
            measure(state, "reset")


if __name__ == "__main__":
    main()
