"""What Airflow itself tells of a run: read once from the context, which differs by place."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import quote

from airflow.sdk.configuration import conf

log = logging.getLogger(__name__)

RunState = Literal["running", "failed", "success"]


@dataclass(frozen=True)
class Hint:
    """A run, as the callback's context has it."""

    dag_id: str
    run_id: str
    # Airflow's own: task_failure, timed_out, all_tasks_deadlocked …
    reason: str | None = None
    # one failed task, usually the last one
    task_id: str | None = None
    # task id → state; None where Airflow can't be asked
    states: Mapping[str, str] | None = None
    base_url: str = ""
    state: RunState = "failed"
    started_at: datetime | None = None
    # how long it may take, if it takes longer
    longer_than: timedelta | None = None

    @property
    def failed_tasks(self) -> set[str]:
        """The tasks that are known to have failed."""
        if self.states is None:
            return {self.task_id} if self.task_id else set()
        return {task for task, state in self.states.items() if state == "failed"}

    def is_over(self, task_id: str) -> bool:
        """Whether a task that failed once has since been cleared and done, or is held back."""
        ended = ("success", "skipped", "upstream_failed", "removed")
        return self.states is not None and self.states.get(task_id) in ended

    @property
    def run_url(self) -> str | None:
        if not self.base_url:
            return None
        return f"{self.base_url.rstrip('/')}/dags/{quote(self.dag_id)}/runs/{quote(self.run_id)}"

    def log_url(self, task_id: str) -> str | None:
        return f"{self.run_url}/tasks/{quote(task_id)}" if self.run_url else None


def read(context: Mapping[str, Any], state: RunState) -> Hint:
    """Return what a callback is told; nothing but the run's id can be relied on.

    Args:
        state: of the run. While it runs, the callback is that of a task that has just failed.
    """
    ti = context.get("ti") or context.get("task_instance")
    dag_run = context.get("dag_run")
    run_id = context.get("run_id") or getattr(dag_run, "run_id", None) or getattr(ti, "run_id", "?")
    dag_id = getattr(context.get("dag"), "dag_id", None) or getattr(ti, "dag_id", None) or "?"
    task_id = getattr(ti, "task_id", None)
    states = task_states(ti, dag_id, run_id)
    if state == "running" and states is not None and task_id:
        # Airflow hears of it when its process has ended
        states = {**states, task_id: "failed"}
    return Hint(
        dag_id=dag_id,
        run_id=run_id,
        reason=context.get("reason"),
        task_id=task_id if state != "success" else None,
        states=states,
        base_url=base_url(ti),
        state=state,
        started_at=getattr(dag_run, "start_date", None),
    )


def task_states(ti: Any, dag_id: str, run_id: str) -> dict[str, str] | None:
    """Return the state of each task of a run, or None where nobody answers."""
    try:
        states = ti.get_task_states(dag_id=dag_id, run_ids=[run_id])[run_id]
        return {task: str(state) for task, state in states.items()}
    except Exception as error:
        # `airflow dags test` runs the callback where nobody answers
        log.debug("Airflow can't be asked for the states of the tasks: %r", error)
        return None


def base_url(ti: Any) -> str:
    """Return where people see Airflow, as its own log links have it."""
    before, dags, _ = str(getattr(ti, "log_url", "")).partition("/dags/")
    return before if dags else conf.get("api", "base_url", fallback="")
