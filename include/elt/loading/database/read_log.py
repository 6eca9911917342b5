"""The memory of reads of a shop's database in ``ops.load``."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from psycopg2.extensions import cursor as Cursor

from elt.loading.database.source import Snapshot
from elt.loading.load_log import LoadResult


def record(
    cursor: Cursor,
    result: LoadResult,
    snapshot: Snapshot,
    *,
    run_id: str,
    watermark_from: str | None,
    watermark_to: str | None,
    started_at: datetime,
    finished_at: datetime,
) -> None:
    """Write the row of a table that was read."""
    cursor.execute(
        "insert into ops.load (load_id, run_id, table_name, source_file, source_snapshot, "
        "source_xid, watermark_from, watermark_to, rows_read, rows_inserted, rows_updated, "
        "rows_unchanged, rows_deleted, started_at, finished_at, status) overriding system value "
        "values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 'loaded')",
        [
            *(result.load_id, run_id, result.table, result.source_file, snapshot.name),
            *(snapshot.xid, watermark_from, watermark_to),
            *(result.rows_read, result.rows_inserted, result.rows_updated, result.rows_unchanged),
            *(result.rows_deleted, started_at, finished_at),
        ],
    )


def record_failure(
    cursor: Cursor,
    result: LoadResult,
    snapshot: Snapshot,
    *,
    run_id: str,
    error: str,
    started_at: datetime,
    finished_at: datetime,
) -> None:
    """Write the row of a table that was refused."""
    cursor.execute(
        "insert into ops.load (run_id, table_name, source_file, source_snapshot, started_at, "
        "finished_at, status, error) values (%s, %s, %s, %s, %s, %s, 'failed', %s)",
        [
            *(run_id, result.table, result.source_file, snapshot.name),
            *(started_at, finished_at, error),
        ],
    )


def last_load_id(cursor: Cursor) -> int:
    """Return the highest load id so far, 0 before the first load."""
    cursor.execute("select coalesce(max(load_id), 0) from ops.load")
    return cursor.fetchone()[0]


def read_already(
    cursor: Cursor, tables: Collection[str], wanted: str, *, run_id: str, since: int
) -> LoadResult | None:
    """Return what became of a table if a task of the run has read all ``tables`` in one snapshot.

    None if no task has, after the load ``since``, or if this table was refused then.
    """
    cursor.execute(
        """
        with latest as (
            select distinct on (load.table_name) load.*
            from ops.load
            where run_id = %(run_id)s and load_id > %(since)s
                and source_snapshot::text = (
                    select source_snapshot::text from ops.load
                    where run_id = %(run_id)s and load_id > %(since)s
                        and source_snapshot is not null
                    order by load_id desc limit 1
                )
            order by load.table_name, load.load_id desc
        )
        select table_name, source_file, status, load_id, rows_read, rows_inserted, rows_updated,
            rows_unchanged, rows_deleted
        from latest
        where table_name = %(wanted)s and status = 'loaded'
            and (select array_agg(table_name) @> %(tables)s::text[] from latest)
        """,
        {"run_id": run_id, "since": since, "wanted": wanted, "tables": list(tables)},
    )
    row = cursor.fetchone()
    return LoadResult(*row) if row else None
