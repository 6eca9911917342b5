"""One file, one transaction: all of it is loaded or nothing; one still being written is left."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import psycopg2

from elt.errors import FileInMotionError, RefusedFileError, SourceError
from elt.loading import diagnostics, load_log, merge, raw_table, staging_table, value_formats
from elt.loading.contract import Table
from elt.loading.files import load_order
from elt.loading.files.copy_file import Filled, fill, read_again
from elt.loading.files.landing import Landing, SourceFile
from elt.loading.files.load_order import LateFile, LoadOrder
from elt.loading.files.stream import hash_file
from elt.loading.load_context import Clock, Deadline, Loader
from elt.loading.load_log import Attempt, Known, LoadResult
from elt.loading.merge import Counts
from elt.loading.quarantine import store

logger = logging.getLogger(__name__)
SWALLOWED = "swallowed_rows"
# what the server says about the data of a file, and no retry changes
_ABOUT_THE_DATA = (
    psycopg2.DataError,
    psycopg2.IntegrityError,
    psycopg2.errors.ProgramLimitExceeded,
    psycopg2.errors.StatementTooComplex,
    psycopg2.errors.TooManyColumns,
    psycopg2.errors.TooManyArguments,
)


def load_file(loader: Loader, table: Table, file: SourceFile, order: LoadOrder) -> LoadResult:
    """Load a file and return what became of it.

    Args:
        loader: what the load needs from outside.
        table: the contract of the file.
        file: as it lay there when the folder was listed.
        order: what is there and what was loaded of the table; it knows of this file afterwards.

    Raises:
        SourceError: if the file is refused. The refusal has a row in ``ops.load`` then.
    """
    started_at = loader.clock.now()
    refused: RefusedFileError | None = None
    deadline = Deadline(loader.clock.now, table.max_minutes)
    loader = replace(loader, landing=deadline.landing(loader.landing))
    try:
        settled = wait_until_settled(
            lambda: loader.landing.look(file.path), loader.clock, loader.settle_seconds
        )
        if settled is not None:
            file = settled
            return _load(loader, table, file, order, started_at, deadline)
    except (FileInMotionError, FileNotFoundError):
        pass
    except PermissionError:
        refused = RefusedFileError("file", "can't be read: permission denied")
    except RefusedFileError as error:
        refused = error
    except _ABOUT_THE_DATA as error:
        refused = staging_table.translate(error)
    except psycopg2.errors.QueryCanceled:
        if not deadline.is_over():
            raise
        refused = deadline.refusal()

    # from here on no server error is being handled, so that none hangs on what is raised
    if refused is None or _has_moved(loader.landing, file):
        logger.warning(
            "%s is still being written (or was just taken away): left for the next run.", file.path
        )
        return LoadResult(table.name, file.path, "left")
    message = diagnostics.explain(
        refused, table, file.path, lambda: read_again(loader.landing, file, table)
    )
    with loader.transaction() as cursor:
        attempt = Attempt(loader.run_id, started_at, loader.clock.now())
        load_log.record_failure(cursor, attempt, table.name, file, message)
    raise SourceError(message)


def wait_until_settled(
    look: Callable[[], SourceFile], clock: Clock, settle_seconds: float, looks: int = 4
) -> SourceFile | None:
    """Return a file once it has been still for long enough, or None if it keeps changing.

    A file that is old enough is returned at once, and so is one of a store that keeps no time. One
    from the future (a clock is wrong somewhere) only has to stay as it is for that long.

    Args:
        look: returns the file as it is now.
        clock: tells the time, and waits.
        settle_seconds: how long it must have been still.
        looks: after how many it is left.
    """
    file = look()
    for _ in range(looks):
        wait = seconds_to_wait(file, clock.now(), settle_seconds)
        if wait <= 0:
            return file
        clock.sleep(wait)
        now = look()
        if now == file:
            return file
        file = now
    return None


def seconds_to_wait(file: SourceFile, now: datetime, settle_seconds: float) -> float:
    """Return how many seconds a file must still lie unchanged; 0 or less means none."""
    if file.modified_at is None:
        return 0
    age = (now - file.modified_at).total_seconds()
    return settle_seconds - max(age, 0)


def _load(
    loader: Loader,
    table: Table,
    file: SourceFile,
    order: LoadOrder,
    started_at: datetime,
    deadline: Deadline,
) -> LoadResult:
    with loader.transaction() as cursor:
        state = raw_table.prepare(cursor, table)
        # only now: what other loads hold is not this file's fault
        deadline.start(cursor)
        # asked again under the lock: another load may have been faster
        order.known |= load_log.read_known(cursor, table.name, file.path)
        last = order.known.get(file.path)
        decision = load_log.decide(file, last, order.newest_before(file.path))
        if state != "ready":
            decision = "apply"
        if decision == "skip":
            return LoadResult(table.name, file.path, "skipped")
        load_id = load_log.next_load_id(cursor)
        columns = None
        latest = value_formats.latest_version(table, started_at)
        same = _same_sha256(loader.landing, file, last) if decision == "read" and last else None
        if same:
            sha256 = same
            result = LoadResult(table.name, file.path, "unchanged", load_id)
        else:
            filled = fill(
                *(cursor, loader.landing, table, file, load_id),
                is_missing=state == "missing",
                latest=latest,
            )
            deadline.limit_statements(cursor)
            sha256, columns = filled.sha256, filled.header.names
            place = load_order.compare_with_later(cursor, table, file.path, sha256, order, state)
            may_shrink = table.name in loader.confirm_shrunk
            counts = _apply(
                *(load_id, filled, state, place),
                may_shrink=may_shrink,
                latest=latest,
            )
            raw_table.index(cursor, table)
            if counts.lowered and table.load == "delta":
                load_log.read_others_again(cursor, table.name, file.path)
            result = LoadResult(
                table.name,
                file.path,
                "loaded",
                load_id,
                rows_read=filled.rows_read,
                rows_inserted=counts.inserted,
                rows_updated=counts.updated,
                rows_unchanged=counts.unchanged,
                rows_deleted=counts.deleted,
                rows_quarantined=filled.quarantined,
            )
            is_snapshot = table.load == "full_snapshot" and not place.is_outdated
            is_whole = is_snapshot and not filled.quarantined
            store.supersede(cursor, table, load_id, file.path, is_whole=is_whole)
            if not filled.is_direct and not place.is_outdated:
                store.supersede_keys(filled.staging, load_id, but_of=place.kept)
            diagnostics.warn_of_file(cursor, table, result, filled.header)
            if filled.swallowed:
                detail = f"{file.path} {sha256[:12]}"
                diagnostics.warn(cursor, table.name, SWALLOWED, detail, filled.swallowed, load_id)
        # as late as can be: what was read must still be what lies there
        if _has_moved(loader.landing, file):
            raise FileInMotionError
        attempt = Attempt(loader.run_id, started_at, loader.clock.now())
        load_log.record(cursor, attempt, result, file, sha256=sha256, columns=columns)
        applied_id = load_id if result.status == "loaded" or not last else last.applied_id
        order.known[file.path] = Known(file.path, file.size, file.modified_at, sha256, applied_id)
        return result


def _apply(
    load_id: int,
    filled: Filled,
    state: raw_table.State,
    place: LateFile,
    *,
    may_shrink: bool,
    latest: datetime | None,
) -> Counts:
    cursor, table = filled.staging.cursor, filled.staging.table
    if filled.is_direct:
        raw_table.finish(cursor, table)
        return Counts(inserted=filled.rows)
    if state == "missing":
        raw_table.create(cursor, table)
    held = place.hold_back(filled.staging)
    left_out = filled.rows if place.is_outdated else 0 if place.is_rewritten else held
    counts = Counts()
    if not place.is_outdated:
        counts = merge.apply(
            filled.staging,
            load_id,
            filled.rows - left_out,
            given=filled.header.names,
            quarantined=filled.quarantined,
            may_shrink=may_shrink,
            source_file=place.path,
            latest=latest,
        )
    place.warn(cursor, table, load_id, held, counts.updated)
    if state == "missing":
        staging_table.raw_of(cursor, table).add_key()
    erased = filled.rows_read - filled.rows - filled.quarantined
    return replace(counts, unchanged=counts.unchanged + left_out + erased)


def _same_sha256(landing: Landing, file: SourceFile, last: Known) -> str | None:
    """Return the hash of a file whose bytes are those that were loaded last, else None."""
    is_same = file.size == last.size and hash_file(landing, file) == last.sha256
    return last.sha256 if is_same else None


def _has_moved(landing: Landing, file: SourceFile) -> bool:
    try:
        return landing.look(file.path) != file
    except FileNotFoundError:
        return True
    except (PermissionError, RefusedFileError):  # that is why it was refused
        return False
