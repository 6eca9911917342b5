"""What the shop said, and from when until when: kept whatever is run again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from elt.airflow.load_tasks import load_table
from elt.loading.sources_yaml import declared_tables
from elt.warehouse.connection import transaction
from elt.warehouse.migrate import MIGRATIONS
from tests.dbt.daily import DailyBuild, rows_of
from tests.dbt.landing import Landing
from tests.support.warehouse import ONE_AT_A_TIME, Warehouse, fresh_warehouse

ORDER = {"order_id": "o1", "user_id": "u1", "created_at": "2021-02-10T10:00Z", "order_total": 5}
FERN = {"product_id": "fern", "name": "Fern", "price": 5, "inventory": 10}
MOSS = {"product_id": "moss", "name": "Moss", "price": 3, "inventory": 20}


class Shop:
    """A shop whose deliveries are loaded at given days and seen by dbt's snapshots."""

    def __init__(self, build: DailyBuild, landing: Landing) -> None:
        self.warehouse, self.build, self.landing = build.warehouse, build, landing

    def deliver(self, day: int, tables: dict[str, list[dict]]) -> None:
        """Load a delivery as if at 01:00 UTC on a day of March 2021."""
        before = self.warehouse.run("select coalesce(max(load_id), 0) from ops.load")[0][0]
        self.landing.deliver(tables)
        for table in tables:
            self.warehouse.run(
                f"update raw.{table} set _loaded_at = %(at)s,"
                " _deleted_at = case when _deleted_at is not null then %(at)s::timestamptz end"
                " where _load_id > %(before)s;"
                "update ops.load set finished_at = %(at)s where load_id > %(before)s",
                {"at": at(day), "before": before},
            )

    def snapshot(self) -> None:
        results = self.build("build", "--select", "resource_type:snapshot")
        assert {result.status for result in results} == {"success", "pass"}

    def history(self, table: str, columns: str) -> list[tuple]:
        return self.warehouse.run(
            f"select {columns}, dbt_valid_from, dbt_valid_to from snapshots.{table}_history"
            " order by 1, dbt_valid_from"
        )

    def orders(self) -> list[tuple]:
        return self.history("orders", "order_id, order_status")

    def products(self) -> list[tuple]:
        return self.history("products", "product_id, price_usd, inventory_count, is_deleted")


def at(day: int) -> datetime:
    return datetime(2021, 3, day, 1, tzinfo=UTC)


def order(status: str, **columns: object) -> dict:
    return {**ORDER, "status": status, **columns}


@pytest.fixture(scope="module")
def build(server, tmp_path_factory) -> DailyBuild:
    """Return a build that is parsed for a database, not yet made, that each test has anew."""
    warehouse = Warehouse(server, ONE_AT_A_TIME)
    build = DailyBuild(warehouse, tmp_path_factory.mktemp("build"))
    build.parse_once()
    return build


@pytest.fixture
def shop(build, monkeypatch, tmp_path) -> Iterator[Shop]:
    with fresh_warehouse(build.warehouse.server, build.warehouse.database):
        shop = Shop(build, Landing(tmp_path / "landing", monkeypatch))
        shop.deliver(1, {**{table: [] for table in declared_tables()}, "products": [FERN, MOSS]})
        shop.deliver(1, {"orders": [order("preparing")]})
        shop.snapshot()
        yield shop


def test_a_version_lasts_from_its_load_to_the_next_ones(shop):
    shop.deliver(2, {"orders": [order("shipped")], "products": [{**FERN, "price": 6}, MOSS]})
    shop.deliver(4, {"products": [{**FERN, "price": 6}, {**MOSS, "inventory": None}]})
    shop.snapshot()
    assert shop.orders() == [("o1", "preparing", at(1), at(2)), ("o1", "shipped", at(2), None)]
    assert shop.products() == [
        ("fern", 5, 10, False, at(1), at(2)),
        ("fern", 6, 10, False, at(2), None),
        ("moss", 3, 20, False, at(1), at(4)),
        ("moss", 3, None, False, at(4), None),
    ]


def test_neither_a_second_run_nor_a_reload_nor_a_full_refresh_rewrites_history(shop):
    shop.deliver(2, {"orders": [order("shipped")], "products": [FERN, {**MOSS, "price": 4}]})
    shop.snapshot()
    before = shop.orders(), shop.products()
    assert [len(rows) for rows in before] == [2, 3]
    shop.snapshot()
    shop.deliver(3, {"orders": [order("shipped")], "products": [FERN, {**MOSS, "price": 4}]})
    shop.snapshot()
    # a column of which no history is kept
    shop.deliver(4, {"orders": [order("shipped", tracking_id="t1")]})
    shop.snapshot()
    shop.build("build", "--full-refresh", "--select", "resource_type:snapshot")
    assert (shop.orders(), shop.products()) == before


@pytest.mark.slow
def test_raw_lost_and_loaded_anew_is_no_news(shop):
    shop.deliver(2, {"orders": [order("shipped")], "products": [FERN, {**MOSS, "price": 4}]})
    shop.snapshot()
    before = shop.orders(), shop.products()
    shop.warehouse.run("drop table raw.orders, raw.products; delete from ops.load")
    for table in ("orders", "products"):
        load_table(table, run_id="anew", confirm_shrunk=[table])
    assert shop.warehouse.run("select min(_load_id) > 4 from raw.orders") == [(True,)]
    shop.snapshot()
    assert (shop.orders(), shop.products()) == before


@pytest.mark.slow
def test_a_deleted_product_has_a_version_that_says_so_and_may_come_back(shop):
    shop.deliver(2, {"products": [FERN]})
    shop.snapshot()
    shop.deliver(3, {"products": [FERN, MOSS]})
    shop.snapshot()
    assert shop.products()[1:] == [
        ("moss", 3, 20, False, at(1), at(2)),
        ("moss", 3, 20, True, at(2), at(3)),
        ("moss", 3, 20, False, at(3), None),
    ]


@pytest.mark.slow
def test_only_what_was_loaded_since_is_looked_at(shop):
    """Else each day would cost as much as the whole history."""
    shop.warehouse.run("update raw.orders set status = 'delivered'")
    shop.deliver(2, {"orders": [order("preparing", order_id="o2")]})
    shop.build("snapshot")
    assert [row[:2] for row in shop.orders()] == [("o1", "preparing"), ("o2", "preparing")]


@pytest.mark.slow
def test_a_broken_history_fails_its_tests(shop):
    shop.deliver(2, {"orders": [order("preparing", order_id=f"o{n}") for n in range(2, 6)]})
    shop.snapshot()
    shop.warehouse.run(
        """
        update snapshots.orders_history set dbt_valid_to = now() where order_id = 'o1';
        insert into snapshots.orders_history (order_id, order_status, is_deleted, dbt_valid_from)
        values ('o2', 'shipped', false, '2021-03-09Z');
        insert into snapshots.orders_history
            (order_id, order_status, is_deleted, dbt_valid_from, dbt_valid_to)
        select order_id, order_status, is_deleted, '2021-03-01Z', dbt_valid_from
        from snapshots.orders_history where order_id = 'o3';
        update raw.orders set status = 'shipped' where order_id = 'o4';
        delete from snapshots.orders_history where order_id = 'o5'
        """
    )
    results = shop.build("test", "--select", "orders_history,test_type:generic")
    told = {result.node.name: result.failures for result in results if result.status == "fail"}
    assert told == {
        # o1 has no open version, o2 two of them, o3 twice the same
        "orders_history__versions_follow_each_other": 3,
        # o1 and o5 are missing, o2 is there once too often, o4 says something else
        "orders_history__last_version_is_the_order_now": 5,
    }


@pytest.mark.slow
def test_marts_on_histories_hear_of_new_versions_and_keep_what_a_refresh_cannot_make(shop):
    durations = "marts_build.fct_order_status_durations"
    days = "marts_build.fct_inventory_daily"
    shop.build("run", "--select", "+fct_order_status_durations", "fct_inventory_daily")
    shop.deliver(2, {"orders": [order("shipped")], "products": [{**FERN, "inventory": 9}]})
    # models alone, as `dbt run` builds them: the snapshots have not seen the day yet
    shop.build("run", "--exclude-resource-type", "snapshot", "--select", f"+{durations[12:]}")
    shop.build("run", "--select", "resource_type:snapshot+")
    assert shop.build.built_whole() == set()
    assert shop.warehouse.run(
        f"select order_status, entered_at, left_at, is_current from {durations} order by 2"
    ) == [
        ("preparing", datetime(2021, 2, 10, 10, tzinfo=UTC), at(2), False),
        ("shipped", at(2), None, True),
    ]
    assert shop.warehouse.run(f"select product_id, inventory_count from {days} order by 1, 2") == [
        ("fern", 9),
        ("fern", 10),
        ("moss", 20),
    ]
    built = rows_of(shop.warehouse, [durations, days])
    shop.build("run", "--full-refresh", "--select", "+fct_order_status_durations", days[12:])
    assert rows_of(shop.warehouse, [durations, days]) == built


@pytest.mark.slow
def test_no_column_of_a_history_is_personal(shop):
    columns = shop.warehouse.run(
        "select column_name from information_schema.columns where table_schema = 'snapshots'"
    )
    assert len(columns) > 10
    assert not {"user_id", "address_id", "tracking_id"} & {name for (name,) in columns}


def test_what_is_new_is_counted_before_it_is_compared(shop):
    """Statistics are older than today's load, so that Postgres would expect one row of it."""
    shop.deliver(1, {"orders": [order("preparing")]})
    shop.snapshot()
    shop.deliver(2, {"orders": [order("shipped", order_id=f"o{number}") for number in range(9)]})
    shop.warehouse.run(
        "create table public.expected (rows real, page_cost text);"
        " grant insert on public.expected to transformer;"
        "create function public.note() returns event_trigger language plpgsql as $$ begin"
        " insert into public.expected select reltuples, current_setting('random_page_cost')"
        " from pg_class"
        " where oid = to_regclass('pg_temp.snapshot_news')"
        " and current_query() like '%orders_history__dbt_tmp%'; end $$;"
        "create event trigger note on ddl_command_end when tag in ('CREATE TABLE AS')"
        " execute function public.note()"
    )
    shop.snapshot()
    # and they are looked up, as few rows are
    assert shop.warehouse.run("select rows, page_cost from public.expected") == [(9, "0.11")]


def test_history_from_before_loses_its_index_of_hashes(shop):
    indexed = (
        "select attname from pg_index inner join pg_attribute on attrelid = indexrelid"
        " where indrelid = 'snapshots.orders_history'::regclass order by 1"
    )
    shop.warehouse.run("create index on snapshots.orders_history (dbt_scd_id)")
    assert ("dbt_scd_id",) in shop.warehouse.run(indexed)
    (migration,) = MIGRATIONS.glob("*_versions_found_by_their_key.sql")
    with transaction("loader") as cursor:
        cursor.execute(migration.read_text())
    assert shop.warehouse.run(indexed) == [("load_id",), ("order_id",)]
