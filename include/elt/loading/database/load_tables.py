"""The tables of the shop's database: each in one transaction of the warehouse, all in one snapshot.

A snapshot lives as long as the transaction that took it, so one task must read all tables, though
each has a task of its own. It is the first task of the run that gets its turn; the others find
theirs loaded. Rows go straight into raw at the first load, else by a merge.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from elt.errors import RefusedFileError, SourceError, offer_to_shrink
from elt.loading import erasure, load_log, merge, raw_table, staging_table, value_formats
from elt.loading.contract import INSTANTS, Table
from elt.loading.database.copy_between_servers import SourceSideError, copy_through
from elt.loading.database.source import Database, Snapshot, lost, open_snapshot
from elt.loading.database.source_table import (
    describe_read,
    find_window,
    restrict,
    select_of,
    warn_of_unknown_columns,
    watermark_of,
)
from elt.loading.load_context import Clock, Transaction
from elt.loading.load_log import Attempt, LoadResult, read_already
from elt.loading.merge import Counts
from elt.loading.staging_table import StagingTable

logger = logging.getLogger(__name__)
WHAT_NOW = "Nothing of this table was loaded. Mend it in the shop's database and run again."


@dataclass(frozen=True)
class DatabaseLoader:
    """What a load from a database needs from outside; see ``Loader``."""

    database: Database
    transaction: Transaction
    run_id: str
    confirm_shrunk: Collection[str] = ()
    clock: Clock = field(default_factory=Clock)


def load_with_all(
    loader: DatabaseLoader, tables: Mapping[str, Table], wanted: str, *, since: int = 0
) -> LoadResult:
    """Return what became of a table; read it with all others if no task of the run did so.

    A task of a table that was refused reads all tables again.

    Args:
        loader: what the load needs from outside.
        tables: all tables of the shop's database, by name.
        wanted: the table that is asked for.
        since: the last load before the run began: what the run read before it was cleared and begun
            again is old.

    Raises:
        SourceError: if this table was refused; a refusal of another is for that one's task.
        SourceUnreachableError, psycopg2.OperationalError: if a connection was lost.
    """
    results: dict[str, LoadResult] = {}
    refused: dict[str, SourceError] = {}
    with loader.transaction() as turn:
        # held until this ends, or this process does; the one in front takes as long as it takes
        turn.execute("set local lock_timeout = 0")
        # In a mode that rights to read don't give: an advisory lock is anybody's. And no row of it:
        # that would take a transaction id, and be at work in a shop's database on the same server
        turn.execute("lock table ops.source in share update exclusive mode")
        if done := read_already(turn, list(tables), wanted, run_id=loader.run_id, since=since):
            logger.info("%s was read in the snapshot of this run already.", done.source_file)
            return done
        with open_snapshot(loader.database) as snapshot:
            for table in tables.values():
                # it fails if the connection was lost, and our turn with it
                turn.execute("select")
                try:
                    results[table.name] = load_table(loader, snapshot, table)
                except SourceError as error:
                    refused[table.name] = error
    if wanted in refused:
        raise refused[wanted]
    return results[wanted]


def load_table(loader: DatabaseLoader, snapshot: Snapshot, table: Table) -> LoadResult:
    """Load what a snapshot holds of a table.

    Raises:
        SourceError: if the table is refused; it has a row in ``ops.load`` then.
        SourceUnreachableError, psycopg2.OperationalError: if a connection was lost.
    """
    started_at = loader.clock.now()
    words = describe_read(snapshot, table)
    try:
        result = _load(loader, snapshot, table, started_at)
    except SourceError as error:
        message = str(error)
    except RefusedFileError as error:
        message = _explain(words, table, error)
    except SourceSideError as error:
        message = _explain_source(loader.database, words, error.cause)
    except psycopg2.Error as error:
        if (refused := staging_table.translate(error)) is None:
            raise
        message = _explain(words, table, refused)
    else:
        logger.info(
            "%s into raw.%s; rows read %d, inserted %d, updated %d, unchanged %d, deleted %d.",
            *(words, table.name, result.rows_read, result.rows_inserted),
            *(result.rows_updated, result.rows_unchanged, result.rows_deleted),
        )
        return result
    # no server error is being handled here, so that none, with its data, hangs on what is raised
    with loader.transaction() as cursor:
        attempt = Attempt(loader.run_id, started_at, loader.clock.now())
        result = LoadResult(table.name, words, "loaded")
        load_log.record_failed_read(cursor, attempt, result, snapshot, message)
    raise SourceError(message)


def _load(
    loader: DatabaseLoader, snapshot: Snapshot, table: Table, started_at: datetime
) -> LoadResult:
    select = select_of(snapshot, table)
    with loader.transaction() as cursor:
        state = raw_table.prepare(cursor, table)
        window = find_window(cursor, snapshot, table, is_new=state != "ready")
        load_id = load_log.next_load_id(cursor)
        rows, counts, target = write_rows(
            snapshot,
            restrict(select, table, window),
            cursor,
            table,
            load_id,
            is_missing=state == "missing",
            may_shrink=table.name in loader.confirm_shrunk,
            source_file=describe_read(snapshot, table),
            latest=value_formats.latest_version(table, started_at),
        )
        raw_table.index(cursor, table)
        result = LoadResult(
            table.name,
            describe_read(snapshot, table),
            "loaded",
            load_id,
            rows_read=rows,
            rows_inserted=counts.inserted,
            rows_updated=counts.updated,
            rows_unchanged=counts.unchanged,
            rows_deleted=counts.deleted,
        )
        warn_of_unknown_columns(cursor, snapshot, table, result)
        watermark_to = watermark_of(cursor, snapshot, table, window, target)
        load_log.record_read(
            *(cursor, Attempt(loader.run_id, started_at, loader.clock.now()), result, snapshot),
            watermark_from=window.watermark_from,
            watermark_to=watermark_to,
        )
        return result


def _explain(words: str, table: Table, refused: RefusedFileError) -> str:
    keys = ", ".join(f"`{key}`" for key in table.primary_key)
    if refused.kind == "file":  # the merge's own refusal
        return (
            f"{words} {refused.reason}. Nothing of this table was loaded. Look at the shop's "
            f"database and run again, or {offer_to_shrink(table.name)}"
        )
    said = {
        "value": f"`{refused.column}` of a row is infinite, or of no year from 1 to 9999.",
        "duplicate": f"a key ({keys}) is there twice, it must be unique.",
        "key": f"`{refused.column}` is null or empty in a row, but it is part of the key ({keys}).",
        "limit": f"a row, or its key ({keys}), is larger than the warehouse can take.",
    }.get(refused.kind, f"a row does not fit into raw.{table.name} ({refused.reason}).")
    return f"{words}: {said} {WHAT_NOW}"


def _explain_source(database: Database, words: str, cause: Exception) -> str:
    if isinstance(cause, psycopg2.DataError | psycopg2.ProgrammingError):
        return f"{words} can't be read ({type(cause).__name__}). {WHAT_NOW}"
    raise lost(database, cause) from None


def write_rows(
    snapshot: Snapshot,
    select: sql.Composable,
    cursor: Cursor,
    table: Table,
    load_id: int,
    *,
    is_missing: bool,
    may_shrink: bool,
    source_file: str,
    latest: datetime | None,
) -> tuple[int, Counts, sql.Identifier]:
    """Bring the rows of a query on the shop's database into raw.

    A row is what the shop says now, whatever its version says; see ``merge.apply``.

    Args:
        snapshot: the shop as it is read.
        select: the query, of the contract's columns in their order.
        cursor: of the load's own transaction.
        table: the contract.
        load_id: the load's number.
        is_missing: the raw table is not there yet.
        may_shrink: a snapshot may lose more than half of its rows.
        source_file: what is read, in words, the same each time.
        latest: the latest version that a row may have.

    Returns:
        The rows read, what became of them, and the table that holds them now.

    Raises:
        RefusedFileError: if a key is there twice or is too long, or a snapshot lost too much.
        SourceSideError, psycopg2.Error: as ``copy_through`` does.
    """
    tombstones = erasure.read_tombstones(cursor, table)
    is_direct = is_missing and not tombstones
    staging = (
        staging_table.open_raw(cursor, table, load_id)
        if is_direct
        else staging_table.open_new(cursor, table)
    )
    into = sql.SQL("{} ({})").format(staging.name, sql.SQL(", ").join(staging.columns))
    value_formats.add_checks(cursor, table, staging.name, data_types=INSTANTS)
    rows = copy_through(snapshot.cursor, select, cursor, into, is_made_here=is_direct)
    if is_direct:
        value_formats.drop_checks(cursor, table, staging.name)
    forgotten = 0 if is_direct else erasure.drop_erased(staging, tombstones)
    _add_key(staging)
    if is_direct:
        raw_table.finish(cursor, table)
        return rows, Counts(inserted=rows), staging.name
    if is_missing:
        raw_table.create(cursor, table)
    counts = merge.apply(
        *(staging, load_id, rows - forgotten),
        may_shrink=may_shrink,
        source_file=source_file,
        latest=latest,
    )
    if is_missing:
        _add_key(staging_table.raw_of(cursor, table))
    return rows, replace(counts, unchanged=counts.unchanged + forgotten), staging.name


def _add_key(staging: StagingTable) -> None:
    if kind := staging.add_key():
        raise RefusedFileError(kind)
