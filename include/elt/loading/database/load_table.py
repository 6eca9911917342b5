"""One table of the shop's database: its rows in a snapshot, in one transaction of the warehouse."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

import psycopg2

from elt.loading import load_log, raw_table, staging_table, value_formats
from elt.loading.contract import Table
from elt.loading.database import read_log
from elt.loading.database.columns import select_of, warn_of_unknown_columns
from elt.loading.database.copy_between_servers import SourceSideError
from elt.loading.database.cursor_window import describe, find_window, restrict, watermark_of
from elt.loading.database.source import Database, Snapshot, lost
from elt.loading.database.write_rows import bring
from elt.loading.errors import RefusedFileError, SourceError
from elt.loading.load_context import Clock, Transaction
from elt.loading.load_log import LoadResult

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


def load_table(loader: DatabaseLoader, snapshot: Snapshot, table: Table) -> LoadResult:
    """Load what a snapshot holds of a table.

    Raises:
        SourceError: if the table is refused; it has a row in ``ops.load`` then.
        SourceUnreachableError, psycopg2.OperationalError: if a connection was lost.
    """
    started_at = loader.clock.now()
    words = describe(snapshot, table)
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
        read_log.record_failure(
            cursor,
            LoadResult(table.name, words, "loaded"),
            snapshot,
            run_id=loader.run_id,
            error=message,
            started_at=started_at,
            finished_at=loader.clock.now(),
        )
    raise SourceError(message)


def _load(
    loader: DatabaseLoader, snapshot: Snapshot, table: Table, started_at: datetime
) -> LoadResult:
    select = select_of(snapshot, table)
    with loader.transaction() as cursor:
        state = raw_table.prepare(cursor, table)
        window = find_window(cursor, snapshot, table, is_new=state != "ready")
        load_id = load_log.next_load_id(cursor)
        rows, counts, target = bring(
            snapshot,
            restrict(select, table, window),
            cursor,
            table,
            load_id,
            is_missing=state == "missing",
            may_shrink=table.name in loader.confirm_shrunk,
            source_file=describe(snapshot, table),
            latest=value_formats.latest_version(table, started_at),
        )
        raw_table.index(cursor, table)
        numbers = counts.by_fate()
        result = LoadResult(
            *(table.name, describe(snapshot, table), "loaded", load_id, rows), **numbers
        )
        warn_of_unknown_columns(cursor, snapshot, table, result)
        read_log.record(
            cursor,
            result,
            snapshot,
            run_id=loader.run_id,
            watermark_from=window.watermark_from,
            watermark_to=watermark_of(cursor, snapshot, table, window, target),
            started_at=started_at,
            finished_at=loader.clock.now(),
        )
        return result


def _explain(words: str, table: Table, refused: RefusedFileError) -> str:
    keys = ", ".join(f"`{key}`" for key in table.primary_key)
    if refused.kind == "file":  # the merge's own refusal
        return (
            f"{words} {refused.reason}. Nothing of this table was loaded. Look at the shop's "
            f"database and run again, or confirm that `{table.name}` really shrank "
            "(confirm_shrunk)."
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
