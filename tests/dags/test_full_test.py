"""The DAG of the weekly full test, as Airflow reads it, and its own tasks as they run."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from elt.airflow import run_tasks
from elt.warehouse import lease
from elt.warehouse.connection import transaction

DAGS = Path(__file__).parents[2] / "dags"


@pytest.fixture(scope="module")
def dag():
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(DAGS / "full_test.py").dags["full_test"]


@pytest.fixture
def run(monkeypatch):
    monkeypatch.setattr(run_tasks, "get_current_context", lambda: {"run_id": "full"})


def publish_once(warehouse) -> None:
    warehouse.run(
        "insert into ops.publication (run_id, published_at, horizon_load_id, rows_inserted,"
        " rows_updated, rows_deleted, tables) values ('a run', now(), 1, 0, 0, 0, '{}')"
    )


def test_it_runs_weekly_once_at_a_time_and_raises_the_alarm(dag):
    assert dag.timetable.summary == "7 12 * * 0"
    assert dag.catchup is False
    assert dag.max_active_runs == 1
    assert dag.has_on_failure_callback
    assert dag.tags == {"greenery"}
    for word in ("What", "When", "Rerun", "Who hears"):
        assert f"**{word}**" in dag.doc_md


def test_its_tasks_have_an_owner_retries_a_timeout_and_an_alert(dag):
    assert len(dag.tasks) == 4
    for task in dag.tasks:
        assert task.owner == "data-platform"
        assert task.retries >= 1
        assert timedelta() < task.execution_timeout <= timedelta(hours=1)
        assert task.has_on_failure_callback


def test_it_tests_on_all_rows_between_taking_the_lease_and_giving_it_back(dag):
    test = dag.get_task("test_everything")
    assert test.env == {"GREENERY_TEST_EVERYTHING": "1"}
    assert test.upstream_task_ids == {"begin_full_test"}
    assert test.downstream_task_ids == {"verify_marts"}
    assert dag.get_task("verify_marts").downstream_task_ids == {"end_full_test"}
    assert dag.get_task("end_full_test").is_teardown


def test_it_waits_for_a_run_that_is_at_work(warehouse, run, dag):
    publish_once(warehouse)
    with transaction("loader") as cursor:
        lease.take(cursor, "daily")
    with pytest.raises(lease.LeaseHeldError, match="The run daily has been at work"):
        run_tasks.begin_full_test.function()
    task = dag.get_task("begin_full_test")
    assert task.retries * task.retry_delay == timedelta(hours=1)


def test_it_has_the_warehouse_to_itself_until_it_ends(warehouse, run):
    publish_once(warehouse)
    run_tasks.begin_full_test.function()
    state = "select run_id, released_at is not null from ops.run_lease"
    assert warehouse.run(state) == [("full", False)]
    run_tasks.end_full_test.function()
    assert warehouse.run(state) == [("full", True)]


def test_it_is_skipped_where_nothing_was_ever_published(warehouse, run):
    with pytest.raises(AirflowSkipException, match="Nothing was ever published"):
        run_tasks.begin_full_test.function()
