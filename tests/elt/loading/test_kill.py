"""A load that is killed at any of its steps and done again ends where it would have ended."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from elt.errors import SourceUnreachableError
from elt.warehouse.connection import WarehouseUnreachableError
from tests.support.fault_points import STEPS, FaultPoints, killed_at
from tests.support.killable import KillableServer, killable_server
from tests.support.warehouse import fresh_warehouse

from .conftest import PEOPLE, VISITS, Shop, empty
from .shop_database import EVENTS, ORDERS, SCHEMA, USERS, ShopDatabase, shop_database

pytestmark = pytest.mark.slow
HEADER = "visit_id,page,seconds\n"
FEW_BAD = dataclasses.replace(VISITS, max_bad_share=0.5)
LOST = (
    psycopg2.OperationalError,
    psycopg2.InterfaceError,
    SourceUnreachableError,
    WarehouseUnreachableError,
)


def first_load(shop: Shop) -> Callable[[], object]:
    shop.write("visits.csv", HEADER + "a,home,1\nb,shop,2\n")
    return shop.load


def merge(shop: Shop) -> Callable[[], object]:
    # so many that the drop is a small one beside them
    known = "".join(f"{number},home,1\n" for number in range(100))
    shop.write("visits.csv", HEADER + "a,home,1\nb,shop,2\n" + known)
    shop.load()
    shop.write("visits/1.csv", HEADER + "a,home,1\nb,cart,3\nc,home,1\n")
    return shop.load


def snapshot(shop: Shop) -> Callable[[], object]:
    header = "person_id,email,age,updated_at\n"
    shop.write("people.csv", header + "a,x,1,2021-02-01\nb,x,1,2021-02-01\nc,x,1,2021-02-01\n")
    shop.load(PEOPLE)
    shop.write("people.csv", header + "a,y,1,2021-02-02\nb,x,1,2021-02-01\nd,x,1,2021-02-01\n")
    return lambda: shop.load(PEOPLE)


def bad_rows_at_first(shop: Shop) -> Callable[[], object]:
    shop.write("visits.csv", HEADER + "a,home,1\nb,shop,two\n,home,3\nc,home\nd,home,4\na,shop,9\n")
    return lambda: shop.load(dataclasses.replace(VISITS, max_bad_share=0.9))


def bad_rows_later(shop: Shop) -> Callable[[], object]:
    first_load(shop)()
    shop.write("visits/1.csv", HEADER + "a,cart,1\nb,shop,two\nc,home,1\nd,home,1\n")
    return lambda: shop.load(FEW_BAD)


SCENARIOS = [first_load, merge, snapshot, bad_rows_at_first, bad_rows_later]


STATE = {
    "change_log": "select c.table_name, c.change, c.old_key, c.new_key, l.source_file "
    "from raw.change_log as c left join ops.load as l using (load_id) "
    "order by c.table_name, c.change, c.old_key::text",
    "quarantine": "select table_name, source_file, line_number, row_text, reason, column_name, "
    "row_key, is_replayable, resolution, load_id in (select load_id from ops.load where status = "
    "'loaded') from ops.quarantine order by quarantine_id",
    "what loads did": "select table_name, sum(rows_inserted), sum(rows_updated), sum(rows_deleted) "
    "from ops.load group by 1 order by 1",
    "failed": "select error from ops.load where status = 'failed'",
}
# a database is read again, a file that was loaded is not
LOADS = (
    "select table_name, source_file, status, rows_read, rows_unchanged, rows_quarantined "
    "from ops.load order by load_id"
)
RAW = (
    "select to_jsonb(t) - '_loaded_at' - '_load_id' - '_deleted_at', t._deleted_at is not null, "
    "l.source_file from raw.{} as t left join ops.load as l on t._load_id = l.load_id order by 1"
)


def state(warehouse: Any, tables: list[str], *, is_file: bool = True) -> dict[str, list]:
    """Return all that must be the same, with each load id as the source it belongs to."""
    queries = STATE | {table: RAW.format(table) for table in tables}
    if is_file:
        queries["loads"] = LOADS
    with contextlib.closing(warehouse.connect()) as connection, connection.cursor() as cursor:
        found = {}
        for name, query in queries.items():
            cursor.execute(query)
            found[name] = cursor.fetchall()
    return found


def tables_of(warehouse: Any) -> list[str]:
    tables = warehouse.run(
        "select tablename from pg_tables where schemaname = 'raw' and tablename <> 'change_log'"
    )
    return [name for (name,) in tables]


def wipe(shop: Shop) -> None:
    empty(shop.warehouse)
    for file in shop.folder.glob("**/*.csv"):
        file.unlink()


@STEPS
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_load_of_files_killed_at_any_step_and_done_again(shop: Shop, scenario, step):
    scenario(shop)()
    tables = tables_of(shop.warehouse)
    expected = state(shop.warehouse, tables)
    assert any(expected[table] for table in tables)
    for fatal in itertools.count(1, step):
        wipe(shop)
        load = scenario(shop)
        was_killed = killed_at(fatal, load)
        load()
        assert state(shop.warehouse, tables) == expected, f"killed at {fatal}"
        if not was_killed:
            break
    assert fatal > 15


def first_read(database: ShopDatabase) -> Callable[[], object]:
    database.run(
        "truncate orders, events, users; insert into orders values ('a', 'new', 1); "
        "insert into events values ('1', 'x', '2021-02-11'), ('2', 'x', '2021-02-12'); "
        "insert into users values ('u', 'x'), ('v', 'x'), ('w', 'x')"
    )
    return lambda: database.load("orders", run_id="run")


def later_read(database: ShopDatabase) -> Callable[[], object]:
    first_read(database)()
    database.run(
        "update orders set status = 'shipped'; insert into events values ('3', 'x', '2021-02-13'); "
        "delete from users where user_id = 'u'; update users set email = 'y' where user_id = 'v'"
    )
    return lambda: database.load("orders", run_id="next run")


@STEPS
@pytest.mark.parametrize("scenario", [first_read, later_read])
def test_a_read_of_a_database_killed_at_any_step_and_done_again(
    database: ShopDatabase, scenario, step
):
    warehouse = database.shop.warehouse
    scenario(database)()
    tables = tables_of(warehouse)
    assert len(tables) == 3
    expected = state(warehouse, tables, is_file=False)
    for fatal in itertools.count(1, step):
        wipe(database.shop)
        load = scenario(database)
        was_killed = killed_at(fatal, load)
        load()
        assert state(warehouse, tables, is_file=False) == expected, f"killed at {fatal}"
        assert all(database.is_equal(table) for table in (ORDERS, EVENTS, USERS))
        if not was_killed:
            break
    assert fatal > 40


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KillableServer]:
    with killable_server(tmp_path_factory.mktemp("killed-postgres")) as server:
        yield server


@STEPS
@pytest.mark.parametrize("scenario", [merge, bad_rows_later, later_read])
def test_a_server_killed_at_any_step_and_started_again(
    own_server: KillableServer, tmp_path: Path, monkeypatch, scenario, step
):
    with contextlib.ExitStack() as stack:
        warehouse = stack.enter_context(fresh_warehouse(own_server.server))
        monkeypatch.setenv("AIRFLOW_CONN_GREENERY_WAREHOUSE", warehouse.airflow_connection)
        place = shop = Shop(tmp_path, warehouse)
        if is_database := scenario is later_read:
            name = stack.enter_context(shop_database(own_server.server))
            place = ShopDatabase(shop, own_server.server, name)
            place.run(SCHEMA)
        scenario(place)()
        tables = tables_of(warehouse)
        expected = state(warehouse, tables, is_file=not is_database)
        for fatal in itertools.count(1, step):
            wipe(shop)
            load = scenario(place)
            points = FaultPoints(fatal, own_server.kill)
            with points.armed(), contextlib.suppress(*LOST):
                load()
            if points.passed < fatal:
                break
            own_server.start()
            load()
            found = state(warehouse, tables, is_file=not is_database)
            assert found == expected, f"killed at {fatal}"
        assert fatal > 15
