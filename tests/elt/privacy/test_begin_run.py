"""A run does not begin with contracts by which nobody could be forgotten."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException

from elt.airflow import run_tasks
from elt.loading.contract import Column, Table

PEOPLE = Table("people", (Column("id", "text"),), ("id",), "delta", person="id")
GOODS = Table("goods", (Column("id", "text"),), ("id",), "delta")


def test_keys_that_cannot_be_told_apart_stop_it_at_once_and_for_good(warehouse, monkeypatch):
    run = SimpleNamespace(run_type="manual")
    monkeypatch.setattr(run_tasks, "get_current_context", lambda: {"dag_run": run})
    monkeypatch.setattr(run_tasks, "declared_tables", lambda: {"people": PEOPLE, "goods": GOODS})
    with pytest.raises(AirflowFailException, match=r"`people` and `goods`.*`key_downstream`"):
        run_tasks.begin_run.function()
    assert warehouse.run("select count(*) from ops.run_lease") == [(0,)]
