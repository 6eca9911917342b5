"""A whole build by LocalExecutor and by workers of Celery: ``python -m benchmarks.workers``.

It makes an installation of its own with docker compose, with half of the models, as the containers'
tests have it, and builds everything anew in turns: by LocalExecutor with two tasks at once, then by
1, 2 and 3 workers of two tasks each. CPU is that of all processes of its containers.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import secrets
import shutil
import statistics
import subprocess
import time
from pathlib import Path

import psutil

from devtools.local.postgres import free_port
from tests.docker.stack import Stack, running

TASKS_AT_ONCE = 2


def containers(stack: Stack) -> dict[str, list[int]]:
    """Return the first process of each container, by service."""
    ids = stack.compose("ps", "--quiet").stdout.split()
    found: dict[str, list[int]] = {}
    for container in json.loads(subprocess.check_output(["docker", "inspect", *ids])):
        service = container["Config"]["Labels"]["com.docker.compose.service"]
        found.setdefault(service, []).append(container["State"]["Pid"])
    return found


def cpu_seconds(first_processes: list[int]) -> float:
    """Return what these and their descendants have used, the ended ones included."""
    total = 0.0
    for first in map(psutil.Process, first_processes):
        for process in (first, *first.children(recursive=True)):
            try:
                times = process.cpu_times()
            except psutil.Error:
                # it ended since: the process that started it has its seconds now
                continue
            total += times.user + times.system + times.children_user + times.children_system
    return total


def by(stack: Stack, workers: int) -> Stack:
    """Return the same installation with so many workers; none is LocalExecutor."""
    variables = {"GREENERY_PARALLELISM": str(TASKS_AT_ONCE * max(workers, 1))}
    if workers:
        variables |= {
            "COMPOSE_PROFILES": "slack,celery",
            "GREENERY_EXECUTOR": "CeleryExecutor,LocalExecutor",
            "GREENERY_WORKERS": str(workers),
            "GREENERY_WORKER_CONCURRENCY": str(TASKS_AT_ONCE),
        }
    return dataclasses.replace(stack, variables={**stack.variables, **variables})


def measure(stack: Stack) -> dict[str, float]:
    """Build all anew and return wall seconds, and CPU seconds of each service."""
    services = containers(stack)
    before, begun = {name: cpu_seconds(ids) for name, ids in services.items()}, time.monotonic()
    run_id = stack.api.trigger({"full_refresh": ["all"]})
    state = stack.wait(run_id)
    wall = time.monotonic() - begun
    assert state == "success", stack.explain(run_id)
    return {"wall": wall, **{n: cpu_seconds(ids) - before[n] for n, ids in services.items()}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    project = f"greenery-bench-{secrets.token_hex(3)}"
    folder = Path("/var/tmp") / project
    folder.mkdir(mode=0o755)
    variables = {
        "GREENERY_SLACK": "local",
        "GREENERY_SLACK_PORT": str(free_port()),
        "COMPOSE_PROFILES": "slack",
        "GREENERY_EXTRAS": "celery",
    }
    figures: dict[int, list[dict[str, float]]] = {}
    try:
        with running(project, folder / "shop", **variables) as stack:
            assert stack.wait(stack.first_run()) == "success"
            marts = stack.marts()
            for _ in range(rounds):
                for workers in (0, 1, 2, 3):
                    chosen = by(stack, workers)
                    chosen.up("--remove-orphans")
                    figures.setdefault(workers, []).append(measure(chosen))
                    print(workers, {n: round(s, 1) for n, s in figures[workers][-1].items()})
                    assert chosen.marts() == marts
                    if workers:
                        chosen.compose("rm", "--stop", "--force", "worker", "broker")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("| | wall | CPU | of it scheduler and workers | the warehouse |")
    for workers, taken in figures.items():
        cells = (
            [t["wall"] for t in taken],
            [sum(t.values()) - t["wall"] for t in taken],
            [t["scheduler"] + t.get("worker", 0.0) for t in taken],
            [t["warehouse"] for t in taken],
        )
        medians = " | ".join(f"{statistics.median(cell):.0f} s" for cell in cells)
        print(f"| {f'{workers} workers' if workers else 'LocalExecutor'} | {medians} |", flush=True)


if __name__ == "__main__":
    main()
