"""Bring the rows of a file into the raw table: only what changed is written, and logged."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from include.extract import merge_sql
from include.extract.contracts import Table
from include.extract.errors import RefusedFileError
from include.extract.staging import NEW


@dataclass(frozen=True)
class Counts:
    """Rows by what happened to them. Deleted ones were not in the file."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0


def apply(
    cursor: Cursor, table: Table, load_id: int, rows: int, *, may_shrink: bool = False
) -> Counts:
    """Merge the temporary table's rows, ``rows`` of them, into the locked raw table.

    Raises:
        RefusedFileError: if a key is there twice, or a snapshot lost more than half of the living
            rows and ``may_shrink`` is not set.
    """
    # enough for a day's file to be compared in memory
    cursor.execute("set local work_mem = '64MB'")
    parts = merge_sql.parts_of(table, load_id)
    cursor.execute(sql.SQL("select not exists (select from {raw})").format(**parts))
    if cursor.fetchone()[0]:
        _insert_all(cursor, table, parts)
        cursor.execute(sql.SQL("analyze {raw}").format(**parts))
        return Counts(inserted=rows)
    if duplicate := _find_duplicate(cursor, table):
        raise duplicate
    vanished = 0
    if table.load == "full_snapshot":
        vanished = _count_vanished(cursor, table, parts, may_shrink=may_shrink)
    cursor.execute(merge_sql.LOG_CHANGES.format(**parts))
    updated = cursor.rowcount
    cursor.execute(merge_sql.MERGE.format(**parts))
    inserted = cursor.rowcount - updated
    if vanished:
        cursor.execute(merge_sql.DELETE.format(**parts))
    if (inserted + updated + vanished) * 4 > rows + vanished and rows > 1000:
        cursor.execute(sql.SQL("analyze {raw}").format(**parts))
    return Counts(inserted, updated, rows - inserted - updated, vanished)


def _insert_all(cursor: Cursor, table: Table, parts: dict[str, sql.Composable]) -> None:
    cursor.execute("savepoint before_insert")
    is_duplicate = False
    try:
        cursor.execute(
            sql.SQL(
                "insert into {raw} ({columns}, _load_id) "
                "select {values}, {load_id} from {new} as new"
            ).format(**parts)
        )
    except psycopg2.errors.UniqueViolation:
        is_duplicate = True
    if is_duplicate:
        cursor.execute("rollback to savepoint before_insert")
        raise _find_duplicate(cursor, table) or RefusedFileError("duplicate")


def _find_duplicate(cursor: Cursor, table: Table) -> RefusedFileError | None:
    keys = merge_sql.join(map(sql.Identifier, table.primary_key))
    cursor.execute(
        sql.SQL("select {0} from {1} group by {0} having count(*) > 1 limit 1").format(keys, NEW)
    )
    if (values := cursor.fetchone()) is None:
        return None
    # COPY wrote the rows in the order of the file
    cursor.execute(
        sql.SQL(
            "select number from (select row_number() over (order by ctid) as number, {0} from {1}) "
            "as numbered where ({0}) = %s order by number limit 2"
        ).format(keys, NEW),
        [tuple(values)],
    )
    first, second = (number for (number,) in cursor)
    return RefusedFileError("duplicate", records=(first, second))


def _count_vanished(
    cursor: Cursor, table: Table, parts: dict[str, sql.Composable], *, may_shrink: bool
) -> int:
    cursor.execute(
        sql.SQL(
            "select count(*), count({key}) from {raw} as old left join {new} as new on {same_key} "
            "where old._deleted_at is null"
        ).format(key=merge_sql.column("new", table.primary_key[0]), **parts)
    )
    living, kept = cursor.fetchone()
    if kept * 2 < living and not may_shrink:
        raise RefusedFileError(
            "file",
            f"is a full snapshot, but only {kept} of the {living} living rows are in it: loading "
            f"it would mark {living - kept} rows as deleted",
            remedy="Nothing of this file was loaded. Deliver the whole export and run again, or "
            f"confirm that `{table.name}` really shrank (confirm_shrunk).",
        )
    return living - kept
