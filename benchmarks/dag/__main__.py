"""What a model costs in a project of few and of many models: ``make bench-dag``.

For each size a shop is made from the tests' bookshop, with a warehouse of its own, loaded, and
built by `dbt build`, which is timed. Then the DAG is read and some of its models are built by their
tasks, one size after the other and ours beside stock Cosmos, again and again, so that a machine
that is slow for a while is slow for all. A task is done in a fork of a process that has what the
scheduler has; Airflow's own work for a task (its state, its log) is not in it. Prints medians as a
Markdown table.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from benchmarks.dag.shop import make_shop, name_of
from devtools.local import postgres
from devtools.local.state_folder import source_connection, warehouse_connection

ROOT = Path(__file__).parents[2]
DAG_ID = "books_elt"


class Worker:
    """A process that reads a DAG and does its tasks (benchmarks/dag/worker.py)."""

    def __init__(self, log: Path, environment: dict[str, str], *arguments: str) -> None:
        self.log = log
        with log.open("w") as written:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.dag.worker", *arguments],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=written,
                text=True,
            )
        self._answer()

    def __call__(self, request: str) -> dict[str, float]:
        """Have something done and return the seconds it took."""
        self.process.stdin.write(f"{request}\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, float]:
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(self.log.read_text()[-4000:])
        return json.loads(line)

    def end(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def environment_of(folder: Path, settings: Path, server: postgres.Server) -> dict[str, str]:
    return {
        **os.environ,
        "GREENERY_SHOP": str(settings),
        "GREENERY_SETTLE_SECONDS": "0",
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__COSMOS__CACHE_DIR": str(folder / "cosmos"),
        "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "600",
        "AIRFLOW_CONN_GREENERY_WAREHOUSE": warehouse_connection(server),
        "AIRFLOW_CONN_GREENERY_SOURCE": source_connection(str(folder / "landing")),
        "DO_NOT_TRACK": "1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", type=int, default=[30, 100, 500])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--without-stock", action="store_true")
    asked = parser.parse_args()
    seconds: dict[tuple[str, int], list[dict[str, float]]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as scratch:
        folders = {models: Path(scratch) / str(models) for models in asked.models}
        workers: dict[tuple[str, int], Worker] = {}
        try:
            for models, folder in folders.items():
                settings = make_shop(folder, models)
                environment = environment_of(folder, settings, postgres.start(folder))
                prepared = subprocess.run(
                    [sys.executable, "-m", "benchmarks.dag.prepare"],
                    cwd=ROOT,
                    env=environment,
                    stdout=subprocess.PIPE,
                    check=True,
                )
                built = json.loads(prepared.stdout.splitlines()[-1])
                seconds["`dbt build`, a model", models].append(
                    {unit: value / models for unit, value in built.items()}
                )
                workers["ours", models] = Worker(
                    folder / "ours.log", environment, "dags/greenery_elt.py", DAG_ID
                )
                if not asked.without_stock:
                    subprocess.run(
                        [sys.executable, "-m", "airflow", "db", "migrate"],
                        env=environment,
                        check=True,
                        capture_output=True,
                    )
                    file = str(folder / "stock" / "stock.py")
                    workers["stock Cosmos", models] = Worker(
                        folder / "stock.log", environment, file, "stock"
                    )
            for (whose, models), worker in workers.items():
                seconds[f"{whose}: DAG, first", models].append(worker(""))
            for number in range(asked.rounds):
                for (whose, models), worker in workers.items():
                    name = name_of(number)
                    seconds[f"{whose}: DAG", models].append(worker(""))
                    if whose == "ours":
                        task = f"build.{name}"
                        seconds[f"{whose}: DAG in a model's task", models].append(worker(task))
                        seconds[f"{whose}: DAG in another task", models].append(worker("begin_run"))
                        parts = [worker(f"do {task}")]
                    else:
                        parts = [worker(f"do build.{name}.{what}") for what in ("run", "test")]
                    seconds[f"{whose}: a model and its tests", models].append(
                        {unit: sum(part[unit] for part in parts) for unit in ("wall", "cpu")}
                    )
        finally:
            for worker in workers.values():
                worker.end()
            for folder in folders.values():
                postgres.remove(folder)
    show(seconds, asked.models)


def show(seconds: dict[tuple[str, int], list[dict[str, float]]], sizes: list[int]) -> None:
    columns = [f"{models} models, {unit}" for models in sizes for unit in ("CPU s", "wall s")]
    print(f"| | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    for what in dict.fromkeys(what for what, _ in seconds):
        shown = [
            f"{statistics.median(one[unit] for one in seconds[what, models]):.2f}"
            for models in sizes
            for unit in ("cpu", "wall")
        ]
        print(f"| {what} | {' | '.join(shown)} |", flush=True)


if __name__ == "__main__":
    main()
