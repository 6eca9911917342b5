"""Placeholders and instants that can't be stop in staging, each with its column, row and file."""

from __future__ import annotations

import pytest

from elt.loading.sources_yaml import declared_tables
from tests.dbt.daily import DailyBuild
from tests.dbt.landing import Landing
from tests.project.test_order_statuses import SHOP, order, visit

pytestmark = pytest.mark.slow

WRONG = {
    "ordered_at": ["9999-12-31", "0001-01-01", "1970-01-01", "1900-01-01T00:00Z", "+1 year"],
    "delivered_at": ["9999-12-31", "1970-01-01", "2021-02-10T08:00Z", "2022-03-01", "+2 days"],
    "estimated_delivery_at": ["9999-12-31", "0001-01-01", "2021-02-08", "2022-03-01"],
}
# an order that was promised for its day, and came late; one that came at once; one of today
RIGHT = [
    {"estimated_delivery_at": "2021-02-10", "delivered_at": "2021-03-01"},
    {"delivered_at": "2021-02-10T09:00Z"},
    {"created_at": "+0 days", "estimated_delivery_at": "+300 days"},
]
RAW = {"ordered_at": "created_at"}


def test_instants_that_can_not_be_fail_in_staging_with_column_row_and_file(
    warehouse, monkeypatch, tmp_path
):
    landing = Landing(tmp_path / "landing", monkeypatch)
    landing.deliver({**{table: [] for table in declared_tables()}, **SHOP})
    build = DailyBuild(warehouse, tmp_path / "build")
    build.parse_once()
    said = {
        f"{column} {value}": (column, value) for column, rows in WRONG.items() for value in rows
    }
    right = {f"right {number}": values for number, values in enumerate(RIGHT)}
    landing.deliver(
        {
            "orders": [order(order_id, "ann", 9, "delivered", 1) for order_id in (*said, *right)],
            "events": [
                {**visit("o2", "ann", 11)[0], "event_id": "long ago", "created_at": "1970-01-01"}
            ],
        }
    )
    news = {
        order_id: {RAW.get(column, column): value} for order_id, (column, value) in said.items()
    }
    for order_id, values in {**news, **right}.items():
        for column, value in values.items():
            # past the loader, which need not take them
            at = f"_loaded_at + interval '{value}'" if value[0] == "+" else f"'{value}'"
            warehouse.run(f"update raw.orders set {column} = {at} where order_id = %s", [order_id])
    warehouse.run("update raw.orders set created_at = 'infinity' where order_id = 'o5'")
    build()
    results = build("test", "--select", "stg_greenery__orders", "stg_greenery__events")
    failed = {result.node.name: result for result in results if str(result.status) == "fail"}
    found = {}
    for result in failed.values():
        with warehouse.connect() as connection, connection.cursor() as cursor:
            cursor.execute(result.node.compiled_code)
            names = [column.name for column in cursor.description]
            found[result.node.column_name] = [dict(zip(names, row, strict=True)) for row in cursor]
    assert found.keys() == {*WRONG, "event_at"}
    file = str(tmp_path / "landing" / "orders" / "0002.csv")
    for column, values in WRONG.items():
        rows = {row["order_id"]: row for row in found[column]}
        if column == "ordered_at":
            assert rows.pop("o5")["problem"] == "not yet when it was loaded"
        assert rows.keys() == {f"{column} {value}" for value in values}
        assert all(row["source_file"] in file and row[column] for row in rows.values())
        assert {row["problem"] for row in rows.values()} >= {"not yet when it was loaded"}
    assert [(row["event_id"], row["problem"]) for row in found["event_at"]] == [
        ("long ago", "before the business began")
    ]
