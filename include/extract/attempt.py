"""One file, one transaction: all of it is loaded or nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime

import psycopg2

from include.extract import history, merge, raw_table, staging
from include.extract.contracts import Table
from include.extract.errors import FileInMotionError, RefusedFileError, SourceError
from include.extract.explain import explain
from include.extract.header import read_header
from include.extract.history import Known, LoadResult
from include.extract.landing import Landing, SourceFile
from include.extract.loader import Loader
from include.extract.records import Record, read_records
from include.extract.settle import wait_until_settled
from include.extract.stream import open_stream

logger = logging.getLogger(__name__)
# what the server says about the data of a file, and no retry changes
_ABOUT_THE_DATA = (
    psycopg2.DataError,
    psycopg2.IntegrityError,
    psycopg2.errors.ProgramLimitExceeded,
)


def load_file(
    loader: Loader, table: Table, file: SourceFile, earlier: Sequence[str]
) -> tuple[LoadResult, dict[str, Known]]:
    """Load a file and return what became of it, and what is known of the table's files now.

    ``earlier`` are the paths that come before it in load order.

    Raises:
        SourceError: if the file is refused. The refusal has a row in ``ops.load`` then.
    """
    started_at = loader.clock.now()
    refused: RefusedFileError | None = None
    try:
        settled = wait_until_settled(
            lambda: loader.landing.look(file.path), loader.clock, loader.settle_seconds
        )
        if settled is not None:
            file = settled
            return _load(loader, table, file, earlier, started_at)
    except (FileInMotionError, FileNotFoundError):
        pass
    except PermissionError:
        refused = RefusedFileError("file", "can't be read: permission denied")
    except RefusedFileError as error:
        refused = error
    except _ABOUT_THE_DATA as error:
        refused = staging.translate(error)

    # from here on no server error is being handled, so that none hangs on what is raised
    if refused is None or _has_moved(loader.landing, file):
        logger.warning(
            "%s is still being written (or was just taken away): left for the next run.", file.path
        )
        return LoadResult(table.name, file.path, "left"), {}
    message = explain(refused, table, file.path, lambda: _records(loader.landing, file))
    with loader.transaction() as cursor:
        history.record_failure(
            cursor,
            table.name,
            file,
            run_id=loader.run_id,
            error=message,
            started_at=started_at,
            finished_at=loader.clock.now(),
        )
    raise SourceError(message)


def _load(
    loader: Loader, table: Table, file: SourceFile, earlier: Sequence[str], started_at: datetime
) -> tuple[LoadResult, dict[str, Known]]:
    with loader.transaction() as cursor:
        is_new = raw_table.prepare(cursor, table)
        # asked again under the lock: another load may have been faster
        known = history.read_known(cursor, table.name)
        decision = "apply" if is_new else history.decide(file, known, earlier)
        if decision == "skip":
            return LoadResult(table.name, file.path, "skipped"), known
        load_id = history.next_load_id(cursor)
        version = cursor.connection.server_version
        with open_stream(loader.landing, file, version) as stream:
            header = read_header(table, stream)
            if header.unknown:
                logger.warning(
                    "%s has columns that raw.%s does not: %s. They are ignored; declare them in "
                    "_greenery__sources.yml to load them.",
                    *(file.path, table.name, ", ".join(header.unknown)),
                )
            rows = staging.fill(cursor, table, header, stream)
            sha256 = stream.sha256()
        if decision == "read" and known[file.path].sha256 == sha256:
            result = LoadResult(table.name, file.path, "unchanged", load_id)
        else:
            counts = merge.apply(
                cursor, table, load_id, rows, may_shrink=table.name in loader.confirm_shrunk
            )
            raw_table.index(cursor, table)
            numbers = {f"rows_{name}": count for name, count in asdict(counts).items()}
            result = LoadResult(table.name, file.path, "loaded", load_id, rows, **numbers)
        # as late as can be: what was read must still be what lies there
        if _has_moved(loader.landing, file):
            raise FileInMotionError
        history.record(
            cursor,
            result,
            file,
            run_id=loader.run_id,
            sha256=sha256,
            started_at=started_at,
            finished_at=loader.clock.now(),
        )
        return result, history.read_known(cursor, table.name)


def _has_moved(landing: Landing, file: SourceFile) -> bool:
    try:
        return landing.look(file.path) != file
    except FileNotFoundError:
        return True


def _records(landing: Landing, file: SourceFile) -> Iterator[Record]:
    with open_stream(landing, file) as stream:
        yield from read_records(stream)
