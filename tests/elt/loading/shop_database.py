"""A shop's own Postgres for tests: a database beside the warehouses, with a log-in to read it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import psycopg2

from elt.loading.contract import Column, Table
from elt.loading.database.load_tables import DatabaseLoader, load_with_all
from elt.loading.database.source import Database
from elt.loading.load_context import Clock
from elt.loading.load_log import LoadResult
from elt.warehouse import connection
from tests.support.warehouse import as_admin

from .conftest import NOW, Shop, no_sleep

READER = "shop_reader"
PASSWORD = "kept-to-itself"
ORDERS = Table(
    "orders",
    (Column("order_id", "text"), Column("status", "text"), Column("cost", "numeric")),
    primary_key=("order_id",),
    load="delta",
    change_key=("order_id",),
)
EVENTS = Table(
    "events",
    (Column("event_id", "text"), Column("kind", "text"), Column("created_at", "timestamptz")),
    primary_key=("event_id",),
    load="delta",
    change_key=("event_id",),
    cursor="created_at",
    overlap="1 hour",
)
USERS = Table(
    "users",
    (Column("user_id", "text"), Column("email", "text", is_personal=True)),
    primary_key=("user_id",),
    load="full_snapshot",
    change_key=("user_id",),
)
TABLES = (ORDERS, EVENTS, USERS)
SCHEMA = """
create table orders (order_id varchar(20) primary key, status text, cost numeric(10, 2));
create table events (event_id text primary key, kind text, created_at timestamptz);
create table users (user_id text primary key, email text);
grant usage on schema public to shop_reader;
grant select on all tables in schema public to shop_reader;
"""


@dataclass
class ShopDatabase:
    """The shop's database, and loads of it into the warehouse of a ``Shop``."""

    shop: Shop
    server: Any
    name: str
    runs: list[str] = field(default_factory=list)

    @property
    def database(self) -> Database:
        return Database("127.0.0.1", self.server.port, self.name, "public", READER, PASSWORD)

    def connect(self) -> Any:
        # as programs of the shop's own do, which have their tables in public
        return psycopg2.connect(self.server.url("postgres", self.name))

    def run(self, statement: str, values: Any = None) -> list[tuple]:
        with contextlib.closing(self.connect()) as connection, connection:
            with connection.cursor() as cursor:
                cursor.execute(statement, values)
                return cursor.fetchall() if cursor.description else []

    def loader(self, run_id: str, **changes: Any) -> DatabaseLoader:
        settings = {
            "database": self.database,
            "transaction": partial(connection.transaction, "loader"),
            "run_id": run_id,
            "clock": Clock(lambda: NOW, no_sleep),
        }
        return DatabaseLoader(**(settings | changes))

    def load(
        self, wanted: str, tables: Sequence[Table] = TABLES, run_id: str | None = None, **changes
    ) -> LoadResult:
        """Load as the task of a table does, in a run of its own if none is named."""
        self.runs.append(run_id or f"run {len(self.runs)}")
        named = {table.name: table for table in tables}
        return load_with_all(self.loader(self.runs[-1], **changes), named, wanted)

    def is_equal(self, table: Table) -> bool:
        """Tell whether the living rows in raw are those of the shop, its empty texts being null."""
        columns = ", ".join(f"{name}::text" for name in table.column_names)
        texts = ", ".join(f"nullif({name}::text, '')" for name in table.column_names)
        there = self.run(f"select {texts} from {table.name} order by 1")
        living = f"select {columns} from raw.{table.name} where _deleted_at is null order by 1"
        return self.shop.rows(living) == there


@contextlib.contextmanager
def shop_database(server: Any) -> Iterator[str]:
    """Yield the name of a new, empty database that the log-in ``shop_reader`` may enter."""
    name = f"shop_{os.getpid()}"
    as_admin(server, f"create database {name}", f"create role {READER} login password '{PASSWORD}'")
    try:
        yield name
    finally:
        as_admin(server, f"drop database {name} with (force)", f"drop role {READER}")
