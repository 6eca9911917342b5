"""What Airflow says of a DAG's runs, asked from within a task."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True)
class RunSeen:
    """A run as Airflow knows it. Times are UTC."""

    run_id: str
    # queued, running, success, failed
    state: str
    started_at: datetime | None
    ended_at: datetime | None
    # when a scheduled run was due; None for a run that somebody started
    due_at: datetime | None = None


class Runs(Protocol):
    """The runs of one DAG."""

    def ids(self) -> list[str]:
        """Return the ids of all runs that Airflow remembers."""

    def look(self, run_id: str) -> RunSeen | None:
        """Return a run, or None if it is gone meanwhile."""

    def task_states(self, run_id: str) -> dict[str, str] | None:
        """Return task id → state of a run."""


class RunsFromTask:
    """The runs of another DAG, asked for by a running task."""

    def __init__(self, ti: Any, dag_id: str, first_task: str) -> None:
        """``first_task``: a task that every run has; to ask for all of them would be much."""
        self._ti = ti
        self._dag_id = dag_id
        self._first_task = first_task

    def ids(self) -> list[str]:
        return list(self._ti.get_task_states(dag_id=self._dag_id, task_ids=[self._first_task]))

    def look(self, run_id: str) -> RunSeen | None:
        # Airflow offers tasks no public way to more than the state
        from airflow.sdk.execution_time.comms import DagRunResult, GetDagRun
        from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

        found = SUPERVISOR_COMMS.send(GetDagRun(dag_id=self._dag_id, run_id=run_id))
        if not isinstance(found, DagRunResult):
            return None
        is_scheduled = found.run_type == "scheduled"
        return RunSeen(
            run_id=run_id,
            state=str(getattr(found.state, "value", found.state)),
            started_at=found.start_date,
            ended_at=found.end_date,
            due_at=found.data_interval_end if is_scheduled else None,
        )

    def task_states(self, run_id: str) -> dict[str, str] | None:
        states = self._ti.get_task_states(dag_id=self._dag_id, run_ids=[run_id]).get(run_id)
        return None if states is None else {task: str(state) for task, state in states.items()}
