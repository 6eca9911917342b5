"""The memory of loads in ``ops.load``: of files, and of what was read of a shop's database."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from psycopg2.extensions import cursor as Cursor

from elt.loading.database.source import Snapshot
from elt.loading.files.landing import SourceFile
from elt.warehouse.rows import first_row, one_value, rows_as

Decision = Literal["skip", "read", "apply"]


@dataclass(frozen=True)
class Known:
    """What was last loaded from a path. ``applied_id`` is its last load of changed bytes, or 0."""

    path: str
    size: int
    modified_at: datetime | None
    sha256: str | None
    applied_id: int


@dataclass(frozen=True)
class LoadResult:
    """What became of one file. ``rows_read`` = inserted + updated + unchanged + quarantined.

    ``skipped``: known and not read. ``left``: still being written, for the next run. Neither has a
    row in ``ops.load``, hence no load id.
    """

    table: str
    source_file: str
    status: Literal["loaded", "unchanged", "skipped", "left"]
    load_id: int | None = None
    rows_read: int = 0
    rows_inserted: int = 0
    rows_updated: int = 0
    rows_unchanged: int = 0
    rows_deleted: int = 0
    rows_quarantined: int = 0


@dataclass(frozen=True)
class Attempt:
    """Which run tried to load something, and from when to when (UTC)."""

    run_id: str
    started_at: datetime
    finished_at: datetime


def read_known(cursor: Cursor, table: str, path: str | None = None) -> dict[str, Known]:
    """Return what was last loaded from each path of a table, or from one.

    Failed loads do not count, nor what was read of a database, nor rows that were tried again.
    """
    cursor.execute(
        """
        select latest.source_file as path, load.file_size as size,
            load.file_modified_at as modified_at, load.file_sha256 as sha256,
            coalesce(latest.applied_id, 0) as applied_id
        from (
            select source_file, max(load_id) as load_id,
                max(load_id) filter (where status = 'loaded') as applied_id
            from ops.load
            where table_name = %(table)s and (%(path)s is null or source_file = %(path)s)
                and status <> 'failed' and cause = 'delivery' and source_snapshot is null
            group by source_file
        ) as latest
        inner join ops.load as load on latest.load_id = load.load_id
        """,
        {"table": table, "path": path},
    )
    return {known.path: known for known in rows_as(cursor, Known)}


def decide(file: SourceFile, last: Known | None, newest_before: int = 0) -> Decision:
    """Return what to do with a file: skip it unread, read it and compare its hash, or apply it.

    ``newest_before`` is the last load among the files before it in order. A file that was loaded
    before that is applied again, whatever its bytes: the later file wins, also when the earlier one
    came late.
    """
    if last is None or newest_before > last.applied_id:
        return "apply"
    is_same = (file.size, file.modified_at) == (last.size, last.modified_at)
    return "skip" if is_same and file.modified_at is not None else "read"


def read_others_again(cursor: Cursor, table: str, path: str) -> None:
    """Have all files of a table but one applied again, as if their bytes had changed.

    A row that went back to an older version may have hidden a newer one in any of them.
    """
    cursor.execute(
        "update ops.load set file_modified_at = null, file_sha256 = null "
        "where table_name = %s and source_file <> %s and file_sha256 is not null",
        [table, path],
    )


def is_to_be_read_again(known: Mapping[str, Known], paths: Iterable[str]) -> bool:
    """Tell whether ``read_others_again`` waits for one of the files."""
    return any(known[path].sha256 is None for path in paths if path in known)


def next_load_id(cursor: Cursor) -> int:
    """Take a load id. Do it inside the table's lock, so that ids grow in the order of commits."""
    cursor.execute("select nextval(pg_get_serial_sequence('ops.load', 'load_id'))")
    return one_value(cursor, int)


def record(
    cursor: Cursor,
    attempt: Attempt,
    result: LoadResult,
    file: SourceFile,
    *,
    sha256: str,
    columns: Sequence[str] | None,
) -> None:
    """Write the row of a file that was loaded or found unchanged.

    Args:
        cursor: of the load's own transaction.
        attempt: the run that loads, and when.
        result: what became of the file.
        file: the file as it was read.
        sha256: the hash of its bytes.
        columns: its header, None if it was not read.
    """
    cursor.execute(
        "insert into ops.load (load_id, run_id, table_name, source_file, file_size, "
        "file_modified_at, file_sha256, rows_read, rows_inserted, rows_updated, rows_unchanged, "
        "rows_deleted, rows_quarantined, source_columns, started_at, finished_at, status) "
        "overriding system value "
        "values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            *(result.load_id, attempt.run_id, result.table),
            *(file.path, file.size, file.modified_at, sha256),
            *(result.rows_read, result.rows_inserted, result.rows_updated, result.rows_unchanged),
            *(result.rows_deleted, result.rows_quarantined, columns and list(columns)),
            *(attempt.started_at, attempt.finished_at, result.status),
        ],
    )


def record_failure(
    cursor: Cursor, attempt: Attempt, table: str, file: SourceFile, error: str
) -> None:
    """Write the row of a file that was refused.

    Args:
        cursor: of a new transaction: the load's own left nothing.
        attempt: the run that loads, and when.
        table: its name.
        file: the file as it was found.
        error: the message, without personal values.
    """
    cursor.execute(
        "insert into ops.load (run_id, table_name, source_file, file_size, file_modified_at, "
        "started_at, finished_at, status, error) values (%s, %s, %s, %s, %s, %s, %s, 'failed', %s)",
        [
            *(attempt.run_id, table, file.path, file.size, file.modified_at),
            *(attempt.started_at, attempt.finished_at, error),
        ],
    )


def record_replay(
    cursor: Cursor, attempt: Attempt, result: LoadResult, origin_id: int, columns: Sequence[str]
) -> None:
    """Write the row of a load that tried quarantined rows again.

    Args:
        cursor: of the load's own transaction.
        attempt: the run that replays, and when.
        result: what became of the rows.
        origin_id: the load that put them into quarantine.
        columns: the header they had.
    """
    cursor.execute(
        "insert into ops.load (load_id, run_id, table_name, source_file, cause, replay_of, "
        "rows_read, rows_inserted, rows_updated, rows_unchanged, rows_quarantined, "
        "source_columns, started_at, finished_at, status) overriding system value "
        "values (%s, %s, %s, %s, 'replay', %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            *(result.load_id, attempt.run_id, result.table, result.source_file, origin_id),
            *(result.rows_read, result.rows_inserted, result.rows_updated, result.rows_unchanged),
            *(result.rows_quarantined, list(columns)),
            *(attempt.started_at, attempt.finished_at, result.status),
        ],
    )


def record_read(
    cursor: Cursor,
    attempt: Attempt,
    result: LoadResult,
    snapshot: Snapshot,
    *,
    watermark_from: str | None,
    watermark_to: str | None,
) -> None:
    """Write the row of a table of the shop's database that was read.

    Args:
        cursor: of the load's own transaction.
        attempt: the run that loads, and when.
        result: what became of its rows.
        snapshot: the snapshot in which it was read.
        watermark_from: from which value of the cursor column on, None if all was read.
        watermark_to: up to which value, None without a cursor column.
    """
    cursor.execute(
        "insert into ops.load (load_id, run_id, table_name, source_file, source_snapshot, "
        "source_xid, watermark_from, watermark_to, rows_read, rows_inserted, rows_updated, "
        "rows_unchanged, rows_deleted, started_at, finished_at, status) overriding system value "
        "values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 'loaded')",
        [
            *(result.load_id, attempt.run_id, result.table, result.source_file, snapshot.name),
            *(snapshot.xid, watermark_from, watermark_to),
            *(result.rows_read, result.rows_inserted, result.rows_updated, result.rows_unchanged),
            *(result.rows_deleted, attempt.started_at, attempt.finished_at),
        ],
    )


def record_failed_read(
    cursor: Cursor, attempt: Attempt, result: LoadResult, snapshot: Snapshot, error: str
) -> None:
    """Write the row of a table of the shop's database that was refused.

    Args:
        cursor: of a new transaction: the load's own left nothing.
        attempt: the run that loads, and when.
        result: names the table and the source.
        snapshot: the snapshot in which it was read.
        error: the message, without personal values.
    """
    cursor.execute(
        "insert into ops.load (run_id, table_name, source_file, source_snapshot, started_at, "
        "finished_at, status, error) values (%s, %s, %s, %s, %s, %s, 'failed', %s)",
        [
            *(attempt.run_id, result.table, result.source_file, snapshot.name),
            *(attempt.started_at, attempt.finished_at, error),
        ],
    )


def last_load_id(cursor: Cursor) -> int:
    """Return the highest load id so far, 0 before the first load."""
    cursor.execute("select coalesce(max(load_id), 0) from ops.load")
    return one_value(cursor, int)


def read_already(
    cursor: Cursor, tables: Collection[str], wanted: str, *, run_id: str, since: int
) -> LoadResult | None:
    """Return what became of a table if a task of the run has read all ``tables`` in one snapshot.

    None if no task has, or if this table was refused then.

    Args:
        cursor: as the role loader.
        tables: all that are read in one snapshot.
        wanted: the one in question.
        run_id: the run.
        since: only loads after this one count.
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
        select table_name as table, source_file, status, load_id, rows_read, rows_inserted,
            rows_updated, rows_unchanged, rows_deleted
        from latest
        where table_name = %(wanted)s and status = 'loaded'
            and (select array_agg(table_name) @> %(tables)s::text[] from latest)
        """,
        {"run_id": run_id, "since": since, "wanted": wanted, "tables": list(tables)},
    )
    return first_row(cursor, LoadResult)
