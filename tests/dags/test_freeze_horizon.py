"""The task that freezes a run's horizon, as it runs."""

from __future__ import annotations

import pytest

from elt.airflow import run_tasks
from elt.warehouse import lease
from elt.warehouse.connection import transaction


@pytest.mark.parametrize("full_refresh", [True, False])
def test_each_run_deletes_results_that_nobody_asks_for(warehouse, monkeypatch, full_refresh):
    context = {"run_id": "a run", "params": {"full_refresh": full_refresh}}
    monkeypatch.setattr(run_tasks, "get_current_context", lambda: context)
    with transaction("loader") as cursor:
        lease.take(cursor, "a run")
        for minute in (1, 2):
            cursor.execute(
                "insert into ops.node_result"
                " (run_id, task_id, try_number, unique_id, kind, status, finished_at)"
                " values (%s, 'a task', 1, 'test.a', 'test', 'pass', now() - interval '200 days')",
                (f"run {minute}",),
            )
    assert run_tasks.freeze_horizon.function() is True
    assert warehouse.run("select run_id from ops.node_result") == [("run 2",)]
