"""Bring the rows of a file into the raw table: only what changed is written, and logged."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from elt.loading import merge_sql
from elt.loading.contract import Table
from elt.loading.errors import RefusedFileError
from elt.warehouse.connection import FEW_BY_KEYS

# a drop with less than a 20th of the known rows is looked up by key
FEW_SHARE = 20
# the statistics are renewed when a 10th of the rows is new
NEWS_SHARE = 10


@dataclass(frozen=True)
class Counts:
    """Rows by what happened to them. Deleted ones were not in the file.

    Of the updated ones ``lowered`` have an older version than before.
    """

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    lowered: int = 0

    def by_fate(self) -> dict[str, int]:
        """Return them by their names in ``LoadResult``."""
        fates = ("inserted", "updated", "unchanged", "deleted")
        return {f"rows_{fate}": getattr(self, fate) for fate in fates}


def apply(
    cursor: Cursor,
    table: Table,
    load_id: int,
    rows: int,
    *,
    given: Collection[str] | None = None,
    quarantined: int = 0,
    may_shrink: bool = False,
    source_file: str | None = None,
    latest: datetime | None = None,
) -> Counts:
    """Merge the temporary table ``_new`` (``staging.open_new``) into the locked raw table.

    ``_new`` has ``rows`` rows, each key once (``keys.add``). ``given`` names the columns that the
    source has; the others are null in new rows and stay as they are in known ones. A snapshot with
    ``quarantined`` rows deletes none, since a row that is missing may be one of them.

    The version decides which of two rows is newer, but for what ``source_file`` itself said before:
    who puts a mended file in its place means what it says. And but for a version above ``latest``,
    which no row can have: nothing would ever be newer.

    Raises:
        RefusedFileError: if a snapshot lost more than half of the living rows and ``may_shrink`` is
            not set.
    """
    # enough for a day's file to be compared in memory
    cursor.execute("set local work_mem = '64MB'")
    same_source = _loads_of(cursor, table, source_file) if table.version and source_file else []
    parts = merge_sql.parts_of(table, load_id, given, same_source=same_source, latest=latest)
    cursor.execute(sql.SQL("select not exists (select from {raw})").format(**parts))
    if cursor.fetchone()[0]:
        cursor.execute(merge_sql.INSERT_ALL.format(**parts))
        cursor.execute(sql.SQL("analyze {raw}").format(**parts))
        return Counts(inserted=rows)
    cursor.execute(merge_sql.KNOWN_ROWS.format(**parts))
    known = cursor.fetchone()[0]
    are_few = rows * FEW_SHARE < known
    if are_few:
        cursor.execute(FEW_BY_KEYS)
    vanished = 0
    if table.load == "full_snapshot":
        vanished = _count_vanished(cursor, table, parts, quarantined, may_shrink=may_shrink)
    inserted, updated, lowered = _write(cursor, parts, rows, are_few=are_few)
    if vanished:
        cursor.execute(merge_sql.DELETE.format(**parts))
    if (inserted + updated + vanished) * NEWS_SHARE > known:
        cursor.execute(sql.SQL("analyze {raw}").format(**parts))
    return Counts(inserted, updated, rows - inserted - updated, vanished, lowered)


def _loads_of(cursor: Cursor, table: Table, source_file: str) -> list[int]:
    """Return the loads of a path, replays of its rows included."""
    cursor.execute(
        "with own as (select load_id from ops.load where table_name = %s and source_file = %s) "
        "select load_id from own union "
        "select load_id from ops.load where replay_of in (select load_id from own)",
        [table.name, source_file],
    )
    return [load_id for (load_id,) in cursor]


def _write(
    cursor: Cursor, parts: dict[str, sql.Composable], rows: int, *, are_few: bool
) -> tuple[int, int, int]:
    inserted = 0
    if are_few:
        # mostly all of a day's rows are new, and then this was the only look at the history
        cursor.execute(merge_sql.INSERT_UNKNOWN.format(**parts))
        inserted = cursor.rowcount
        if inserted == rows:
            return rows, 0, 0
    # a row that was just inserted is equal to itself, so it is in no plan
    cursor.execute(merge_sql.PLAN.format(**parts))
    cursor.execute("analyze pg_temp._plan")
    cursor.execute(merge_sql.COUNT)
    planned, updated, lowered = cursor.fetchone()
    if planned == rows and not updated:
        cursor.execute(merge_sql.INSERT_ALL.format(**parts))
        return rows, 0, 0
    if updated:
        for statement in (merge_sql.LOG_CHANGES, merge_sql.UPDATE, merge_sql.REVIVE):
            cursor.execute(statement.format(**parts))
    if planned > updated:
        cursor.execute(merge_sql.INSERT.format(**parts))
    return inserted + planned - updated, updated, lowered


def _count_vanished(
    cursor: Cursor,
    table: Table,
    parts: dict[str, sql.Composable],
    quarantined: int,
    *,
    may_shrink: bool,
) -> int:
    cursor.execute(
        sql.SQL(
            "select count(*), count({key}) from {raw} as old left join {new} as new on {same_key} "
            "where old._deleted_at is null"
        ).format(key=merge_sql.column("new", table.primary_key[0]), **parts)
    )
    living, kept = cursor.fetchone()
    if (kept + quarantined) * 2 < living and not may_shrink:
        raise RefusedFileError(
            "file",
            f"is a full snapshot, but only {kept} of the {living} living rows are in it: loading "
            f"it would mark {living - kept} rows as deleted",
            remedy="Nothing of this file was loaded. Deliver the whole export and run again, or "
            f"confirm that `{table.name}` really shrank (confirm_shrunk).",
        )
    return 0 if quarantined else living - kept
