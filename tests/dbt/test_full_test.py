"""The weekly full test as Airflow runs it: it finds what the daily run does not look for."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest
from airflow.sdk.exceptions import AirflowFailException

from elt.airflow import dbt_tasks
from tests.dbt.daily import DailyBuild
from tests.dbt.daily_shop import DailyShop
from tests.dbt.landing import read_rows

pytestmark = pytest.mark.slow

DAGS = Path(__file__).parents[2] / "dags"


def test_a_published_row_that_was_changed_by_hand_is_found(
    warehouse, real_data, monkeypatch, tmp_path
):
    from airflow.dag_processing.dagbag import DagBag

    rows = read_rows(real_data)
    shop = DailyShop(DailyBuild(warehouse, tmp_path / "build"), tmp_path, monkeypatch)
    shop.build.parse_once()
    shop.landing.deliver(rows)
    shop.run()
    warehouse.run(
        "update raw.events set event_type = 'odd' where event_id = %s",
        [rows["events"][0]["event_id"]],
    )
    shop.begin()
    # Cosmos keeps the connection that it has read first in a process: another test's
    importlib.reload(dbt_tasks)
    task = DagBag(DAGS / "full_test.py").dags["full_test"].get_task("test_everything")
    ti = SimpleNamespace(
        **{"run_id": f"run {shop.runs}", "task_id": task.task_id, "try_number": 1},
        **{"dag_id": "full_test", "map_index": -1, "xcom_push": lambda **_: None},
    )
    # Cosmos leaves the task's variables in the process, which in Airflow ends with the task
    with (
        mock.patch.dict(os.environ),
        pytest.raises(AirflowFailException, match=r"stg_greenery__events\.event_type"),
    ):
        task.execute({"run_id": ti.run_id, "ti": ti, "task_instance": ti})
    results = "select unique_id from ops.node_result where task_id = %s and status = %s"
    assert len(warehouse.run(results, [task.task_id, "pass"])) > 100
    # the event is no page view any more, so its visit and the totals are not what they were
    assert sorted(
        unique_id.split(".")[2] for (unique_id,) in warehouse.run(results, [task.task_id, "fail"])
    ) == [
        "accepted_values_stg_greenery__events_event_type__"
        "page_view__add_to_cart__checkout__package_shipped",
        "assert_kpis_agree_with_staging",
        "assert_sessions_agree_with_events",
    ]
