"""One table of the shop's database: its rows in a snapshot, in one transaction of the warehouse."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from datetime import datetime

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from include.extract import database_history, history, merge, merge_sql, raw_table
from include.extract.contracts import Table
from include.extract.database import Database, Snapshot, lost
from include.extract.database_columns import select_of
from include.extract.errors import RefusedFileError, SourceError
from include.extract.history import LoadResult
from include.extract.loader import Transaction
from include.extract.pipe import SourceSideError, copy_through
from include.extract.settle import Clock
from include.extract.staging import NEW
from include.extract.window import describe, find_window, restrict, watermark_of

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
    except (psycopg2.DataError, psycopg2.IntegrityError) as error:
        message = f"{words}: {_about(error, table)} {WHAT_NOW}"
    else:
        logger.info(
            "%s into raw.%s; rows read %d, inserted %d, updated %d, unchanged %d, deleted %d.",
            *(words, table.name, result.rows_read, result.rows_inserted),
            *(result.rows_updated, result.rows_unchanged, result.rows_deleted),
        )
        return result
    # no server error is being handled here, so that none, with its data, hangs on what is raised
    with loader.transaction() as cursor:
        database_history.record_failure(
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
        is_new = raw_table.prepare(cursor, table)
        window = find_window(cursor, snapshot, table, is_new=is_new)
        load_id = history.next_load_id(cursor)
        select = restrict(select, table, window)
        rows, counts, held = _bring(loader, snapshot, table, cursor, load_id, select)
        numbers = {f"rows_{name}": count for name, count in asdict(counts).items()}
        result = LoadResult(
            table.name, describe(snapshot, table), "loaded", load_id, rows, **numbers
        )
        database_history.record(
            cursor,
            result,
            snapshot,
            run_id=loader.run_id,
            watermark_from=window.watermark_from,
            watermark_to=watermark_of(cursor, snapshot, table, window, held),
            started_at=started_at,
            finished_at=loader.clock.now(),
        )
        return result


def _bring(
    loader: DatabaseLoader,
    snapshot: Snapshot,
    table: Table,
    cursor: Cursor,
    load_id: int,
    select: sql.Composable,
) -> tuple[int, merge.Counts, sql.Identifier]:
    """Return the rows read, what became of them, and the table that holds them now."""
    parts = merge_sql.parts_of(table, load_id)
    cursor.execute(sql.SQL("select not exists (select from {raw})").format(**parts))
    if cursor.fetchone()[0]:
        # every column but this has its value or its default
        default = "alter table {raw} alter column _load_id "
        cursor.execute(sql.SQL(default + "set default {load_id}").format(**parts))
        into = sql.SQL("{raw} ({columns})").format(**parts)
        rows = copy_through(snapshot.cursor, select, cursor, into)
        cursor.execute(sql.SQL(default + "drop default").format(**parts))
        cursor.execute(sql.SQL("analyze {raw}").format(**parts))
        return rows, merge.Counts(inserted=rows), raw_table.name_of(table)
    cursor.execute(
        sql.SQL(
            "create temporary table {} on commit drop as select {columns} from {raw} limit 0"
        ).format(sql.Identifier("_new"), **parts)
    )
    for key in table.primary_key:
        cursor.execute(
            sql.SQL("alter table {} alter column {} set not null").format(NEW, sql.Identifier(key))
        )
    into = sql.SQL("{} ({columns})").format(NEW, **parts)
    rows = copy_through(snapshot.cursor, select, cursor, into)
    may_shrink = table.name in loader.confirm_shrunk
    return rows, merge.apply(cursor, table, load_id, rows, may_shrink=may_shrink), NEW


def _explain(words: str, table: Table, refused: RefusedFileError) -> str:
    if refused.kind == "file":
        return f"{words} {refused.reason}. {refused.remedy}"
    return f"{words}: {_TWICE.format(_keys(table))} {WHAT_NOW}"


_TWICE = "a key ({}) is there twice, it must be unique."


def _about(error: psycopg2.Error, table: Table) -> str:
    """Say what the warehouse refused, without its words: they quote the row."""
    if isinstance(error, psycopg2.errors.UniqueViolation):
        return _TWICE.format(_keys(table))
    if isinstance(error, psycopg2.errors.NotNullViolation):
        return f"`{error.diag.column_name}` is null in a row, but it is part of the key."
    return f"a row does not fit into raw.{table.name} ({type(error).__name__})."


def _explain_source(database: Database, words: str, cause: Exception) -> str:
    if isinstance(cause, psycopg2.DataError | psycopg2.ProgrammingError):
        return f"{words} can't be read ({type(cause).__name__}). {WHAT_NOW}"
    raise lost(database, cause) from None


def _keys(table: Table) -> str:
    return ", ".join(f"`{key}`" for key in table.primary_key)
