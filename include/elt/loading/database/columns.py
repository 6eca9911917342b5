"""The columns of a table in the shop's database against the contract."""

from __future__ import annotations

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from elt.loading import load_warnings
from elt.loading.contract import Table
from elt.loading.database.source import Snapshot, lost
from elt.loading.errors import SourceError
from elt.loading.load_log import LoadResult
from elt.shop import SHOP

# What each type of a contract takes without losing anything and without a row that could fail.
# text takes everything.
_TAKES = {
    "smallint": {"smallint"},
    "integer": {"smallint", "integer"},
    "bigint": {"smallint", "integer", "bigint"},
    "numeric": {"smallint", "integer", "bigint", "numeric"},
    "real": {"smallint", "real"},
    "double precision": {"smallint", "integer", "real", "double precision"},
    "boolean": {"boolean"},
    "date": {"date"},
    "time": {"time without time zone"},
    # the session runs in UTC, so an instant without a zone is taken for UTC
    "timestamptz": {"timestamp with time zone", "timestamp without time zone"},
    "jsonb": {"json", "jsonb"},
    "uuid": {"uuid"},
}
# an empty text is null, as it is in a file: else a shop would end otherwise by its files than by
# its database, and '' would be a key
_READ = {"text": "nullif({}::{}, '')"}
_MISSING = (
    "select to_regclass(%s) is not null, array(select wanted from unnest(%s) as wanted "
    "where not exists (select from pg_attribute where attrelid = to_regclass(%s) "
    "and attname = wanted and attnum > 0 and not attisdropped))"
)
_UNKNOWN = (
    "select attname::text from pg_attribute where attrelid = to_regclass(%s) and attnum > 0 "
    "and not attisdropped and attname <> all (%s) order by attnum"
)


def takes(data_type: str, source_type: str) -> bool:
    """Tell whether a contract's type holds every value of a type of the source."""
    return data_type == "text" or source_type in _TAKES[data_type]


def select_of(snapshot: Snapshot, table: Table) -> sql.Composed:
    """Return the query of the table's columns in the contract's order and types.

    Raises:
        SourceError: if the table or a column is missing, may not be read, or has another type.
        SourceUnreachableError: if the connection was lost.
    """
    name = _name(snapshot, table)
    columns = [sql.Identifier(column.name) for column in table.columns]
    refused = ""
    cursor = snapshot.cursor
    try:
        cursor.execute("savepoint before_look")
        there = name.as_string(cursor)
        cursor.execute(_MISSING, [there, list(table.column_names), there])
        refused = _absence(table, *cursor.fetchone())
        if not refused:
            cursor.execute(
                sql.SQL("select {} from {} limit 0").format(sql.SQL(", ").join(columns), name)
            )
            refused = _misfit(table, _type_names(snapshot))
    except psycopg2.errors.InsufficientPrivilege:
        refused = (
            f"may not be read by the log-in {snapshot.database.login}, or not all of its rows. "
            "Grant it select on the table and usage on the schema; where row-level security is on, "
            "it needs bypassrls"
        )
    except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
        raise lost(snapshot.database, error) from None
    cursor.execute("rollback to savepoint before_look")
    if refused:
        raise SourceError(
            f"{snapshot.database.schema}.{table.name} in the shop's database {refused}. "
            "Nothing of this table was loaded."
        )
    casts = (
        sql.SQL(_READ.get(declared.data_type, "{}::{}")).format(column, sql.SQL(declared.data_type))
        for column, declared in zip(columns, table.columns, strict=True)
    )
    return sql.SQL("select {} from {}").format(sql.SQL(", ").join(casts), name)


def warn_of_unknown_columns(
    cursor: Cursor, snapshot: Snapshot, table: Table, result: LoadResult
) -> None:
    """Warn once of each column that the shop has and the contract does not name.

    Raises:
        SourceUnreachableError: if the connection to the shop's database is lost.
    """
    try:
        name = _name(snapshot, table).as_string(snapshot.cursor)
        snapshot.cursor.execute(_UNKNOWN, [name, list(table.column_names)])
        unknown = snapshot.cursor.fetchall()
    except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
        raise lost(snapshot.database, error) from None
    for (column,) in unknown:
        load_warnings.warn(
            cursor,
            table.name,
            "unknown_column",
            column,
            f"{snapshot.database.schema}.{table.name} in the shop's database has a column that "
            f"raw.{table.name} does not: {column}. It is ignored; declare it in "
            f"{SHOP.contracts.name} to load it.",
            result.load_id,
        )


def _name(snapshot: Snapshot, table: Table) -> sql.Identifier:
    return sql.Identifier(snapshot.database.schema, table.name)


def _type_names(snapshot: Snapshot) -> list[str]:
    oids = [column.type_code for column in snapshot.cursor.description or ()]
    snapshot.cursor.execute(
        "select format_type(oid, null) from unnest(%s::oid[]) with ordinality as t (oid, place) "
        "order by place",
        [oids],
    )
    return [name for (name,) in snapshot.cursor]


def _absence(table: Table, exists: bool, missing: list[str]) -> str:
    if not exists:
        return "is not there"
    if not missing:
        return ""
    columns = "the column" if len(missing) == 1 else "the columns"
    return f"lacks {columns} {', '.join(f'`{name}`' for name in missing)}"


def _misfit(table: Table, types: list[str]) -> str:
    for column, source_type in zip(table.columns, types, strict=True):
        if not takes(column.data_type, source_type):
            return (
                f"has the type {source_type} for the column `{column.name}`, which does not "
                f"always fit into {column.data_type}, the type of its contract in "
                f"{SHOP.contracts.name}"
            )
    return ""
