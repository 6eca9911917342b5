"""The server of the benchmark, and the databases that a load begins with."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devtools.local import postgres
from devtools.local.databases import WAREHOUSE
from devtools.local.postgres import Server

TYPES = (
    "event_id text not null, session_id text, user_id text, page_url text, "
    "created_at timestamptz, event_type text, order_id text, product_id text"
)
PLAIN = {
    "keyed": f"create table public.events ({TYPES}, primary key (event_id))",
    "keyless": f"create table public.events ({TYPES})",
}


@dataclass(frozen=True)
class Databases:
    """A server with the settings of the local Postgres, but without autovacuum: it would come
    and go in the middle of what is measured."""

    server: Server

    def url(self, database: str, login: str = "postgres") -> str:
        return self.server.url(login, database)

    @property
    def postmaster(self) -> int:
        return int(Path(self.server.home, "data/postmaster.pid").read_text().split()[0])

    @property
    def airflow_connection(self) -> str:
        """Return Airflow's connection to the warehouse that new ones are copied from."""
        return json.dumps(
            {
                "conn_type": "postgres",
                "host": "127.0.0.1",
                "port": self.server.port,
                "login": "greenery",
                "password": self.server.passwords["greenery"],
                "schema": WAREHOUSE,
            }
        )

    def run(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        with contextlib.closing(self.server.connect("postgres", database)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []

    def exists(self, database: str) -> bool:
        return bool(self.run(f"select 1 from pg_database where datname = '{database}'"))

    def drop(self, database: str) -> None:
        self.run(f"drop database if exists {database} with (force)")

    def copy(self, source: str, target: str) -> None:
        """Make ``target`` anew, equal to ``source``."""
        self.drop(target)
        self.run(f"create database {target} template {source} strategy file_copy")

    def settle(self, database: str) -> None:
        """Wait until nobody is connected any more and all is on disk."""
        while self.run(f"select 1 from pg_stat_activity where datname = '{database}'"):
            time.sleep(0.02)
        self.run("checkpoint")

    def count(self, database: str, table: str) -> int:
        (where,) = self.run(f"select to_regclass('{table}') is not null", database)
        return self.run(f"select count(*) from {table}", database)[0][0] if where[0] else 0


@contextlib.contextmanager
def started(state: Path, *, keep: bool) -> Iterator[Databases]:
    """Start a server of our own in the folder. At the end stop it, and delete its data or not."""
    server = postgres.start(state)
    try:
        databases = Databases(server)
        databases.run("alter system set autovacuum = off")
        databases.run("select pg_reload_conf()")
        yield databases
    finally:
        if keep:
            postgres.stop(state)
        else:
            postgres.remove(state)
