"""A small shop in a temporary folder, and loads of it into a real warehouse."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from elt.loading.contract import Column, Table
from elt.loading.files.find_files import find_files
from elt.loading.files.landing import landing_at
from elt.loading.files.load_table import load_table
from elt.loading.load_context import Clock, Loader
from elt.loading.load_log import LoadResult
from elt.warehouse import connection
from tests.support.postgres16 import postgres_16
from tests.support.warehouse import fresh_warehouse

NOW = datetime(2021, 2, 12, 6, tzinfo=UTC)

VISITS = Table(
    "visits",
    (
        Column("visit_id", "text"),
        Column("page", "text"),
        Column("seconds", "integer"),
    ),
    primary_key=("visit_id",),
    load="delta",
    change_key=("page",),
)
# a file with a bad row is refused as a whole
STRICT = replace(VISITS, on_bad_row="stop")
PEOPLE = Table(
    "people",
    (
        Column("person_id", "text"),
        Column("email", "text", is_personal=True),
        Column("age", "integer", is_personal=True),
        Column("updated_at", "timestamptz"),
    ),
    primary_key=("person_id",),
    load="full_snapshot",
    version="updated_at",
    change_key=("person_id",),
)


def no_sleep(seconds: float) -> None:
    raise AssertionError(f"nothing to wait for, but {seconds} s were asked")


@dataclass
class Shop:
    """A landing folder and the warehouse it goes to. Each written file is a minute newer."""

    folder: Path
    warehouse: Any
    minutes: Iterator[int] = field(default_factory=itertools.count)

    def write(self, path: str, content: str | bytes) -> Path:
        file = self.folder / path
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        self.touch(path)
        return file

    def touch(self, path: str) -> None:
        """Make it look as if it had been written again, long ago."""
        when = (NOW - timedelta(days=1) + timedelta(minutes=next(self.minutes))).timestamp()
        os.utime(self.folder / path, (when, when))

    def loader(self, **changes: Any) -> Loader:
        settings = {
            "landing": landing_at(str(self.folder)),
            "transaction": partial(connection.transaction, "loader"),
            "run_id": "run",
            "clock": Clock(lambda: NOW, no_sleep),
        }
        return Loader(**(settings | changes))

    def load(self, table: Table = VISITS, **changes: Any) -> list[LoadResult]:
        loader = self.loader(**changes)
        found = find_files(loader.landing, [table.name])
        return load_table(loader, table, found.of(table.name), found.strays[table.name])

    def rows(self, query: str) -> list[tuple]:
        return self.warehouse.run(query)

    def visits(self) -> list[tuple]:
        return self.rows("select visit_id, page, seconds from raw.visits order by visit_id")


@pytest.fixture(scope="package")
def shared_warehouse(server: Any) -> Iterator[Any]:
    """One warehouse for all of these tests: a database for each would take longer than they do."""
    with fresh_warehouse(server) as fresh:
        yield fresh


@pytest.fixture
def shop(tmp_path: Path, shared_warehouse: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """A shop whose warehouse is empty."""
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_WAREHOUSE", shared_warehouse.airflow_connection)
    folder = tmp_path / "landing"
    folder.mkdir()
    yield Shop(folder, shared_warehouse)
    empty(shared_warehouse)


@pytest.fixture(scope="package")
def old_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The same on Postgres 16."""
    with postgres_16(tmp_path_factory.mktemp("postgres16")) as server:
        with fresh_warehouse(server) as fresh:
            yield fresh


@pytest.fixture(params=["shared_warehouse", "old_warehouse"], ids=["postgres 18", "postgres 16"])
def any_shop(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shop]:
    """A shop on each version of Postgres that a warehouse may have."""
    warehouse = request.getfixturevalue(request.param)
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_WAREHOUSE", warehouse.airflow_connection)
    folder = tmp_path / "landing"
    folder.mkdir()
    yield Shop(folder, warehouse)
    empty(warehouse)


def empty(warehouse: Any) -> None:
    """Forget all loads and drop the tables they made."""
    tables = warehouse.run(
        "select tablename from pg_tables where schemaname = 'raw' and tablename <> 'change_log'"
    )
    drops = "".join(f'drop table raw."{name}"; ' for (name,) in tables)
    logs = ("ops.load", "ops.quarantine", "ops.load_warning", "ops.erased", "raw.change_log")
    warehouse.run(drops + "".join(f"delete from {log}; " for log in logs))


@pytest.fixture(scope="package")
def shared_shop_database(server: Any) -> Iterator[str]:
    from .shop_database import shop_database

    with shop_database(server) as name:
        yield name


@pytest.fixture
def database(shop: Shop, server: Any, shared_shop_database: str) -> Any:
    """The shop's own Postgres with three empty tables, beside an empty warehouse."""
    from .shop_database import SCHEMA, ShopDatabase

    fresh = ShopDatabase(shop, server, shared_shop_database)
    fresh.run(f"drop schema public cascade; create schema public; {SCHEMA}")
    return fresh
