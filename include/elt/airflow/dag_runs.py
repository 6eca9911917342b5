"""What Airflow says of a DAG's runs, asked from within a task."""

from __future__ import annotations

from typing import Any

from elt.alerting.reconcile import RunSeen


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
