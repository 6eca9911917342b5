"""All tables of a shop's database in one snapshot, though each has a task of its own.

A snapshot lives as long as the transaction that took it, so one task must read all tables. It is
the first task of the run that gets its turn; the others find theirs loaded.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from elt.loading.contract import Table
from elt.loading.database.load_table import DatabaseLoader, load_table
from elt.loading.database.read_log import read_already
from elt.loading.database.source import open_snapshot
from elt.loading.errors import SourceError
from elt.loading.load_log import LoadResult

logger = logging.getLogger(__name__)


def load_with_all(
    loader: DatabaseLoader, tables: Mapping[str, Table], wanted: str, *, since: int = 0
) -> LoadResult:
    """Return what became of a table; read it with all others if no task of the run did so.

    ``since`` is the last load before the run began: what it read before it was cleared and begun
    again is old. A task of a table that was refused reads all tables again.

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
