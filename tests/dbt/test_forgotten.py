"""After somebody was forgotten, the next run's numbers are those of a shop that never knew them."""

from __future__ import annotations

import json

import pytest

from elt.airflow.load_tasks import load_table
from elt.loading.sources_yaml import declared_tables
from elt.privacy.forget import forget
from tests.dbt.daily import DailyBuild, differences, models, rows_of

pytestmark = pytest.mark.slow


def test_totals_follow_with_the_next_run(warehouse, real_data, monkeypatch, tmp_path):
    landing = json.dumps({"conn_type": "fs", "extra": {"path": str(real_data)}})
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_SOURCE", landing)
    for table in declared_tables():
        load_table(table, run_id="a run")
    build = DailyBuild(warehouse, tmp_path / "build")
    build.parse_once()
    build()
    tables = models(build.folder)
    # somebody with several orders
    (user_id,) = warehouse.run(
        "select user_id from raw.orders group by 1 order by count(*) desc, 1 limit 1"
    )[0]
    before = warehouse.run("select sum(order_count) from marts_build.fct_user_orders")[0][0]
    orders = forget(user_id, declared_tables(), "forget").removed["raw.orders"]
    assert orders > 2
    assert not any(user_id in row for rows in rows_of(warehouse, tables).values() for row in rows)
    # whose an order was, its history does not say
    assert warehouse.run(
        "select count(*) from snapshots.orders_history"
        " where order_id not in (select order_id from raw.orders)"
    ) == [(0,)]

    build()
    assert len(build.built_whole()) > 15
    followed = rows_of(warehouse, tables)
    assert warehouse.run("select sum(order_count) from marts_build.fct_user_orders") == [
        (before - orders,)
    ]
    build("test", "--select", "test_type:singular")
    build("run", "--full-refresh")
    assert differences(followed, rows_of(warehouse, tables)) == {}
