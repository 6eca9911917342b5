"""Load the files of one table, in order."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from psycopg2.extensions import cursor as Cursor

from elt.errors import SourceError
from elt.loading import diagnostics, load_log, raw_table
from elt.loading.contract import Table
from elt.loading.files import load_order
from elt.loading.files.file_names import Stray, describe_strays
from elt.loading.files.landing import SourceFile
from elt.loading.files.load_file import load_file
from elt.loading.files.load_order import LoadOrder
from elt.loading.load_context import Loader
from elt.loading.load_log import LoadResult

logger = logging.getLogger(__name__)
UNREAD = "unread_file"


def load_table(
    loader: Loader, table: Table, files: Sequence[SourceFile], not_read: Sequence[Stray] = ()
) -> list[LoadResult]:
    """Load what is new among the files of a table and return what became of each.

    It stops at a file that is still being written, because what comes after builds on it.

    Args:
        files: in natural order of their names.
        not_read: what else lies there; it is warned of.

    Raises:
        SourceError: if a file is refused, those before it stay loaded and none after it is tried;
            or if there is no file, though there never was one or something that can't be read.
        psycopg2.OperationalError: if the connection was lost; trying again helps.
    """
    with loader.transaction() as cursor:
        warn_of_unread(cursor, table.name, not_read)
        known = load_log.read_known(cursor, table.name)
        order = LoadOrder(known, (file.path for file in files))
        load_order.warn_of_byte_order(cursor, table, order)
        must_read_all = raw_table.needs_change(cursor, table)
    if not files:
        _check_nothing(loader, table, not_read, was_loaded=bool(known))
    results = _load_in_order(loader, table, files, order, must_read_all=must_read_all)
    if table.version and any(result.status == "loaded" for result in results):
        with loader.transaction() as cursor:
            known = load_log.read_known(cursor, table.name)
        if load_log.is_to_be_read_again(known, [file.path for file in files]):
            logger.info("Rows of %s went back to an older version: read again.", table.name)
            order = LoadOrder(known, (file.path for file in files))
            repeated = _load_in_order(loader, table, files, order)
            results += [result for result in repeated if result.status != "skipped"]
    return results


def _load_in_order(
    loader: Loader,
    table: Table,
    files: Sequence[SourceFile],
    order: LoadOrder,
    *,
    must_read_all: bool = False,
) -> list[LoadResult]:
    results: list[LoadResult] = []
    for file in files:
        decision = load_log.decide(file, order.known.get(file.path), order.newest_before(file.path))
        if not must_read_all and decision == "skip":
            results.append(LoadResult(table.name, file.path, "skipped"))
            continue
        must_read_all = False
        result = load_file(loader, table, file, order)
        logger.info(
            "%s into raw.%s: %s; rows read %d, inserted %d, updated %d, unchanged %d, deleted %d, "
            "quarantined %d.",
            *(file.path, table.name, result.status, result.rows_read, result.rows_inserted),
            *(result.rows_updated, result.rows_unchanged, result.rows_deleted),
            result.rows_quarantined,
        )
        results.append(result)
        if result.status == "left":
            break
    return results


def warn_of_unread(cursor: Cursor, table_name: str, not_read: Sequence[Stray]) -> None:
    """Warn, once, of what lies in the landing folder and is not read."""
    for known_by, message in describe_strays(not_read):
        diagnostics.warn(cursor, table_name, UNREAD, known_by, message, None)


def _check_nothing(
    loader: Loader, table: Table, not_read: Sequence[Stray], *, was_loaded: bool
) -> None:
    if was_loaded and all(stray.is_unfinished for stray in not_read):
        logger.warning("There is no file for the table %s; it stays as it is.", table.name)
        return
    listed = "".join(f" {message}" for _, message in describe_strays(not_read)[:3])
    never = ", and none was ever loaded" if not was_loaded else " that can be read"
    raise SourceError(
        f"There is no file for the table `{table.name}` in {loader.landing.url}{never}. Expected "
        f"{table.name}.csv or {table.name}/<name>.csv.{listed}"
    )
