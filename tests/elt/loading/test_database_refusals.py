"""What a shop's database can get wrong: in words, without its data and without secrets."""

from __future__ import annotations

import dataclasses
import logging
import traceback

import psycopg2
import pytest

from elt.errors import SourceError, SourceUnreachableError
from elt.loading.contract import Column
from elt.loading.database import copy_between_servers, load_tables
from elt.loading.database.source import open_snapshot
from elt.loading.database.source_table import takes

from .shop_database import EVENTS, ORDERS, PASSWORD, USERS, ShopDatabase

SECRET = "plant4711lover"
TAIL = "Nothing of this table was loaded"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param("drop table orders", r"is not there\.", id="no table"),
        pytest.param(
            "alter table orders drop column status, drop column cost",
            r"lacks the columns `status`, `cost`\.",
            id="no columns",
        ),
        pytest.param(
            "revoke select on orders from shop_reader",
            "may not be read by the log-in shop_reader.* Grant it select",
            id="no right to the table",
        ),
        pytest.param(
            "revoke usage on schema public from public, shop_reader",
            "may not be read by the log-in shop_reader",
            id="no right to the schema",
        ),
        pytest.param(
            "alter table orders enable row level security",
            "or not all of its rows.* needs bypassrls",
            id="rows hidden",
        ),
        pytest.param(
            "alter table orders alter column cost type text",
            "has the type text for the column `cost`, which does not always fit into numeric",
            id="another type",
        ),
    ],
)
def test_a_table_that_does_not_fit_its_contract_is_refused(
    database: ShopDatabase, change: str, words: str
):
    database.run(change)
    with pytest.raises(SourceError, match=rf"public\.orders .*{words}.*{TAIL}"):
        database.load("orders", [ORDERS])
    assert database.shop.rows("select status from ops.load") == [("failed",)]
    assert database.shop.rows("select to_regclass('raw.orders')") == [(None,)]


@pytest.mark.parametrize("is_first", [True, False], ids=["first load", "later load"])
@pytest.mark.parametrize(
    ("rows", "words"),
    [
        pytest.param(
            f"('{SECRET}', 'x'), ('{SECRET}', 'y')",
            r"a key \(`user_id`\) is there twice",
            id="twice",
        ),
        pytest.param(f"(null, '{SECRET}')", "`user_id` is null or empty in a row", id="null"),
        pytest.param(f"('', '{SECRET}')", "`user_id` is null or empty in a row", id="empty"),
    ],
)
def test_a_row_without_a_key_of_its_own_is_refused(
    database: ShopDatabase, is_first, rows, words, caplog
):
    caplog.set_level(logging.DEBUG)
    database.run("alter table users drop constraint users_pkey")
    database.run("alter table users alter column user_id drop not null")
    if not is_first:
        database.run("insert into users values ('a', 'a')")
        database.load("users", [USERS])
    before = database.shop.rows("select count(*) from ops.load")[0][0]
    database.run(f"insert into users values {rows}")
    with pytest.raises(SourceError, match=words) as refusal:
        database.load("users", [USERS])
    said = "".join(traceback.format_exception(refusal.value)) + caplog.text
    said += str(database.shop.rows("select * from ops.load"))
    assert SECRET not in said
    assert database.shop.rows("select count(*) from ops.load") == [(before + 1,)]


@pytest.mark.parametrize("is_first", [True, False], ids=["first load", "later load"])
@pytest.mark.parametrize(
    ("table", "row", "column"),
    [
        pytest.param(EVENTS, "('7', 'x', 'infinity')", "created_at", id="instant"),
        pytest.param(EVENTS, "('7', 'x', '0044-03-15 BC')", "created_at", id="before our era"),
    ],
)
def test_an_instant_that_is_not_finite_is_refused(
    database: ShopDatabase, table, row, column, is_first
):
    if not is_first:
        database.load(table.name, [table])
    database.run(f"insert into {table.name} values {row}")
    words = f"`{column}` of a row is infinite, or of no year from 1 to 9999"
    with pytest.raises(SourceError, match=rf"public\.{table.name}.*{words}.*{TAIL}"):
        database.load(table.name, [table])
    database.run(f"delete from {table.name}")
    database.load(table.name, [table])
    assert database.is_equal(table)


@pytest.mark.parametrize(
    ("data_type", "source_type", "fits"),
    [
        ("text", "bytea", True),
        ("integer", "smallint", True),
        ("integer", "bigint", False),
        ("numeric", "integer", True),
        ("numeric", "double precision", False),
        ("timestamptz", "timestamp without time zone", True),
        ("date", "timestamp with time zone", False),
        ("jsonb", "json", True),
    ],
)
def test_a_type_is_taken_if_no_value_can_be_lost(data_type, source_type, fits):
    assert takes(data_type, source_type) is fits


def test_types_that_fit_arrive_with_their_values(database: ShopDatabase):
    database.run(
        "create type mood as enum ('sunny'); create domain kilo as numeric(6, 2); "
        "create table things (id uuid, mood mood, weight kilo, at timestamp, bits int2, doc json); "
        "grant select on things to shop_reader; insert into things values "
        "('299ec70d-f1e7-4807-9d0e-6fd86e3ebcab', 'sunny', 1.50, '2021-02-11 10:00', 3, '{}')"
    )
    types = ["text", "text", "numeric", "timestamptz", "bigint", "jsonb"]
    names = ["id", "mood", "weight", "at", "bits", "doc"]
    columns = tuple(map(Column, names, types))
    table = dataclasses.replace(ORDERS, name="things", columns=columns, primary_key=("id",))
    table = dataclasses.replace(table, change_key=())
    database.load("things", [table])
    assert database.shop.rows(
        "select id, mood, weight::text, at::text, bits, doc from raw.things"
    ) == [
        ("299ec70d-f1e7-4807-9d0e-6fd86e3ebcab", "sunny", "1.50", "2021-02-11 10:00:00+00", 3, {})
    ]


def test_a_view_and_a_partitioned_table_are_read_too(database: ShopDatabase):
    database.run(
        "alter table users rename to people; create view users as select * from people; "
        "drop table events; create table events (event_id text, kind text, created_at timestamptz) "
        "partition by list (kind); create table events_a partition of events for values in ('a'); "
        "grant select on users, events to shop_reader; "
        "insert into people values ('u', 'x'); insert into events values ('1', 'a', now())"
    )
    database.load("users")
    assert database.is_equal(USERS)
    assert database.is_equal(EVENTS)


def test_a_wrong_password_is_said_without_it(database: ShopDatabase):
    wrong = dataclasses.replace(database.database, password=SECRET)
    with pytest.raises(SourceUnreachableError, match="can't be reached as shop_reader") as error:
        with open_snapshot(wrong):
            pass
    said = "".join(traceback.format_exception(error.value)) + repr(wrong)
    assert SECRET not in said
    assert PASSWORD not in said


def test_a_server_that_is_down_is_worth_another_try(database: ShopDatabase):
    nowhere = dataclasses.replace(database.database, port=1)
    with pytest.raises(SourceUnreachableError, match=r"127\.0\.0\.1:1/shop_.*refused"):
        database.load("orders", database=nowhere)
    assert database.shop.rows("select count(*) from ops.load") == [(0,)]


def end_readers(database: ShopDatabase) -> None:
    database.run(
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'shop_reader'"
    )


def test_a_source_lost_in_the_middle_leaves_nothing_half_loaded(
    database: ShopDatabase, monkeypatch
):
    """The end of the connection must not look like the end of the table."""
    database.run("insert into users select i, repeat('x', 1000) from generate_series(1, 5000) as i")
    read = copy_between_servers._Flow.read
    seen = []

    def read_and_lose(flow, size):
        if not seen:
            end_readers(database)
        seen.append(read(flow, size))
        return seen[-1]

    with monkeypatch.context() as patch:
        patch.setattr(copy_between_servers._Flow, "read", read_and_lose)
        with pytest.raises(SourceUnreachableError, match="was lost while it was read"):
            database.load("users", [USERS])
    assert seen[0]
    loaded = "select count(*) from ops.load where table_name = 'users'"
    assert database.shop.rows(loaded) == [(0,)]
    database.load("users")
    assert database.is_equal(USERS)


def test_a_source_lost_right_after_its_rows_leaves_nothing_half_loaded(
    database: ShopDatabase, monkeypatch
):
    warn = load_tables.warn_of_unknown_columns

    def lose_and_warn(*arguments):
        end_readers(database)
        warn(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(load_tables, "warn_of_unknown_columns", lose_and_warn)
        with pytest.raises(SourceUnreachableError, match="was lost while it was read"):
            database.load("users", [USERS])
    assert database.shop.rows("select count(*) from ops.load") == [(0,)]
    database.load("users")
    assert database.is_equal(USERS)


def test_a_warehouse_that_refuses_early_ends_the_copy_and_keeps_the_snapshot(
    database: ShopDatabase,
):
    """More rows than a pipe holds still wait in the source when the first one is refused."""
    database.run("alter table users drop constraint users_pkey")
    database.run("insert into users select 'a', repeat('x', 1000) from generate_series(1, 5000)")
    database.run("insert into orders values ('a', 'x', 1)")
    with pytest.raises(SourceError, match="is there twice"):
        database.load("users", [USERS, ORDERS])
    assert database.is_equal(ORDERS)


def test_a_failure_of_neither_side_stops_the_copy(database: ShopDatabase, monkeypatch):
    """Such as Airflow's own time limit, which is raised wherever the task happens to be."""
    database.run("insert into users select i, repeat('x', 1000) from generate_series(1, 5000) as i")

    def interrupted(flow, size):
        raise KeyboardInterrupt

    monkeypatch.setattr(copy_between_servers._Flow, "read", interrupted)
    with pytest.raises((KeyboardInterrupt, psycopg2.Error)):
        database.load("users", [USERS])
    assert database.shop.rows("select count(*) from ops.load") == [(0,)]


def test_what_the_source_says_while_it_is_read_stays_inside(database: ShopDatabase, monkeypatch):
    database.run(f"insert into users values ('a', '{SECRET}')")

    def of_a_number(snapshot, table):
        return psycopg2.sql.SQL("select user_id, (email::int)::text from public.users")

    monkeypatch.setattr(load_tables, "select_of", of_a_number)
    with pytest.raises(SourceError, match=r"can't be read \(InvalidTextRepresentation\)") as error:
        database.load("users", [USERS])
    assert SECRET not in "".join(traceback.format_exception(error.value))
