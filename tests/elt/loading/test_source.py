"""The shop's own Postgres as the source: what arrives, and what is read again."""

from __future__ import annotations

import dataclasses
import threading

import psycopg2
import pytest

from elt.errors import SourceError
from elt.loading.contract import Column
from elt.loading.database import load_tables

from .shop_database import EVENTS, ORDERS, TABLES, USERS, ShopDatabase

ROWS = """
insert into orders values ('a', 'preparing', 10.50), ('b', null, 'NaN');
insert into events values ('1', 'page_view', '2021-02-11 10:00+00'), ('2', E'a\\nb\\t"', null);
insert into users values ('u', 'u@example.com'), ('v', ''), ('w', null);
"""
LEDGER = (
    "select table_name, source_file, rows_read, watermark_from, watermark_to from ops.load "
    "where run_id = %s order by table_name"
)


def ledger(database: ShopDatabase) -> list[tuple]:
    return database.shop.warehouse.run(LEDGER, [database.runs[-1]])


def test_all_tables_arrive_as_they_are(database: ShopDatabase):
    database.run(ROWS)
    assert database.load("orders").rows_inserted == 2
    assert all(database.is_equal(table) for table in TABLES)
    assert ledger(database) == [
        (
            *("events", "postgres: public.events, by created_at"),
            *(2, None, "2021-02-11 10:00:00+00"),
        ),
        ("orders", "postgres: public.orders, whole", 2, None, None),
        ("users", "postgres: public.users, whole", 3, None, None),
    ]
    assert database.shop.rows(
        "select count(*) from raw.users inner join ops.load on table_name = 'users' "
        "where users._load_id = load.load_id"
    ) == [(3,)]


def test_what_a_read_touched_is_found_by_an_index(database: ShopDatabase):
    database.load("events", [dataclasses.replace(EVENTS, change_key=("kind",))])
    definitions = database.shop.rows("select indexdef from pg_indexes where tablename = 'events'")
    assert sorted(text.split(" USING ")[1] for (text,) in definitions) == [
        "brin (_load_id)",
        "btree (event_id)",
        "btree (kind) WHERE (kind IS NOT NULL)",
    ]


def test_a_second_read_writes_no_row(database: ShopDatabase):
    database.run(ROWS)
    database.load("orders")
    query = "select xmin::text, * from raw.users order by user_id"
    before = database.shop.rows(query)
    result = database.load("users")
    assert (result.rows_unchanged, result.rows_inserted, result.rows_updated) == (3, 0, 0)
    assert database.shop.rows(query) == before


def test_a_table_without_a_cursor_is_compared_whole(database: ShopDatabase):
    database.run(ROWS)
    database.load("orders")
    database.run(
        "update orders set status = 'shipped' where order_id = 'a'; delete from orders "
        "where order_id = 'b'; delete from users where user_id = 'v'"
    )
    orders = database.load("orders")
    assert (orders.rows_read, orders.rows_updated, orders.rows_deleted) == (1, 1, 0)
    # a snapshot knows what was deleted, a delta does not
    assert database.is_equal(USERS)
    assert database.shop.rows("select count(*) from raw.orders") == [(2,)]


def test_a_cursor_reads_what_is_new_and_an_overlap(database: ShopDatabase):
    database.run(ROWS)
    database.load("events")
    database.run(
        "insert into events values ('3', 'late by less', '2021-02-11 09:00+00'), "
        "('4', 'late by more', '2021-02-11 08:59+00'), ('5', 'new', '2021-02-12 00:00+00')"
    )
    result = database.load("events")
    # the row without a cursor value is read each time
    assert (result.rows_read, result.rows_inserted, result.rows_unchanged) == (4, 2, 2)
    assert ledger(database)[0][-2:] == ("2021-02-11 09:00:00+00", "2021-02-12 00:00:00+00")
    assert database.load("events").rows_read == 2


@pytest.mark.parametrize(
    ("data_type", "overlap", "values", "late", "reached"),
    [
        pytest.param("bigint", "10", (5, 100), (90, 89), "100", id="bigint"),
        pytest.param("numeric", "10", (5, 100), (90, 89), "100", id="numeric"),
        pytest.param(
            *("date", "1 hour", ("2021-01-01", "2021-02-03"), ("2021-02-02", "2021-02-01")),
            "2021-02-03",
            id="date",
        ),
    ],
)
def test_a_cursor_may_be_a_number_or_a_day(
    database: ShopDatabase, data_type, overlap, values, late, reached
):
    columns = (Column("event_id", "text"), Column("place", data_type))
    table = dataclasses.replace(EVENTS, columns=columns, cursor="place", overlap=overlap)
    database.run(f"alter table events add column place {data_type}")
    insert = "insert into events (event_id, place) values (%s, %s), (%s, %s)"
    database.run(insert, ["a", values[0], "b", values[1]])
    database.load("events", [table])
    assert ledger(database)[0][-1] == reached
    database.run(insert, ["seen", late[0], "too late", late[1]])
    database.load("events", [table])
    assert database.shop.rows("select event_id from raw.events where event_id > 'b'") == [("seen",)]


def test_what_was_not_committed_at_the_last_read_is_found_however_old_it_is(
    database: ShopDatabase,
):
    with database.connect() as late:
        writing = late.cursor()
        writing.execute("insert into events values ('late', 'x', '2021-02-11 10:00+00')")
        for day in range(1, 4):
            database.run(f"insert into events values ('{day}', 'x', '2021-03-0{day} 10:00+00')")
            database.load("events")
    late.commit()
    late.close()
    assert not database.is_equal(EVENTS)
    database.load("events")
    assert database.is_equal(EVENTS)
    # and then no more than the overlap is read again
    assert database.load("events").rows_read == 1


def test_an_instant_in_the_future_hides_nothing(database: ShopDatabase):
    database.run("insert into events values ('1', 'x', '2199-01-01'), ('2', 'x', '2121-02-11')")
    database.load("events")
    database.run("insert into events values ('3', 'x', now())")
    database.load("events")
    assert database.is_equal(EVENTS)


def test_a_text_that_is_empty_is_null_as_in_a_file(database: ShopDatabase):
    database.run("insert into orders values ('1', '', 1), ('2', null, 1), ('3', ' ', 1)")
    database.load("orders")
    assert database.shop.rows("select status from raw.orders order by order_id") == [
        (None,),
        (None,),
        (" ",),
    ]
    database.shop.write("orders.csv", 'order_id,status,cost\n1,"",1\n2,,1\n3, ,1\n')
    (result,) = database.shop.load(ORDERS)
    assert (result.rows_unchanged, result.rows_updated) == (3, 0)


def test_a_restored_database_is_read_whole(database: ShopDatabase):
    database.run(ROWS)
    database.load("events")
    # what a snapshot of a server that is ahead of this one would have been
    database.shop.rows(
        "update ops.load set source_snapshot = '900000000000:900000000000:', "
        "source_xid = '900000000000'"
    )
    database.run("insert into events values ('0', 'x', '2001-01-01')")
    database.load("events")
    assert database.is_equal(EVENTS)


def test_a_new_column_is_read_for_all_rows(database: ShopDatabase):
    database.run(ROWS + "alter table events add column page text default 'home'")
    database.load("events")
    with_page = dataclasses.replace(EVENTS, columns=(*EVENTS.columns, Column("page", "text")))
    database.run("insert into events values ('0', 'old', '2001-01-01', 'home')")
    database.load("events", [with_page])
    assert database.is_equal(with_page)


def test_all_tables_are_read_in_one_snapshot(database: ShopDatabase, monkeypatch):
    """What is written between the reads of two tables is seen in none of them."""
    database.run(ROWS)
    load_table = load_tables.load_table

    def and_then_a_sale(loader, snapshot, table):
        result = load_table(loader, snapshot, table)
        database.run(
            f"insert into orders values ('{table.name}', 'x', 1); "
            f"insert into users values ('{table.name}', 'x')"
        )
        return result

    monkeypatch.setattr(load_tables, "load_table", and_then_a_sale)
    database.load("users")
    assert database.shop.rows("select count(*) from raw.orders") == [(2,)]
    assert database.shop.rows("select count(*) from raw.users") == [(3,)]
    snapshots = "select count(distinct source_snapshot::text) from ops.load"
    assert database.shop.rows(snapshots) == [(1,)]


def test_a_run_reads_once_and_its_other_tasks_find_their_tables(database: ShopDatabase):
    database.run(ROWS)
    first = {name: database.load(name, run_id="one") for name in ("users", "orders", "events")}
    assert database.shop.rows("select count(*) from ops.load") == [(3,)]
    assert first["orders"].rows_inserted == 2
    again = database.load("orders", run_id="two")
    assert again.rows_unchanged == 2
    assert database.shop.rows("select count(*) from ops.load") == [(6,)]


def test_tasks_at_the_same_time_wait_for_the_one_that_reads(database: ShopDatabase):
    database.run(ROWS)
    results = {}

    def task(name: str) -> None:
        results[name] = database.load(name, run_id="one")

    tasks = [threading.Thread(target=task, args=(table.name,)) for table in TABLES]
    for each in tasks:
        each.start()
    for each in tasks:
        each.join(60)
    assert {name: result.rows_inserted for name, result in results.items()} == {
        "orders": 2,
        "events": 2,
        "users": 3,
    }
    assert database.shop.rows("select count(*) from ops.load") == [(3,)]


def test_a_run_that_begins_again_reads_again(database: ShopDatabase):
    database.run(ROWS)
    first = database.load("orders", run_id="one")
    last = database.shop.rows("select max(load_id) from ops.load")[0][0]
    tables = {table.name: table for table in TABLES}
    loader = database.loader("one")
    since = load_tables.load_with_all(loader, tables, "orders", since=last)
    assert since.load_id > first.load_id
    assert load_tables.load_with_all(loader, tables, "orders", since=last) == since


def test_a_refused_table_stops_only_itself_until_its_own_task_reads_all_again(
    database: ShopDatabase,
):
    database.run(ROWS + "alter table orders rename column cost to price")
    assert database.load("events", run_id="one").rows_inserted == 2
    with pytest.raises(SourceError, match=r"public\.orders .*lacks the column `cost`"):
        database.load("orders", run_id="one")
    database.run(
        "alter table orders rename column price to cost; insert into users values ('x', 'x')"
    )
    assert database.load("orders", run_id="one").rows_inserted == 2
    assert database.load("users", run_id="one").rows_inserted == 1
    assert all(database.is_equal(table) for table in TABLES)


def test_a_snapshot_that_lost_most_of_its_rows_must_be_confirmed(database: ShopDatabase):
    database.run(ROWS)
    database.load("users", [USERS])
    database.run("delete from users where user_id <> 'u'")
    with pytest.raises(SourceError, match="only 1 of the 3 living rows"):
        database.load("users", [USERS])
    assert database.load("users", [USERS], confirm_shrunk=["users"]).rows_deleted == 2


def test_a_lost_turn_is_noticed_before_another_table_is_written(
    database: ShopDatabase, monkeypatch
):
    database.run(ROWS)
    load_table = load_tables.load_table

    def and_then_lose_the_turn(loader, snapshot, table):
        result = load_table(loader, snapshot, table)
        database.shop.rows(
            "select pg_terminate_backend(pid) from pg_locks "
            "where relation = 'ops.source'::regclass and mode = 'ShareUpdateExclusiveLock'"
        )
        return result

    monkeypatch.setattr(load_tables, "load_table", and_then_lose_the_turn)
    with pytest.raises(psycopg2.OperationalError):
        database.load("orders")
    assert database.shop.rows("select table_name from ops.load") == [(ORDERS.name,)]


def test_a_column_that_no_contract_names_is_told_once(database: ShopDatabase, caplog):
    database.run(ROWS + "alter table users add column shoe_size int")
    for _ in range(2):
        database.load("users")
    assert caplog.text.count("shoe_size") == 1
    told = database.shop.rows("select table_name, kind, detail from ops.load_warning")
    assert told == [("users", "unknown_column", "shoe_size")]
    assert database.is_equal(USERS)


@pytest.mark.parametrize("is_first", [True, False], ids=["first load", "later load"])
def test_a_forgotten_person_does_not_come_back(database: ShopDatabase, is_first):
    if not is_first:
        database.load("users")
    database.run(ROWS)
    database.shop.rows(
        "insert into ops.erased (table_name, column_name, value_sha256) "
        "values ('users', 'user_id', encode(sha256('u'), 'hex'))"
    )
    result = database.load("users")
    assert (result.rows_read, result.rows_inserted, result.rows_unchanged) == (3, 2, 1)
    assert database.shop.rows("select user_id from raw.users order by 1") == [("v",), ("w",)]
