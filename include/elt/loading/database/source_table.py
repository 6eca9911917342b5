"""A table in the shop's database: its columns against the contract, and which rows are read."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from elt.errors import SourceError
from elt.loading import diagnostics
from elt.loading.contract import Table
from elt.loading.database.source import Snapshot, lost
from elt.loading.load_log import LoadResult
from elt.shop import SHOP
from elt.warehouse.rows import (
    all_values,
    first_row,
    one_row,
    one_value,
    value_or_none,
)

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
    "select to_regclass(%s) is not null as is_there, array(select wanted from unnest(%s) as wanted "
    "where not exists (select from pg_attribute where attrelid = to_regclass(%s) "
    "and attname = wanted and attnum > 0 and not attisdropped)) as missing"
)
_UNKNOWN = (
    "select attname::text from pg_attribute where attrelid = to_regclass(%s) and attnum > 0 "
    "and not attisdropped and attname <> all (%s) order by attnum"
)


@dataclass(frozen=True)
class Window:
    """What is read of a table. Values are text, as Postgres writes them in UTC.

    ``watermark_from`` is None where the whole table is read; ``reached`` is how far earlier reads
    came.
    """

    watermark_from: str | None = None
    reached: str | None = None


@dataclass(frozen=True)
class _Columns:
    """Whether the table is there, and which of the contract's columns it lacks."""

    is_there: bool
    missing: list[str]


@dataclass(frozen=True)
class _Watermarks:
    """How far the read came that is to be gone on from, and how far the newest one."""

    since: str | None
    reached: str | None


def takes(data_type: str, source_type: str) -> bool:
    """Tell whether a contract's type holds every value of a type of the source."""
    return data_type == "text" or source_type in _TAKES[data_type]


def select_of(snapshot: Snapshot, table: Table) -> sql.Composed:
    """Return the query of the table's columns in the contract's order and types.

    Raises:
        SourceError: if the table or a column is missing, may not be read, or has another type.
        SourceUnreachableError: if the connection was lost.
    """
    name = _name_in_source(snapshot, table)
    columns = [sql.Identifier(column.name) for column in table.columns]
    refused = ""
    cursor = snapshot.cursor
    try:
        cursor.execute("savepoint before_look")
        there = name.as_string(cursor)
        cursor.execute(_MISSING, [there, list(table.column_names), there])
        refused = _absence(one_row(cursor, _Columns))
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

    Args:
        cursor: of the load's own transaction.
        snapshot: the shop as it is read.
        table: the contract.
        result: of the load that noticed it.

    Raises:
        SourceUnreachableError: if the connection to the shop's database is lost.
    """
    try:
        name = _name_in_source(snapshot, table).as_string(snapshot.cursor)
        snapshot.cursor.execute(_UNKNOWN, [name, list(table.column_names)])
        unknown = all_values(snapshot.cursor, str)
    except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
        raise lost(snapshot.database, error) from None
    for column in unknown:
        diagnostics.warn(
            cursor,
            table.name,
            "unknown_column",
            column,
            f"{snapshot.database.schema}.{table.name} in the shop's database has a column that "
            f"raw.{table.name} does not: {column}. It is ignored; declare it in "
            f"{SHOP.contracts.name} to load it.",
            result.load_id,
        )


def _name_in_source(snapshot: Snapshot, table: Table) -> sql.Identifier:
    return sql.Identifier(snapshot.database.schema, table.name)


def _type_names(snapshot: Snapshot) -> list[str]:
    oids = [column.type_code for column in snapshot.cursor.description or ()]
    snapshot.cursor.execute(
        "select format_type(oid, null) from unnest(%s::oid[]) with ordinality as t (oid, place) "
        "order by place",
        [oids],
    )
    return all_values(snapshot.cursor, str)


def _absence(found: _Columns) -> str:
    if not found.is_there:
        return "is not there"
    if not found.missing:
        return ""
    columns = "the column" if len(found.missing) == 1 else "the columns"
    return f"lacks {columns} {', '.join(f'`{name}`' for name in found.missing)}"


def _misfit(table: Table, types: list[str]) -> str:
    for column, source_type in zip(table.columns, types, strict=True):
        if not takes(column.data_type, source_type):
            return (
                f"has the type {source_type} for the column `{column.name}`, which does not "
                f"always fit into {column.data_type}, the type of its contract in "
                f"{SHOP.contracts.name}"
            )
    return ""


def describe_read(snapshot: Snapshot, table: Table) -> str:
    """Return in words what is read of a table, the same each time."""
    how = f"by {table.cursor}" if table.cursor else "whole"
    return f"postgres: {snapshot.database.schema}.{table.name}, {how}"


def find_window(
    cursor: Cursor, snapshot: Snapshot, table: Table, *, is_new: bool = False
) -> Window:
    """Return what must be read of a table to miss nothing since the earlier reads in ``ops.load``.

    A transaction that had written, but not committed when the last snapshot was taken, may hold
    rows far below the last watermark. So the start is the watermark of the newest read that is
    older than all that was then at work, less the overlap. The whole table is read
    where there is none, where the database's own history went back (it was restored), and where
    ``is_new``.

    Args:
        cursor: of the load's own transaction.
        snapshot: the shop as it is read.
        table: the contract.
        is_new: the raw table is not there yet, or has a new column.
    """
    if table.cursor is None or is_new:
        return Window()
    cursor.execute(
        """
        with reads as (
            select load_id, watermark_to, source_snapshot, source_xid
            from ops.load
            where table_name = %(table)s and source_file = %(source)s and status = 'loaded'
                and source_xid is not null
        ), latest as (
            select * from reads order by load_id desc limit 1
        )
        select reads.watermark_to as since, latest.watermark_to as reached
        from latest
        inner join reads on reads.source_xid <= pg_snapshot_xmin(latest.source_snapshot)
        where pg_snapshot_xmin(latest.source_snapshot) <= pg_snapshot_xmin(%(now)s::pg_snapshot)
        order by reads.load_id desc
        limit 1
        """,
        {"table": table.name, "source": describe_read(snapshot, table), "now": snapshot.name},
    )
    found = first_row(cursor, _Watermarks) or _Watermarks(None, None)
    if found.since is None:
        return Window(None, found.reached)
    cursor.execute(
        sql.SQL("select (%s::{0} - %s::{1})::{0}::text").format(
            _cursor_type(table), sql.SQL("interval" if " " in (table.overlap or "") else "numeric")
        ),
        [found.since, table.overlap],
    )
    return Window(one_value(cursor, str), found.reached)


def restrict(select: sql.Composable, table: Table, window: Window) -> sql.Composable:
    """Return the query of the rows in a window. A row without a cursor value is in each."""
    if table.cursor is None or window.watermark_from is None:
        return select
    return sql.SQL("{0} where {1} >= {2}::{3} or {1} is null").format(
        select,
        sql.Identifier(table.cursor),
        sql.Literal(window.watermark_from),
        _cursor_type(table),
    )


def watermark_of(
    cursor: Cursor, snapshot: Snapshot, table: Table, window: Window, rows: sql.Composable
) -> str | None:
    """Return how far a table has been read now, None without a cursor column.

    An instant in the future counts as now: else no row would be found until then.

    Args:
        cursor: of the load's own transaction.
        snapshot: the shop as it was read.
        table: the contract.
        window: what was read of it.
        rows: the table that holds what was read.
    """
    if table.cursor is None:
        return None
    is_instant = " " in (table.overlap or "")
    cursor.execute(
        sql.SQL(
            "select greatest(%s::{0}, case when count({1}) > 0 then least(max({1}), %s::{0}) end)"
            "::text from {2}"
        ).format(_cursor_type(table), sql.Identifier(table.cursor), rows),
        [window.reached, snapshot.taken_at if is_instant else None],
    )
    return value_or_none(cursor, str)


def _cursor_type(table: Table) -> sql.SQL:
    column = table.column(table.cursor or "")
    return sql.SQL(column.data_type if column else "text")
