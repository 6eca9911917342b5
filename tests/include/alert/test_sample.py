from __future__ import annotations

import json
import time

import pytest

from include.alert import sample
from include.alert.collect import record_dbt_results
from tests.include.alert.conftest import MANIFEST, task_context
from tests.support.waiting import wait_until

ORDERS = "model.greenery.stg_greenery__orders"
NOT_NULL = {
    "unique_id": "test.greenery.not_null_orders_user_id",
    "attached_node": ORDERS,
    "column_name": "user_id",
    "test_metadata": {"name": "not_null"},
}
UNIQUE = {**NOT_NULL, "unique_id": "test.greenery.unique", "test_metadata": {"name": "unique"}}
SHOWN = {"config": {"meta": {"slack_sample": True}}}


def nodes(**columns):
    return {ORDERS: {"relation_name": '"staging"."orders"', "columns": columns}}


@pytest.fixture
def orders(warehouse):
    warehouse.run("drop table if exists staging.orders")
    warehouse.run(
        "create table staging.orders as select 'o' || i as order_id, null::text as user_id,"
        " 'jane@example.com' as email, 'mail bob@example.com' as note"
        " from generate_series(1, 9) as i"
    )
    warehouse.run("grant select on staging.orders to transformer")
    return warehouse


def test_only_columns_whose_yaml_says_so_are_shown(orders):
    taken = sample.take(
        [(NOT_NULL, "select user_id from staging.orders where user_id is null")],
        nodes(order_id=SHOWN, user_id={}, email={}, note=SHOWN),
    )
    (failing,) = taken.values()
    assert failing["columns"] == ["order_id", "user_id", "email", "note"]
    assert len(failing["rows"]) == 5
    # an address that slipped into a column that may be shown is masked all the same
    assert failing["rows"][0] == ["o1", "•••", "•••", "mail …"]


@pytest.mark.parametrize(
    "column",
    [{}, {"meta": {"slack_sample": False}}, {"meta": {"slack_sample": True, "pii": True}}],
    ids=["not told", "told not to", "personal"],
)
def test_a_column_is_masked_unless_it_may_be_shown(column):
    assert sample.shown_columns(UNIQUE, nodes(user_id=column)) == {"n_records"}


def test_what_a_test_calls_its_column_is_shown_if_the_column_is():
    assert "unique_field" in sample.shown_columns(UNIQUE, nodes(user_id=SHOWN))


def test_a_column_that_two_models_have_must_be_shown_by_both():
    both = {"a": {"columns": {"x": SHOWN, "y": SHOWN}}, "b": {"columns": {"x": {}}}}
    assert sample.shown_columns({"depends_on": {"nodes": ["a", "b"]}}, both) == {"y"}


def test_a_query_that_fails_is_no_reason_to_raise(warehouse):
    assert sample.take([(UNIQUE, "select nonsense")], nodes()) == {}


def test_a_query_that_fails_costs_no_sample_but_its_own(orders):
    tests = [
        ({**UNIQUE, "unique_id": "first"}, "select 1 as n_records"),
        ({**UNIQUE, "unique_id": "gone"}, "select * from staging.a_table_that_is_gone"),
        (
            {**UNIQUE, "unique_id": "divides"},
            "select 1 / (n - n) as n_records from (values (1)) as v (n)",
        ),
        ({**UNIQUE, "unique_id": "last"}, "select 2 as n_records"),
    ]
    taken = sample.take(tests, nodes())
    assert {name: one["rows"] for name, one in taken.items()} == {"first": [["1"]], "last": [["2"]]}


def test_all_samples_together_take_no_longer_than_they_may(orders):
    tests = [
        ({**UNIQUE, "unique_id": f"test.greenery.{i}"}, f"select {i} as n_records, pg_sleep(0.3)")
        for i in range(10)
    ]
    before = time.monotonic()
    taken = sample.take(tests, nodes(), seconds=1)
    assert time.monotonic() - before < 2.5
    assert 1 <= len(taken) <= 3, "what was taken in time is kept"


def test_a_sample_that_takes_too_long_is_stopped_in_the_warehouse(orders):
    assert sample.take([(UNIQUE, "select pg_sleep(30)")], nodes(), seconds=0.5) == {}
    at_work = "select count(*) from pg_stat_activity where query like '%pg_sleep(30)%as failing%'"
    at_work += " and state = 'active' and pid <> pg_backend_pid()"
    wait_until(lambda: orders.run(at_work) == [(0,)], "the end of the query", seconds=5)


def test_a_warehouse_that_hangs_is_left_without_samples(silent_warehouse):
    before = time.monotonic()
    assert sample.take([(UNIQUE, "select 1")], nodes(), seconds=0.5) == {}
    assert time.monotonic() - before < 5


def test_a_sample_can_change_nothing(orders):
    changing = "select 1 from staging.orders; delete from staging.orders"
    assert sample.take([(UNIQUE, changing)], nodes()) == {}
    assert orders.run("select count(*) from staging.orders") == [(9,)]


def test_each_result_is_kept_with_its_sql_owner_tags_and_failing_rows(orders, tmp_path):
    unique_id = "test.greenery.not_null_stg_greenery__orders_user_id.a1"
    manifest = json.loads(MANIFEST.read_text())
    model = manifest["nodes"][ORDERS]
    model |= {"columns": {"order_id": SHOWN}, "relation_name": '"staging"."orders"'}
    model["config"]["meta"] = {"owner": "data-platform"}
    manifest["nodes"][unique_id] |= {"tags": ["daily"], "unique_id": unique_id}
    target = tmp_path / "target"
    target.mkdir()
    (target / "manifest.json").write_text(json.dumps(manifest))
    failed = {"unique_id": unique_id, "status": "fail", "failures": 9, "compiled_code": "select 1"}
    (target / "run_results.json").write_text(json.dumps({"results": [failed]}))
    with pytest.raises(Exception, match="9 rows"):
        record_dbt_results(tmp_path, task_context("build.orders"))
    ((compiled, owner, tags, kept),) = orders.run(
        "select compiled_sql, owner, tags, sample from ops.node_result"
    )
    assert (compiled, owner, tags) == ("select 1", "data-platform", ["daily"])
    assert kept["rows"][0][0] == "o1"
    assert "jane" not in json.dumps(kept)
