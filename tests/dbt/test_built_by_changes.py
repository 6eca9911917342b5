"""What a run builds from changes alone is what a build of the whole history gives."""

from __future__ import annotations

import pytest

from tests.dbt.daily import DailyBuild, differences, models, rows_of
from tests.dbt.landing import Landing, read_rows


@pytest.fixture
def landing(warehouse, monkeypatch, tmp_path) -> Landing:
    return Landing(tmp_path / "landing", monkeypatch)


def test_touched_keys_alone_are_made_anew_and_come_out_as_from_the_whole(
    warehouse, landing, real_data, tmp_path
):
    build = DailyBuild(warehouse, tmp_path / "build")
    build.parse_once()
    rows = read_rows(real_data)
    days = sorted(rows["events"], key=lambda row: row["created_at"])
    late, first = days[:60], days[60:]
    landing.deliver({**rows, "events": first})
    build()
    assert len(build.built_whole()) > 15

    orders, items = rows["orders"], rows["order_items"]
    bought = [row for row in first if row["event_type"] == "checkout"]
    landing.deliver(
        {
            # late ones; a visit loses an event to another one, an order its checkout
            "events": [
                *late,
                {**first[5], "session_id": first[900]["session_id"]},
                {**first[6], "session_id": "a new session"},
                {**bought[0], "order_id": bought[1]["order_id"]},
                {**bought[2], "created_at": "2021-03-01 00:00:00+00"},
            ],
            # an order changes hands, another one its cost and day, and a new one comes
            "orders": [
                {**orders[0], "user_id": orders[1]["user_id"]},
                {**orders[2], "order_total": "1.00", "created_at": "2021-03-02 00:00:00+00"},
                {**orders[3], "order_id": "a new order"},
            ],
            "order_items": [
                {**items[0], "quantity": "7"},
                {"order_id": "a new order", "product_id": items[0]["product_id"], "quantity": "2"},
            ],
            # one product gets dearer, one is gone; all others only sell from stock
            "products": [
                {**row, "inventory": "1", "price": "99" if place == 0 else row["price"]}
                for place, row in enumerate(rows["products"][:-1])
            ],
            "users": [
                {**rows["users"][0], "first_name": "Ann", "updated_at": "2022-01-01 00:00:00+00"},
                *rows["users"][2:],
            ],
            "addresses": [{**row, "state": "Ohio"} for row in rows["addresses"]],
        }
    )
    # a person is forgotten: the rows go for good, the change log says so
    warehouse.run(
        "with load as (insert into ops.load (table_name, source_file, started_at, finished_at,"
        " status, rows_deleted) values ('orders', 'forgotten', now(), now(), 'loaded', 1)"
        " returning load_id), gone as (delete from raw.orders where order_id = %s returning *)"
        " insert into raw.change_log (load_id, table_name, change, old_key) select load_id,"
        " 'orders', 'delete', jsonb_build_object('order_id', order_id, 'user_id', user_id)"
        " from load, gone",
        [orders[10]["order_id"]],
    )
    build()
    assert build.built_whole() == set()
    tables = models(build.folder)
    assert len(tables) > 15
    by_changes = rows_of(warehouse, tables)
    build("run", "--full-refresh")
    assert differences(by_changes, rows_of(warehouse, tables)) == {}


def test_nothing_new_leaves_every_row_where_it_is(warehouse, landing, real_data, tmp_path):
    build = DailyBuild(warehouse, tmp_path / "build")
    build.parse_once()
    rows = read_rows(real_data)
    landing.deliver(rows)
    build()
    build()
    before = warehouse.run("select event_id, xmin::text from marts_build.fct_events order by 1")
    landing.deliver({"events": rows["events"], "products": rows["products"]})
    build()
    after = warehouse.run("select event_id, xmin::text from marts_build.fct_events order by 1")
    assert before == after
    assert warehouse.run("select count(*) from ops.model_change") == [(0,)]
