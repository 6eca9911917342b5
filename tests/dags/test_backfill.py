"""An Airflow backfill is refused in words, and changes nothing."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from airflow.sdk.api.datamodels._generated import DagRunType
from airflow.sdk.exceptions import AirflowFailException

from elt.airflow import run_tasks


@pytest.fixture
def backfill(monkeypatch):
    dag_run = SimpleNamespace(run_type=DagRunType.BACKFILL)
    context = {"run_id": "backfill__1", "dag_run": dag_run, "params": {"full_refresh": []}}
    monkeypatch.setattr(run_tasks, "get_current_context", lambda: context)


def test_it_says_what_to_do_instead_and_takes_no_lease(warehouse, backfill):
    with pytest.raises(AirflowFailException, match=r"no backfill.*touch it.*DAY=.*full_refresh"):
        run_tasks.begin_run.function()
    assert warehouse.run("select * from ops.run_lease") == []


def test_its_end_leaves_the_run_that_is_at_work_alone(warehouse, backfill):
    with run_tasks.transaction("loader") as cursor:
        run_tasks.lease.take(cursor, "the daily run")
    log = "insert into raw.change_log values (1, 'orders', 'delete', '{}')"
    warehouse.run(log)
    run_tasks.end_run.function()
    assert warehouse.run("select run_id, released_at from ops.run_lease") == [
        ("the daily run", None)
    ]
    assert warehouse.run("select count(*) from raw.change_log") == [(1,)]
    assert warehouse.run("select * from marts.data_status") == []
