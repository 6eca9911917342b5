"""A run, as Airflow's callbacks see it, and what the warehouse and Slack make of it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from devtools.fake_slack import server as fake_slack
from devtools.fake_slack.server import FakeSlack
from devtools.local.postgres import Server
from elt.transform.lineage import Lineage
from tests.support.warehouse import Warehouse, fresh_warehouse

MANIFEST = Path(__file__).with_name("manifest.json")
RUN_ID = "manual__2026-11-21T07:00:00+00:00"
AIRFLOW = "http://localhost:8080"


@dataclass
class TaskInstance:
    """What we use of Airflow's."""

    task_id: str
    try_number: int = 1
    run_id: str = RUN_ID
    dag_id: str = "greenery_elt"
    # task id → state, as Airflow's scheduler knows them; None where it can't be asked
    states: dict[str, str] | None = field(default=None, repr=False)

    @property
    def log_url(self) -> str:
        run = f"{AIRFLOW}/dags/{self.dag_id}/runs/{self.run_id}"
        return f"{run}/tasks/{self.task_id}?try_number={self.try_number}"

    def get_task_states(self, dag_id: str, run_ids: list[str]) -> dict[str, dict[str, str]]:
        if self.states is None:
            raise NameError("name 'SUPERVISOR_COMMS' is not defined")
        return dict.fromkeys(run_ids, self.states)


def task_context(
    task_id: str, try_number: int = 1, run_id: str = RUN_ID, **more: Any
) -> dict[str, Any]:
    """Return the context of a task's callback."""
    ti = TaskInstance(task_id, try_number, run_id)
    return {"ti": ti, "task_instance": ti, "run_id": ti.run_id, **more}


def run_context(
    task_id: str | None = None, states: dict[str, str] | None = None, run_id: str = RUN_ID
) -> dict[str, Any]:
    """Return the context of a callback of the DAG."""
    context = {
        "dag": SimpleNamespace(dag_id="greenery_elt"),
        "run_id": run_id,
        "reason": "task_failure",
    }
    ti = TaskInstance(task_id or "end_run", run_id=run_id, states=states)
    return context | ({"ti": ti} if task_id else {})


def write_results(project: Path, *results: dict[str, Any], name: str = "run_results.json") -> Path:
    """Leave results behind as dbt does, with the manifest beside them, and return the project."""
    target = project / "target"
    target.mkdir(exist_ok=True)
    (target / "manifest.json").write_text(MANIFEST.read_text())
    (target / name).write_text(json.dumps({"results": results}))
    return project


@pytest.fixture(scope="module")
def module_warehouse(server: Server) -> Iterator[Warehouse]:
    with fresh_warehouse(server) as fresh:
        yield fresh


@pytest.fixture
def warehouse(module_warehouse: Warehouse) -> Warehouse:
    """A warehouse in which nothing has happened yet; emptied, because a new one takes a second."""
    module_warehouse.run(
        "truncate ops.load, ops.node_result, ops.task_failure, ops.notification, ops.publication,"
        " ops.incident, ops.run_told, ops.slack_name, ops.quarantine, ops.pin, ops.override,"
        " ops.load_warning, ops.question, marts.data_status restart identity"
    )
    return module_warehouse


@pytest.fixture
def silent_warehouse(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A warehouse that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        silent = {"conn_type": "postgres", "host": "127.0.0.1", "port": port, "login": "greenery"}
        monkeypatch.setenv("AIRFLOW_CONN_GREENERY_WAREHOUSE", json.dumps(silent))
        yield


@pytest.fixture
def lineage() -> Lineage:
    return Lineage.read(MANIFEST)


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSlack]:
    """A strict Slack that a bot's connection leads to."""
    with fake_slack.running() as running:
        monkeypatch.setenv("AIRFLOW_CONN_GREENERY_SLACK", running.bot_connection())
        yield running
