"""Load the files of one table, in order."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from include.extract import history, raw_table
from include.extract.attempt import load_file
from include.extract.contracts import Table
from include.extract.errors import SourceError
from include.extract.history import LoadResult
from include.extract.landing import SourceFile
from include.extract.loader import Loader

logger = logging.getLogger(__name__)


def load_table(loader: Loader, table: Table, files: Sequence[SourceFile]) -> list[LoadResult]:
    """Load what is new among the files of a table and return what became of each.

    It stops at a file that is still being written, because what comes after builds on it.

    Raises:
        SourceError: if a file is refused, those before it stay loaded and none after it is tried;
            or if there is no file and never was one.
        psycopg2.OperationalError: if the connection was lost; trying again helps.
    """
    paths = [file.path for file in files]
    with loader.transaction() as cursor:
        known = history.read_known(cursor, table.name)
        has_news_for_all = raw_table.needs_change(cursor, table)
    if not files:
        if not known:
            raise SourceError(
                f"There is no file for the table `{table.name}` in {loader.landing.url}, and none "
                f"was ever loaded. Expected {table.name}.csv or {table.name}/<name>.csv."
            )
        logger.warning("There is no file for the table %s; it stays as it is.", table.name)
    results: list[LoadResult] = []
    for place, file in enumerate(files):
        earlier = paths[:place]
        if not has_news_for_all and history.decide(file, known, earlier) == "skip":
            results.append(LoadResult(table.name, file.path, "skipped"))
            continue
        has_news_for_all = False
        result, known = load_file(loader, table, file, earlier)
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
