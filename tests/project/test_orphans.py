"""A child whose parent is away for a known reason warns; any other orphan is an error."""

from __future__ import annotations

import hashlib
import json

import pytest

from elt.airflow.load_tasks import load_table
from elt.loading import raw_table
from elt.loading.sources_yaml import declared_tables
from elt.warehouse.connection import transaction
from tests.project.test_build import build, run_dbt

# enough of each row for the parents of its foreign keys to be looked up
ROWS = """
    insert into raw.users (user_id, address_id, _load_id) values ('living', null, 1);
    insert into raw.addresses (address_id, _load_id) values ('living', 1);
    insert into raw.products (product_id, _load_id, _deleted_at) values
        ('living', 1, null), ('deleted', 1, now());
    insert into raw.events (event_id, user_id, product_id, order_id, _load_id) values
        ('1', 'in quarantine', 'forgotten', 'vanished 1', 1),
        ('2', 'in quarantine', 'forgotten', 'vanished 2', 1),
        ('3', 'living', 'living', 'vanished 2', 1);
    insert into raw.order_items (order_id, product_id, _load_id) values
        ('unreadable', 'deleted', 1), ('unreadable', 'living', 1);
    insert into raw.orders (order_id, user_id, promo_id, address_id, _load_id) values
        ('1', 'loaded again', 'in quarantine', 'living', 1),
        ('2', 'living', null, 'living', 1);
"""
QUARANTINED = [
    ("users", {"user_id": "in quarantine"}, None),
    # it has been loaded, so something else took it away since
    ("users", {"user_id": "loaded again"}, "replayed"),
    # one row of orders whose key nobody could read
    ("orders", None, None),
    ("products", {"promo_id": "in quarantine", "product_id": "another"}, None),
]
# the promo of an order was not: these are another table's, and another column's
FORGOTTEN = [
    ("products", "product_id", b"forgotten"),
    ("products", "promo_id", b"in quarantine"),
    ("promos", "product_id", b"in quarantine"),
]


def has_parent(results: dict[str, dict]) -> dict[str, tuple[str, int]]:
    """Return what each relationships test says, with its signed number of rows."""
    return {
        unique_id.split("__", 1)[1].rsplit(".", 1)[0]: (result["status"], result["failures"])
        for unique_id, result in results.items()
        if unique_id.split(".")[2].endswith("_exists")
    }


@pytest.fixture
def orphans(warehouse):
    with transaction("loader") as cursor:
        for table in declared_tables().values():
            raw_table.create(cursor, table)
        cursor.execute(ROWS)
        for table, key, resolution in QUARANTINED:
            cursor.execute(
                "insert into ops.quarantine (load_id, table_name, source_file, row_text, reason,"
                " row_key, resolution, resolved_at) values (1, %s, 'a.csv', '', '', %s, %s::text,"
                " case when %s::text is not null then now() end)",
                (table, json.dumps(key) if key else None, resolution, resolution),
            )
        for table, column, value in FORGOTTEN:
            cursor.execute(
                "insert into ops.erased (table_name, column_name, value_sha256)"
                " values (%s, %s, %s)",
                (table, column, hashlib.sha256(value).hexdigest()),
            )
    return warehouse


def test_only_a_parent_that_is_away_for_a_known_reason_excuses_its_children(orphans, tmp_path):
    results = run_dbt(orphans, tmp_path, "build", "--select", "staging")
    assert has_parent(results) == {
        "events__user_exists": ("warn", -2),
        "events__product_exists": ("warn", -2),
        # two orders are missing here, more than the one row that can't be read may be
        "events__order_exists": ("fail", 3),
        "order_items__order_exists": ("warn", -2),
        "order_items__product_exists": ("warn", -1),
        "orders__user_exists": ("fail", 1),
        # a row of another table in quarantine is no promo
        "orders__promo_exists": ("fail", 1),
        "orders__address_exists": ("pass", 0),
        "users__address_exists": ("pass", 0),
    }


@pytest.mark.slow
def test_rows_in_quarantine_do_not_stop_the_shop(warehouse, real_data, monkeypatch, tmp_path):
    """Whatever a row belongs to, what hangs on it is built without it, and tests warn."""
    landing = json.dumps({"conn_type": "fs", "extra": {"path": str(real_data)}})
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_SOURCE", landing)
    tables = declared_tables()
    for table in tables:
        load_table(table, run_id="a run")
    with transaction("loader") as cursor:
        cursor.execute(
            """
            create temporary table busy as
            select order_id, orders.user_id, orders.promo_id, orders.address_id
            from raw.orders inner join raw.order_items using (order_id)
            where promo_id is not null group by 1 order by count(*) desc limit 1
            """
        )
        for table in ("users", "promos", "addresses", "orders", "products", "events"):
            key = tables[table].primary_key[0]
            chosen = f"select {key} from busy"
            if table in ("products", "events"):
                # an event at the heart of a visit: its checkout, if that names the order
                source = "order_items" if table == "products" else "events"
                chosen = (
                    f"select {key} from raw.{source} where order_id = (select order_id from busy)"
                    " order by 1 limit 1"
                )
            cursor.execute(
                f"""
                with gone as (delete from raw.{table} where {key} in ({chosen}) returning {key})
                insert into ops.quarantine
                    (load_id, table_name, source_file, row_text, reason, row_key)
                select 1, '{table}', 'a.csv', '', '', jsonb_build_object('{key}', {key}) from gone
                """
            )
            assert cursor.rowcount == 1, table
    results = build(warehouse, tmp_path)
    said = has_parent(results)
    assert len(said) == 9
    assert {test for test, (status, _) in said.items() if status == "warn"} >= {
        "events__user_exists",
        "events__product_exists",
        "events__order_exists",
        "order_items__order_exists",
        "order_items__product_exists",
    }
    assert {status for status, _ in said.values()} <= {"pass", "warn"}
    assert warehouse.run("select count(*) from dev_me_marts_build.dim_users") == [(129,)]
