"""The whole DAG with the shop's own Postgres as its source."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg2 import sql

from elt.loading.database.source import Database
from elt.loading.sources_yaml import declared_tables
from tests.support.installation import ORDERS_AND_KPIS

# several whole runs; a busy machine may take its time
pytestmark = [pytest.mark.slow, pytest.mark.rare, pytest.mark.timeout(1500)]
NAME = "the_shop"
MODELS = ORDERS_AND_KPIS


@pytest.fixture
def database(installation, real_data: Path) -> Iterator[Database]:
    """The real data in a database beside the warehouse."""
    server = installation.server
    with contextlib.closing(server.connect("postgres", "postgres")) as admin:
        admin.autocommit = True
        with admin.cursor() as cursor:
            cursor.execute(f"create database {NAME}")
            with contextlib.closing(server.connect("postgres", NAME)) as connection, connection:
                fill(connection, real_data)
            yield Database(
                "127.0.0.1",
                server.port,
                NAME,
                "raw",
                login="postgres",
                password=server.passwords["postgres"],
            )
            cursor.execute(f"drop database {NAME} with (force)")


def fill(connection, folder: Path) -> None:
    with connection.cursor() as cursor:
        cursor.execute("create schema raw")
        for table in declared_tables().values():
            columns = ", ".join(f"{column.name} {column.data_type}" for column in table.columns)
            cursor.execute(f"create table raw.{table.name} ({columns})")
            with open(folder / f"{table.name}.csv") as file:
                copy = sql.SQL("copy {} ({}) from stdin (format csv, header)").format(
                    sql.Identifier("raw", table.name),
                    sql.SQL(", ").join(
                        sql.Identifier(name) for name in file.readline().strip().split(",")
                    ),
                )
                file.seek(0)
                cursor.copy_expert(copy.as_string(cursor), file)


def test_the_shops_database_gives_the_same_marts_as_its_files(installation, shop, database):
    _, state = shop.run()
    assert state == "success"
    of_files = numbers(shop)
    with installation.shop(shop.landing) as other:
        installation.connect("greenery_source", json.dumps(database.as_connection()))
        run_id, state = other.run()
        assert state == "success", other.explain(run_id)
        assert numbers(other) == of_files
        source = other.warehouse.run("select url from ops.source")
        assert source == [(f"postgresql://127.0.0.1:{database.port}/{NAME}?schema=raw",)]
        assert other.warehouse.run(
            "select count(distinct source_snapshot::text) from ops.load"
        ) == [(1,)]
        run_id, state = other.run()
        assert state == "success", other.explain(run_id)
        changed = (
            "select rows_inserted + rows_updated + rows_deleted from ops.publication order by 1"
        )
        assert other.warehouse.run(changed)[0] == (0,)


def numbers(shop) -> list[tuple]:
    return shop.warehouse.run(
        "select metric, numerator, denominator from marts.fct_kpis order by 1"
    )
