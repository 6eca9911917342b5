"""What all tasks of dbt have in common, whichever DAG they are in."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.exceptions import AirflowFailException
from cosmos.operators.local import AbstractDbtLocalBase

from elt.airflow import dbt_events
from elt.airflow.dbt_tasks import keep_lease
from elt.transform.project import PROJECT, fingerprint
from elt.warehouse import lease
from elt.warehouse.connection import transaction

DAGS = Path(__file__).parents[2] / "dags"


def test_no_task_of_dbt_lets_dbt_write_its_own_log():
    bag = DagBag(DAGS)
    tasks = [
        task
        for dag in bag.dags.values()
        for task in dag.tasks
        if isinstance(task, AbstractDbtLocalBase)
    ]
    assert {task.dag_id for task in tasks} == {"greenery_elt", "full_test"}
    for task in tasks:
        command, _ = task.build_cmd({"run_id": "a"}, task.add_cmd_flags())
        assert command[1 : 1 + len(dbt_events.NO_LOG)] == [*dbt_events.NO_LOG]
        if task.task_id == "check_freshness":
            # the age of a source is in no event
            assert "--no-write-json" not in command
            assert task._dbt_runner_callbacks == [dbt_events.log_event]
        else:
            assert command.count("--no-write-json") == 1
            assert task._dbt_runner_callbacks == [
                *(dbt_events.log_event, dbt_events.keep_manifest, dbt_events.collect_result)
            ]


def test_what_begins_to_build_makes_the_build_another_than_what_was_published(warehouse):
    with transaction("loader") as cursor:
        lease.take(cursor, "a run")
    warehouse.run("update ops.run_lease set is_build_published = true")
    keep_lease({"run_id": "a run"}, None)
    assert warehouse.run("select is_build_published from ops.run_lease") == [(False,)]
    with pytest.raises(AirflowFailException, match="a run"):
        keep_lease({"run_id": "another"}, None)


def test_a_worker_that_has_other_models_says_so(warehouse, caplog):
    with transaction("loader") as cursor:
        lease.take(cursor, "a run")
        lease.freeze_horizon(cursor, "a run", fingerprint(PROJECT))
    keep_lease({"run_id": "a run"}, None)
    assert caplog.text == ""
    warehouse.run("update ops.run_lease set project = 'of a newer image'")
    keep_lease({"run_id": "a run"}, None)
    assert "is not the one that this run began with" in caplog.text
