"""What a DAG's task calls: settings from Airflow connections and the environment, then a load."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import fields
from functools import partial
from typing import Any

from airflow.sdk import Connection

from elt.loading.database.load_tables import DatabaseLoader, load_with_all
from elt.loading.database.source import database_of, is_database, open_snapshot
from elt.loading.files import load_table as load
from elt.loading.files.find_files import find_files
from elt.loading.files.landing import CONNECTION_ID, open_landing
from elt.loading.load_context import Loader, Transaction
from elt.loading.load_log import LoadResult
from elt.loading.sources_yaml import declared_tables
from elt.warehouse import connection as warehouse

as_loader: Transaction = partial(warehouse.transaction, "loader")
COUNTS = tuple(field.name for field in fields(LoadResult) if field.name.startswith("rows_"))


def check_source(transaction: Transaction = as_loader) -> str:
    """Look at the source and return the URL that tells this shop from another, without secrets.

    Each landing file must belong to a declared table; a database must let us in. What is wrong with
    the files of one table is left to its own task. What lies there of no table is warned of.

    Raises:
        SourceError: in words that say what to do.
        SourceUnreachableError: if a retry may help.
    """
    connection = Connection.get(CONNECTION_ID)
    if is_database(connection):
        database = database_of(connection)
        with open_snapshot(database):
            return database.url
    landing = open_landing(connection)
    others = find_files(landing, declared_tables()).others
    if others:
        with transaction() as cursor:
            load.warn_of_unread(cursor, "", list(others.values()))
    return landing.url


def load_table(
    table_name: str,
    *,
    run_id: str,
    confirm_shrunk: Collection[str] = (),
    transaction: Transaction = as_loader,
    since: int = 0,
) -> dict[str, Any]:
    """Load what is new for one table and return a summary that fits into a log line or an XCom.

    Args:
        table_name: of a declared source table.
        run_id: of Airflow's run.
        confirm_shrunk: names of tables whose snapshot may lose more than half of its rows.
        transaction: opens a transaction of the warehouse as the role loader.
        since: the id of the last load before the run began: after it a database is read once, for
            all tables.

    Raises:
        SourceError: if the source is wrong; a retry would not help.
        psycopg2.OperationalError, WarehouseUnreachableError, SourceUnreachableError: it may help.
    """
    tables = declared_tables()
    connection = Connection.get(CONNECTION_ID)
    if is_database(connection):
        reader = DatabaseLoader(database_of(connection), transaction, run_id, confirm_shrunk)
        return summarize(table_name, [load_with_all(reader, tables, table_name, since=since)])
    landing = open_landing(connection)
    loader = Loader(
        landing,
        transaction,
        run_id,
        confirm_shrunk,
        settle_seconds=float(os.environ.get("GREENERY_SETTLE_SECONDS", "2")),
    )
    found = find_files(landing, tables, only=table_name)
    results = load.load_table(
        loader, tables[table_name], found.of(table_name), found.strays[table_name]
    )
    return summarize(table_name, results)


def summarize(table_name: str, results: list[LoadResult]) -> dict[str, Any]:
    """Return counts of files by status and of rows, and the highest load id (None without one)."""
    files = dict.fromkeys(("loaded", "unchanged", "skipped", "left"), 0)
    for result in results:
        files[result.status] += 1
    rows = {name: sum(getattr(result, name) for result in results) for name in COUNTS}
    ids = [result.load_id for result in results if result.load_id is not None]
    return {"table": table_name, "files": files, **rows, "last_load_id": max(ids, default=None)}
