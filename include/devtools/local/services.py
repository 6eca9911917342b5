"""Airflow's processes on this machine: start, wait until healthy, stop."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
import psutil

from devtools.local import processes
from devtools.local.processes import Started
from devtools.local.state_folder import Home, port_is_taken
from elt.docker.environment import write_private
from elt.errors import EltError

SLACK = "AIRFLOW_CONN_GREENERY_SLACK"

COMPONENTS = {
    "api-server": [],
    # its log server would listen on every interface; the API server reads the files itself
    "scheduler": ["--skip-serve-logs"],
    "dag-processor": [],
}
# what forks itself does once what each fork would do (config/airflow_local_settings.py)
VARIABLES = {
    "scheduler": {"GREENERY_WARM_UP": "tasks"},
    "dag-processor": {"GREENERY_WARM_UP": "dags"},
}
# of an Airflow that is there for runs asked for one by one: to look for what can go on next every
# second would add up to half a minute, and no DAG is read again but where it is asked for
FOR_ONE_RUN = {
    "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
}
# a busy machine may take long; what ends is noticed at once
START_TIMEOUT = 300


class ServicesError(EltError):
    """Airflow can't be started, or has ended; the message says where to look."""


@dataclass(frozen=True)
class Purpose:
    """What an Airflow was started for. No secret is in it."""

    # the URL of what it loads from, without log-in and password
    source: str
    # whether runs come by themselves
    schedule: bool
    # a hash of the connection to Slack
    slack: str


def purpose(environment: Mapping[str, str], source: str) -> Purpose:
    """Return what an Airflow with this environment is for."""
    schedule = environment.get("AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE", "True") != "False"
    slack = environment.get(SLACK, "")
    return Purpose(source, schedule, hashlib.sha256(slack.encode()).hexdigest()[:16])


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

    What an earlier start has left is ended first. ``source`` is what this Airflow loads from, kept
    for those who ask while it is up; no password.

    Raises:
        ServicesError: if the port is taken or a process ends or is not healthy in time.
    """
    if up(home):
        raise ServicesError(f"Airflow is running already at {home.url}. `make down` stops it.")
    stop(home)
    if port_is_taken(home.port):
        raise ServicesError(
            f"Port {home.port} is taken by another program. Stop it, or choose another port: "
            f'change "airflow_port" in {home.state / "settings.json"}.'
        )
    started: dict[str, Started] = {}
    try:
        for component, arguments in COMPONENTS.items():
            command = [*_airflow(), component, *arguments]
            log = _log(home, component)
            variables = {**environment, **VARIABLES.get(component, {})}
            started[component] = processes.spawn(command, home.root, log, variables)
            _remember(home, started, purpose(environment, source))
        _wait_until_healthy(home)
    except BaseException:
        stop(home)
        raise


def stop(home: Home) -> bool:
    """Stop what `start` started, and all that it started. Return whether anything was running."""
    were_alive = processes.end([*_started(home).values()])
    _file(home).unlink(missing_ok=True)
    return were_alive


def up(home: Home) -> Purpose | None:
    """Return what the Airflow of this checkout was started for, if all of it is alive."""
    if ended(home) or not _started(home):
        return None
    return Purpose(**json.loads(_file(home).read_text())["purpose"])


def ended(home: Home) -> list[str]:
    """Return the components of a started Airflow that are no longer alive."""
    return [name for name in _started(home) if name not in running(home)]


def running(home: Home) -> dict[str, psutil.Process]:
    """Return the components that are alive."""
    found = {name: processes.alive(one) for name, one in _started(home).items()}
    return {name: process for name, process in found.items() if process}


def watch(home: Home) -> None:
    """Look whether Airflow goes on, while something is waited for.

    Raises:
        ServicesError: if a part of it has ended; its log's end is in the message.
    """
    if not _started(home):
        raise ServicesError("Airflow was stopped meanwhile (`make down`?).")
    for component in ended(home):
        raise ServicesError(
            f"Airflow's {component} has ended (`make down`, or it was killed or died). "
            f"Its log ends:\n{processes.last_lines(_log(home, component))}"
        )


def _remember(home: Home, started: Mapping[str, Started], what_for: Purpose) -> None:
    write_private(_file(home), json.dumps({"purpose": asdict(what_for), "processes": started}))


def _started(home: Home) -> dict[str, Started]:
    if not _file(home).exists():
        return {}
    known = json.loads(_file(home).read_text())
    return {name: Started(*one) for name, one in known.get("processes", {}).items()}


def _airflow() -> list[str]:
    return [sys.executable, "-m", "airflow"]


def _file(home: Home) -> Path:
    return home.airflow / "processes.json"


def _log(home: Home, component: str) -> Path:
    return home.logs / f"{component}.log"


def _wait_until_healthy(home: Home) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    parts = {"metadatabase", "scheduler", "dag_processor"}
    while time.monotonic() < deadline:
        watch(home)
        try:
            health = httpx.get(
                f"{home.url}/api/v2/monitor/health", timeout=5, trust_env=False
            ).json()
            if all((health.get(part) or {}).get("status") == "healthy" for part in parts):
                return _refuse_to_answer_to_any_name(home)
        except (httpx.HTTPError, json.JSONDecodeError):
            pass
        time.sleep(0.2)
    raise ServicesError(
        f"Airflow is not healthy after {START_TIMEOUT} s. Its logs are in {home.logs}."
    )


def _refuse_to_answer_to_any_name(home: Home) -> None:
    """Raise ServicesError if a page of anybody's could use this Airflow: it has no log-in."""
    health = f"{home.url}/api/v2/monitor/health"
    other = {"Host": "greenery.invalid"}
    if httpx.get(health, headers=other, timeout=30, trust_env=False).is_success:
        raise ServicesError(
            "Airflow answers to any name, so that a page in your browser could use it. Its plugin "
            f"config/plugins/greenery_web.py was not read: see {_log(home, 'api-server')}."
        )
