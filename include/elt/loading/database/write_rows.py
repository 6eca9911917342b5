"""The rows of a database table into raw: straight in at the first load, else by a merge."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from elt.loading import erasure, merge, raw_table, staging_table, value_formats
from elt.loading.contract import INSTANTS, Table
from elt.loading.database.copy_between_servers import copy_through
from elt.loading.database.source import Snapshot
from elt.loading.errors import RefusedFileError
from elt.loading.merge import Counts
from elt.loading.staging_table import Target


def bring(
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
    """Return the rows read, what became of them, and the table that holds them now.

    A row is what the shop says now, whatever its version says; see ``merge.apply``.

    Raises:
        RefusedFileError: if a key is there twice or is too long, or a snapshot lost too much.
        SourceSideError, psycopg2.Error: as ``copy_through`` does.
    """
    tombstones = erasure.read_tombstones(cursor, table)
    is_direct = is_missing and not tombstones
    target = (
        staging_table.open_raw(cursor, table, load_id)
        if is_direct
        else staging_table.open_new(cursor, table)
    )
    columns = sql.SQL(", ").join(map(sql.Identifier, table.column_names))
    into = sql.SQL("{} ({})").format(target.name, columns)
    value_formats.add_checks(
        cursor, table, target.name, kinds=(value_formats.RULE,), data_types=INSTANTS
    )
    rows = copy_through(snapshot.cursor, select, cursor, into, is_made_here=is_direct)
    if is_direct:
        value_formats.drop_checks(cursor, table, target.name)
    forgotten = 0 if is_direct else erasure.drop_erased(cursor, table, tombstones)
    _add_key(cursor, table, target)
    if is_direct:
        raw_table.finish(cursor, table)
        return rows, Counts(inserted=rows), target.name
    if is_missing:
        raw_table.create(cursor, table)
    counts = merge.apply(
        *(cursor, table, load_id, rows - forgotten),
        may_shrink=may_shrink,
        source_file=source_file,
        latest=latest,
    )
    if is_missing:
        _add_key(cursor, table, staging_table.raw_target(table))
    return rows, replace(counts, unchanged=counts.unchanged + forgotten), target.name


def _add_key(cursor: Cursor, table: Table, target: Target) -> None:
    if kind := staging_table.add_key(cursor, table, target):
        raise RefusedFileError(kind)
