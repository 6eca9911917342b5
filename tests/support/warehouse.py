"""Warehouses for tests: real databases on a real server, one for each test."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from psycopg2 import sql

from devtools.local.postgres import Server
from elt.warehouse.bootstrap import prepare
from elt.warehouse.migrate import migrate

TEMPLATE = "greenery_template"
CONNECTION = "AIRFLOW_CONN_GREENERY_WAREHOUSE"
# of one test after another in this process: what dbt has parsed is for a database of this name
ONE_AT_A_TIME = f"test_{os.getpid()}"
_numbers = itertools.count()


@dataclass(frozen=True)
class Warehouse:
    """A bootstrapped and migrated warehouse of its own."""

    server: Server
    database: str

    def url(self, login: str = "postgres") -> str:
        return self.server.url(login, self.database)

    def connect(self, login: str = "postgres") -> Any:
        return self.server.connect(login, self.database)

    def run(self, statement: str, values: Any = None, login: str = "postgres") -> list[tuple]:
        """Run a statement in a transaction of its own and return its rows, if it has any."""
        with contextlib.closing(self.connect(login)) as connection, connection:
            with connection.cursor() as cursor:
                cursor.execute(statement, values)
                return cursor.fetchall() if cursor.description else []

    @property
    def airflow_connection(self) -> str:
        return json.dumps(
            {
                "conn_type": "postgres",
                "host": "127.0.0.1",
                "port": self.server.port,
                "login": "greenery",
                "password": self.server.passwords["greenery"],
                "schema": self.database,
            }
        )


def _bootstrap(server: Server, database: str) -> None:
    with contextlib.closing(server.connect("postgres", database)) as connection, connection:
        prepare(connection, {})


@contextlib.contextmanager
def _as_greenery_warehouse(warehouse: Warehouse) -> Iterator[None]:
    before = os.environ.get(CONNECTION)
    os.environ[CONNECTION] = warehouse.airflow_connection
    try:
        yield
    finally:
        if before is None:
            del os.environ[CONNECTION]
        else:
            os.environ[CONNECTION] = before


def as_admin(server: Server, *statements: str | sql.Composable) -> None:
    """Run what belongs to the whole server, each in no transaction."""
    # a connection of its own each time: the server may be killed in between
    with contextlib.closing(server.connect("postgres", "postgres")) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)


def _create_database(server: Server, name: str, template: str) -> None:
    as_admin(
        server,
        sql.SQL("create database {} template {} strategy file_copy").format(
            sql.Identifier(name), sql.Identifier(template)
        ),
    )


def set_for_tests(server: Server) -> None:
    """Have nobody at work in the server but those who connect to it, and no wait for the disk.

    Autovacuum comes by the clock, and a load looks at who else is at work. What a killed server
    wrote is with the machine; only a machine that fails needs fsync.
    """
    as_admin(
        server,
        "alter system set autovacuum = off",
        "alter system set fsync = off",
        "select pg_reload_conf()",
    )


def make_template(server: Server) -> None:
    """Make the database that every test's warehouse is a copy of."""
    _create_database(server, TEMPLATE, "template0")
    _bootstrap(server, TEMPLATE)
    with _as_greenery_warehouse(Warehouse(server, TEMPLATE)):
        migrate()


@contextlib.contextmanager
def fresh_warehouse(
    server: Server, database: str | None = None, template: str = TEMPLATE
) -> Iterator[Warehouse]:
    """Yield a warehouse that nobody else uses, as `greenery_warehouse` of this process."""
    warehouse = Warehouse(server, database or f"test_{os.getpid()}_{next(_numbers)}")
    _create_database(server, warehouse.database, template)
    # a copy lacks the settings and grants of the database itself
    _bootstrap(server, warehouse.database)
    try:
        with _as_greenery_warehouse(warehouse):
            yield warehouse
    finally:
        name = sql.Identifier(warehouse.database)
        as_admin(server, sql.SQL("drop database {} with (force)").format(name))
