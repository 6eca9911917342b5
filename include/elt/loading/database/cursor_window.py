"""From which value of the cursor column on a table of a database is read, and how far that was."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from elt.loading.contract import Table
from elt.loading.database.source import Snapshot


@dataclass(frozen=True)
class Window:
    """What is read of a table. Values are text, as Postgres writes them in UTC.

    ``watermark_from`` is None where the whole table is read; ``reached`` is how far earlier reads
    came.
    """

    watermark_from: str | None = None
    reached: str | None = None


def describe(snapshot: Snapshot, table: Table) -> str:
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
    the raw table ``is_new`` or has a new column.
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
        select reads.watermark_to, latest.watermark_to
        from latest
        inner join reads on reads.source_xid <= pg_snapshot_xmin(latest.source_snapshot)
        where pg_snapshot_xmin(latest.source_snapshot) <= pg_snapshot_xmin(%(now)s::pg_snapshot)
        order by reads.load_id desc
        limit 1
        """,
        {"table": table.name, "source": describe(snapshot, table), "now": snapshot.name},
    )
    since, reached = cursor.fetchone() or (None, None)
    if since is None:
        return Window(None, reached)
    cursor.execute(
        sql.SQL("select (%s::{0} - %s::{1})::{0}::text").format(
            _type(table), sql.SQL("interval" if " " in (table.overlap or "") else "numeric")
        ),
        [since, table.overlap],
    )
    return Window(cursor.fetchone()[0], reached)


def restrict(select: sql.Composable, table: Table, window: Window) -> sql.Composable:
    """Return the query of the rows in a window. A row without a cursor value is in each."""
    if table.cursor is None or window.watermark_from is None:
        return select
    return sql.SQL("{0} where {1} >= {2}::{3} or {1} is null").format(
        select, sql.Identifier(table.cursor), sql.Literal(window.watermark_from), _type(table)
    )


def watermark_of(
    cursor: Cursor, snapshot: Snapshot, table: Table, window: Window, rows: sql.Composable
) -> str | None:
    """Return how far a table has been read now, ``rows`` being the table of what was read.

    An instant in the future counts as now: else no row would be found until then.
    """
    if table.cursor is None:
        return None
    is_instant = " " in (table.overlap or "")
    cursor.execute(
        sql.SQL(
            "select greatest(%s::{0}, case when count({1}) > 0 then least(max({1}), %s::{0}) end)"
            "::text from {2}"
        ).format(_type(table), sql.Identifier(table.cursor), rows),
        [window.reached, snapshot.taken_at if is_instant else None],
    )
    return cursor.fetchone()[0]


def _type(table: Table) -> sql.SQL:
    column = table.column(table.cursor or "")
    return sql.SQL(column.data_type if column else "text")
