"""What Airflow itself tells of a failed run: read once from the context, which differs by place."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from airflow.sdk.configuration import conf

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Hint:
    """A run that failed, as the callback's context has it."""

    dag_id: str
    run_id: str
    # Airflow's own: task_failure, timed_out, all_tasks_deadlocked …
    reason: str | None = None
    # one failed task, usually the last one
    task_id: str | None = None
    # every task that failed; None where Airflow can't be asked
    failed_tasks: frozenset[str] | None = None
    base_url: str = ""

    @property
    def run_url(self) -> str | None:
        if not self.base_url:
            return None
        return f"{self.base_url.rstrip('/')}/dags/{quote(self.dag_id)}/runs/{quote(self.run_id)}"

    def log_url(self, task_id: str) -> str | None:
        return f"{self.run_url}/tasks/{quote(task_id)}" if self.run_url else None


def read(context: Mapping[str, Any]) -> Hint:
    """Return what a DAG's callback is told; nothing but the run's id can be relied on."""
    ti = context.get("ti") or context.get("task_instance")
    dag_run = context.get("dag_run")
    run_id = context.get("run_id") or getattr(dag_run, "run_id", None) or getattr(ti, "run_id", "?")
    dag_id = getattr(context.get("dag"), "dag_id", None) or getattr(ti, "dag_id", None) or "?"
    return Hint(
        dag_id=dag_id,
        run_id=run_id,
        reason=context.get("reason"),
        task_id=getattr(ti, "task_id", None),
        failed_tasks=_failed_tasks(ti, dag_id, run_id),
        base_url=_base_url(ti),
    )


def _failed_tasks(ti: Any, dag_id: str, run_id: str) -> frozenset[str] | None:
    try:
        states = ti.get_task_states(dag_id=dag_id, run_ids=[run_id])[run_id]
        return frozenset(task for task, state in states.items() if str(state) == "failed")
    except Exception as error:
        # `airflow dags test` runs the callback where nobody answers
        log.debug("Airflow can't be asked for the states of the tasks: %r", error)
        return None


def _base_url(ti: Any) -> str:
    """Return where people see Airflow, as its own log links have it."""
    before, dags, _ = str(getattr(ti, "log_url", "")).partition("/dags/")
    return before if dags else conf.get("api", "base_url", fallback="")
