"""What alerting costs a good run: ``python -m benchmarks.alerts [landing folder] [--pairs 4]``.

Runs with and without the connection `greenery_slack`, in turn, on one Airflow and one warehouse
(after a first run that counts for nothing), and the parts of the alert by themselves.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil

from devtools.local import postgres, services
from devtools.local.api import AirflowApi
from devtools.local.source import choose_source
from devtools.local.state_folder import ROOT, Home, environment

# of a good run Slack hears nothing; if it did, nobody would answer here
NOBODY = {"channel": "#data-alerts", "base_url": "http://127.0.0.1:9/api/"}
SLACK = {"conn_type": "slack", "password": "xoxb-none", "extra": json.dumps(NOBODY)}
# for what callbacks still do when a run has ended
AFTERWARDS_SECONDS = 5
CALLS = 50


def cpu_seconds(roots: list[psutil.Process]) -> float:
    """Return what processes, their living descendants and all whom they outlived have used."""
    family = [*roots, *(child for root in roots for child in root.children(recursive=True))]
    used = 0.0
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            used += sum(process.cpu_times()[:4])
    return used


def measure_runs(api: AirflowApi, roots: list[psutil.Process], pairs: int) -> None:
    api_run(api, roots)
    figures: dict[str, list[tuple[float, float]]] = {"without": [], "with": []}
    for _ in range(pairs):
        for kind, found in figures.items():
            with slack(api, kind == "with"):
                found.append(api_run(api, roots))
            print(f"{kind}: {found[-1][0]:.1f} s, {found[-1][1]:.1f} CPU s", flush=True)
    for number, unit in enumerate(("s", "CPU s")):
        without, given = (
            statistics.median(figure[number] for figure in found) for found in figures.values()
        )
        print(
            f"median of {pairs}: {without:.1f} {unit} without, {given:.1f} {unit} with: "
            f"{given - without:+.1f} {unit}, {100 * (given / without - 1):+.1f} %"
        )


def api_run(api: AirflowApi, roots: list[psutil.Process]) -> tuple[float, float]:
    """Run the DAG once and return its wall seconds and the CPU seconds of all of Airflow."""
    before = cpu_seconds(roots)
    run_id = api.trigger()
    for _ in api.follow(run_id):
        pass
    time.sleep(AFTERWARDS_SECONDS)
    run = api.call("GET", f"/dags/greenery_elt/dagRuns/{run_id}")
    if run["state"] != "success":
        raise SystemExit(f"The run {run_id} ended as {run['state']}.")
    return run["duration"], cpu_seconds(roots) - before


@contextlib.contextmanager
def slack(api: AirflowApi, is_wanted: bool) -> Iterator[None]:
    """Have the connection for as long as needed."""
    if is_wanted:
        api.call("POST", "/connections", json={"connection_id": "greenery_slack", **SLACK})
    yield
    if is_wanted:
        api.call("DELETE", "/connections/greenery_slack")


def measure_parts() -> None:
    """Time what a good run does for the alert, in a process that has the run's environment."""
    from elt.airflow.alerts import notify_of_good_run, warn_without_slack
    from elt.airflow.dbt_tasks import manifest_path
    from elt.alerting.record_results import record_dbt_results
    from elt.warehouse.migrate import migrate

    # as in a run both are there already
    migrate()
    manifest_path()

    logging.disable(logging.INFO)
    ti = SimpleNamespace(run_id="benchmark", task_id="build", try_number=1, dag_id="greenery_elt")
    context = {"ti": ti, "run_id": ti.run_id}
    with tempfile.TemporaryDirectory() as project:
        _leave_results(Path(project))
        parts: dict[str, Callable[[], object]] = {
            "keep a model's results (each dbt task)": lambda: record_dbt_results(project, context),
            "look for a connection (once)": warn_without_slack,
            "tell of a good run (once)": lambda: notify_of_good_run(context),
        }
        for name, part in parts.items():
            part()
            walls, begun = [], time.process_time()
            for _ in range(CALLS):
                at = time.perf_counter()
                part()
                walls.append(time.perf_counter() - at)
            cpu = (time.process_time() - begun) / CALLS
            print(f"{name}: {1000 * statistics.median(walls):.1f} ms, {1000 * cpu:.1f} CPU ms")


def _leave_results(project: Path) -> None:
    """Leave results as dbt does: a model and its ten tests."""
    target = project / "target"
    target.mkdir()
    names = ["model.greenery.fct_orders", *(f"test.greenery.t{i}.a" for i in range(10))]
    results = [{"unique_id": name, "status": "pass", "execution_time": 0.1} for name in names]
    (target / "run_results.json").write_text(json.dumps({"results": results}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("landing", nargs="?", help="default: demo data")
    parser.add_argument("--pairs", type=int, default=4, help="of runs; 0: the parts alone")
    parser.add_argument("--parts", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.parts:
        return measure_parts()
    with tempfile.TemporaryDirectory() as folder:
        home = Home(root=ROOT, state=Path(folder))
        server = postgres.start(home.state)
        landing = choose_source(home, server, arguments.landing)
        environ = environment(home, server, landing)
        environ.pop("AIRFLOW_CONN_GREENERY_SLACK", None)
        environ["AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE"] = "False"
        environ["AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME"] = "0.1"
        try:
            services.migrate_metadata(environ, home)
            if arguments.pairs:
                services.start(home, environ, landing)
                api = AirflowApi(home.url)
                api.wait_for_dag()
                measure_runs(api, [*services.running(home).values()], arguments.pairs)
            environ["AIRFLOW_CONN_GREENERY_SLACK"] = json.dumps(SLACK)
            parts = [sys.executable, "-m", "benchmarks.alerts", "--parts"]
            subprocess.run(parts, cwd=ROOT, env=environ, check=True)
        finally:
            services.stop(home)
            postgres.remove(home.state)


if __name__ == "__main__":
    main()
