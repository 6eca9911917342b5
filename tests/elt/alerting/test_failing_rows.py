from __future__ import annotations

import json
import time

import pytest

from elt.alerting import failing_rows
from elt.alerting import redact as columns
from elt.alerting.record_results import record_dbt_results
from tests.elt.alerting.conftest import MANIFEST, task_context
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
    taken = failing_rows.take(
        [(NOT_NULL, "select user_id from staging.orders where user_id is null")],
        nodes(order_id=SHOWN, user_id={}, email={}, note=SHOWN),
    )
    (failing,) = taken.values()
    assert failing["columns"] == ["order_id", "user_id", "email", "note"]
    assert len(failing["rows"]) == 5
    # of a column of text without more nobody knows what slipped into it
    assert failing["rows"][0] == ["o1", "•••", "•••", "•••"]


@pytest.mark.parametrize(
    "column",
    [{}, {"meta": {"slack_sample": False}}, {"meta": {"slack_sample": True, "pii": True}}],
    ids=["not told", "told not to", "personal"],
)
def test_a_column_is_masked_unless_it_may_be_shown(column):
    assert columns.shown_columns(UNIQUE, nodes(user_id=column)) == {"n_records"}


def test_what_a_test_calls_its_column_is_shown_if_the_column_is():
    assert "unique_field" in columns.shown_columns(UNIQUE, nodes(user_id=SHOWN))


def test_a_column_that_two_models_have_must_be_shown_by_both():
    both = {"a": {"columns": {"x": SHOWN, "y": SHOWN}}, "b": {"columns": {"x": {}}}}
    assert columns.shown_columns({"depends_on": {"nodes": ["a", "b"]}}, both) == {"y"}


def test_a_query_that_fails_is_no_reason_to_raise(warehouse):
    assert failing_rows.take([(UNIQUE, "select nonsense")], nodes()) == {}


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
    taken = failing_rows.take(tests, nodes())
    assert {name: one["rows"] for name, one in taken.items()} == {"first": [["1"]], "last": [["2"]]}


def test_all_samples_together_take_no_longer_than_they_may(orders):
    tests = [
        ({**UNIQUE, "unique_id": f"test.greenery.{i}"}, f"select {i} as n_records, pg_sleep(0.3)")
        for i in range(10)
    ]
    before = time.monotonic()
    taken = failing_rows.take(tests, nodes(), seconds=1)
    assert time.monotonic() - before < 2.5
    assert 1 <= len(taken) <= 3, "what was taken in time is kept"


def test_a_sample_that_takes_too_long_is_stopped_in_the_warehouse(orders):
    assert failing_rows.take([(UNIQUE, "select pg_sleep(30)")], nodes(), seconds=0.5) == {}
    at_work = "select count(*) from pg_stat_activity where query like '%pg_sleep(30)%as failing%'"
    at_work += " and state = 'active' and pid <> pg_backend_pid()"
    wait_until(lambda: orders.run(at_work) == [(0,)], "the end of the query", seconds=5)


def test_a_warehouse_that_hangs_is_left_without_samples(silent_warehouse):
    before = time.monotonic()
    assert failing_rows.take([(UNIQUE, "select 1")], nodes(), seconds=0.5) == {}
    assert time.monotonic() - before < 5


def test_a_sample_can_change_nothing(orders):
    changing = "select 1 from staging.orders; delete from staging.orders"
    assert failing_rows.take([(UNIQUE, changing)], nodes()) == {}
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


ORDER_NODES = {
    ORDERS: {
        "relation_name": '"staging"."shop_orders"',
        "columns": {
            "order_id": {},
            "user_id": {},
            "status": SHOWN,
            "note": SHOWN,
            "total": SHOWN,
            "ordered_at": SHOWN,
        },
        "constraints": [{"type": "primary_key", "columns": ["order_id"]}],
        "depends_on": {"nodes": ["source.shop.orders"]},
    },
    "source.shop.orders": {
        "config": {"meta": {"extract": {"primary_key": ["order_id"], "person": "user_id"}}}
    },
    "test.statuses": {
        "attached_node": ORDERS,
        "column_name": "status",
        "test_metadata": {"name": "accepted_values", "kwargs": {"values": ["shipped", "new"]}},
    },
}


@pytest.fixture
def shop_orders(warehouse):
    """Good orders, and two whose fields have moved by one: a name is where a status was."""
    warehouse.run("drop table if exists staging.shop_orders")
    warehouse.run(
        "create table staging.shop_orders as"
        " select 'o' || i as order_id, 'u' || i as user_id, 'new' as status, 'words' as note,"
        " i::numeric as total, timestamptz '2021-02-11 00:00:00+00' as ordered_at"
        " from generate_series(1, 30) as i union all values"
        " ('o31', 'u31', 'Jane Doe', '686 Waxwing Pass', -5::numeric, timestamptz '-infinity'),"
        " ('686 Waxwing Pass', 'u32', 'shipped', 'words', 'NaN', 'infinity')"
    )
    warehouse.run("grant select on staging.shop_orders to transformer")
    return warehouse


def generic(kind, column=None, unique_id="test.a", **config):
    metadata = {"name": kind, "kwargs": {}}
    named = {"unique_id": unique_id, "attached_node": ORDERS, "test_metadata": metadata}
    return {**named, "column_name": column, "config": config}


def taken(test, compiled, nodes=ORDER_NODES):
    (found,) = failing_rows.take([(test, compiled)], nodes).values()
    return found


def test_no_value_of_a_shifted_row_is_shown_that_its_column_does_not_hold(shop_orders):
    failing = taken(
        generic("holds"), "select * from staging.shop_orders where total < 0 or total = 'NaN'"
    )
    said = json.dumps(failing)
    assert "Jane" not in said
    assert "Waxwing" not in said
    assert failing["rows"] == [
        ["o31", "•••", "•••", "•••", "-5", "-infinity"],
        ["•••", "•••", "shipped", "•••", "NaN", "infinity"],
    ]


@pytest.mark.parametrize(
    ("kind", "column", "compiled", "rows"),
    [
        (
            "in_range",
            "total",
            "select total from staging.shop_orders where not total between 0 and 99",
            [["o31", "-5"], ["•••", "NaN"]],
        ),
        (
            "accepted_values",
            "status",
            "select status as value_field, count(*) as n_records from staging.shop_orders"
            " where status not in ('shipped', 'new') group by 1",
            [["o31", "•••", "1"]],
        ),
        (
            "plausible_instant",
            "ordered_at",
            "select order_id, ordered_at, 'before it all' as problem from staging.shop_orders"
            " where ordered_at = '-infinity'",
            [["o31", "-infinity", "before it all"]],
        ),
    ],
)
def test_failing_values_are_shown_with_the_key_of_their_row(
    shop_orders, kind, column, compiled, rows
):
    failing = taken(generic(kind, column), compiled)
    assert failing["columns"][:2] == ["order_id", column]
    assert sorted(failing["rows"]) == sorted(rows)
    assert failing["key"] == ["order_id"]


def test_the_rows_of_a_value_are_those_that_the_test_looks_at(shop_orders):
    only_new = generic("in_range", "total", where="status = 'new'")
    compiled = "select 7::numeric as total"
    assert taken(only_new, compiled)["rows"] == [["o7", "7"]]
    no_such = generic("in_range", "total", where="status = 'shipped'")
    assert taken(no_such, compiled)["rows"] == []


def test_a_missing_parent_is_shown_with_its_excuse_and_the_row_that_asks_for_it(shop_orders):
    failing = taken(
        generic("has_parent", "user_id"),
        "select * from (values ('u7', 'deleted'), ('u8', 'in quarantine'), ('u9', null))"
        " as v (parent_key, excuse)",
    )
    assert failing["columns"] == ["order_id", "user_id", "excuse"]
    assert sorted(failing["rows"]) == [
        ["o7", "•••", "deleted"],
        ["o8", "•••", "in quarantine"],
        ["o9", "•••", ""],
    ]
    assert failing["excuses"] == {"deleted": 1, "in quarantine": 1}


def test_a_warning_of_missing_parents_is_kept_with_what_excuses_them(shop_orders, tmp_path):
    test = generic("has_parent", "user_id") | {"tags": [], "depends_on": {"nodes": [ORDERS]}}
    target = tmp_path / "target"
    target.mkdir()
    manifest = {"nodes": {**ORDER_NODES, "test.a": test}}
    (target / "manifest.json").write_text(json.dumps(manifest))
    compiled = "select 'u7' as parent_key, 'deleted' as excuse"
    warned = {"unique_id": "test.a", "status": "warn", "failures": -1, "compiled_code": compiled}
    (target / "run_results.json").write_text(json.dumps({"results": [warned]}))
    record_dbt_results(tmp_path, task_context("build.orders"))
    ((kept,),) = shop_orders.run("select sample from ops.node_result")
    assert kept["excuses"] == {"deleted": 1}
    assert kept["rows"] == [["o7", "•••", "deleted"]]


def test_the_key_of_a_person_is_not_shown_though_it_is_the_key_of_the_row(shop_orders):
    person = {"primary_key": ["order_id"], "person": "order_id"}
    source = {"config": {"meta": {"extract": person}}}
    failing = taken(
        generic("in_range", "total"),
        "select total from staging.shop_orders where total < 0",
        {**ORDER_NODES, "source.shop.orders": source},
    )
    assert failing["rows"] == [["•••", "-5"]]


@pytest.mark.parametrize(
    ("model", "key"),
    [
        ({"config": {"unique_key": "a"}}, ("a",)),
        ({"config": {"unique_key": ["a", "b"]}}, ("a", "b")),
        ({"constraints": [{"type": "primary_key", "columns": ["b"]}]}, ("b",)),
        ({"columns": {"b": {}, "a": {}}}, ("b",)),
        ({"meta": {"extract": {"primary_key": ["c"]}}}, ("c",)),
    ],
    ids=["unique_key", "several", "constraint", "the first that is tested", "source"],
)
def test_the_key_of_a_row_is_read_from_the_yaml(model, key):
    tests = {
        f"test.{name}": {
            "attached_node": "m",
            "column_name": name,
            "test_metadata": {"name": "unique", "kwargs": {}},
        }
        for name in ("a", "b")
    }
    assert columns.key_of("m", {"m": model, **tests}) == key


def test_the_values_that_a_variable_declares_are_accepted(monkeypatch):
    declared = {"statuses": {"new": {}, "shipped": {}}}
    monkeypatch.setattr(columns, "variable", declared.get)
    kwargs = {"values": "{{ var('statuses') | list }}"}
    test = {"attached_node": "m", "column_name": "s", "test_metadata": {"kwargs": kwargs}}
    assert columns.accepted_values("m", "s", {"test.s": test}) == {"new", "shipped"}
