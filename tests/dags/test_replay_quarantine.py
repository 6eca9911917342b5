"""The DAG that tries quarantined rows again, as Airflow reads it, and its task as it runs."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from airflow.sdk.exceptions import AirflowFailException

from elt.airflow import run_tasks
from elt.loading.sources_yaml import declared_tables

DAGS = Path(__file__).parents[2] / "dags"


@pytest.fixture(scope="module")
def dag():
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(DAGS / "replay_quarantine.py").dags["replay_quarantine"]


def test_it_runs_when_asked_once_at_a_time_and_raises_the_alarm(dag):
    assert dag.schedule is None
    assert dag.max_active_runs == 1
    assert dag.has_on_failure_callback
    assert dag.tags == {"greenery"}
    for word in ("What", "When", "Rerun", "Who hears"):
        assert f"**{word}**" in dag.doc_md


def test_its_task_has_an_owner_retries_a_timeout_and_an_alert(dag):
    (task,) = dag.tasks
    assert task.owner == "data-platform"
    assert task.retries >= 1
    assert timedelta() < task.execution_timeout <= timedelta(hours=1)
    assert task.has_on_failure_callback


def test_the_table_can_be_chosen_from_the_declared_ones_and_is_none_unless_told(dag):
    param = dag.params.get_param("table")
    assert param.value == ""
    assert param.schema["enum"] == ["", *declared_tables()]


def replay(monkeypatch, table: str) -> list[str]:
    context = {"params": {"table": table}, "run_id": "manual__1"}
    monkeypatch.setattr(run_tasks, "get_current_context", lambda: context)
    return run_tasks.replay_rows.function()


def test_its_task_replays_under_the_lease_of_its_run(warehouse, monkeypatch):
    assert replay(monkeypatch, "") == ["No row waits in quarantine."]
    assert warehouse.run("select run_id, released_at is not null from ops.run_lease") == [
        ("manual__1", True)
    ]


def test_its_task_fails_for_good_where_a_retry_is_vain(warehouse, monkeypatch):
    with pytest.raises(AirflowFailException, match="There is no table `nothing`"):
        replay(monkeypatch, "nothing")
