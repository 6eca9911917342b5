"""Airflow's processes on this machine: start, wait until healthy, stop."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil

from include.local import processes
from include.local.home import Home, port_is_taken

COMPONENTS = {
    "api-server": [],
    # its log server would listen on every interface; the API server reads the files itself
    "scheduler": ["--skip-serve-logs"],
    "dag-processor": [],
}
START_TIMEOUT = 120


class ServicesError(Exception):
    """Airflow can't be started; the message says where to look."""


def migrate_metadata(environment: dict[str, str], home: Home) -> None:
    """Make or upgrade Airflow's own database, once per version of Airflow."""
    from importlib.metadata import version

    mark = home.airflow / "migrated-to"
    if mark.exists() and mark.read_text() == version("apache-airflow"):
        return
    home.airflow.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [*_airflow(), "db", "migrate"], env=environment, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise ServicesError(f"Airflow's database can't be made:\n{done.stderr[-2000:]}")
    mark.write_text(version("apache-airflow"))


def start(home: Home, environment: dict[str, str], source: str) -> None:
    """Start scheduler, API server and DAG processor, and wait until all are healthy.

    ``source`` is what this Airflow loads from, kept for those who ask while it is up; no password.

    Raises:
        ServicesError: if the port is taken or a process ends or is not healthy in time.
    """
    if running(home):
        raise ServicesError(f"Airflow is running already at {home.url}. `make down` stops it.")
    if port_is_taken(home.port):
        raise ServicesError(
            f"Port {home.port} is taken by another program. Stop it, or choose another port: "
            f'change "airflow_port" in {home.state / "settings.json"}.'
        )
    _source_file(home).write_text(source)
    started = {}
    for component, arguments in COMPONENTS.items():
        command = [*_airflow(), component, *arguments]
        started[component] = processes.spawn(command, home.root, _log(home, component), environment)
        _pids(home).write_text(json.dumps(started))
    try:
        _wait_until_healthy(home)
    except BaseException:
        stop(home)
        raise


def stop(home: Home) -> bool:
    """Stop what `start` started, and all its children. Return whether anything was running."""
    alive = running(home)
    processes.end([*alive.values()])
    _pids(home).unlink(missing_ok=True)
    return bool(alive)


def is_up(home: Home) -> bool:
    """Tell whether all of Airflow is alive; a part of it alone is ended."""
    alive = running(home)
    if 0 < len(alive) < len(COMPONENTS):
        stop(home)
        return False
    return bool(alive)


def source(home: Home) -> str:
    """Return the URL of what the Airflow that is up loads from."""
    return _source_file(home).read_text()


def running(home: Home) -> dict[str, psutil.Process]:
    """Return our processes that are alive, by component."""
    if not _pids(home).exists():
        return {}
    born = json.loads(_pids(home).read_text())
    found = {component: processes.alive(*one) for component, one in born.items()}
    return {component: process for component, process in found.items() if process}


def _airflow() -> list[str]:
    return [sys.executable, "-m", "airflow"]


def _source_file(home: Home) -> Path:
    return home.airflow / "source"


def _pids(home: Home) -> Path:
    return home.airflow / "processes.json"


def _log(home: Home, component: str) -> Path:
    return home.logs / f"{component}.log"


def _wait_until_healthy(home: Home) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    parts = {"metadatabase", "scheduler", "dag_processor"}
    while time.monotonic() < deadline:
        alive = running(home)
        for component in COMPONENTS:
            if component not in alive:
                tail = processes.last_lines(_log(home, component))
                raise ServicesError(f"Airflow's {component} ended at once. Its log ends:\n{tail}")
        try:
            health = httpx.get(
                f"{home.url}/api/v2/monitor/health", timeout=5, trust_env=False
            ).json()
            if all((health.get(part) or {}).get("status") == "healthy" for part in parts):
                return
        except (httpx.HTTPError, json.JSONDecodeError):
            pass
        time.sleep(0.2)
    raise ServicesError(
        f"Airflow is not healthy after {START_TIMEOUT} s. Its logs are in {home.logs}."
    )
