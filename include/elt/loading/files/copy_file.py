"""The rows of one file into their target: at once if all fit, else without the bad ones."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from psycopg2.extensions import cursor as Cursor

from elt.errors import FileInMotionError, RefusedFileError
from elt.loading import erasure, staging_table, value_formats
from elt.loading.contract import Table
from elt.loading.files import copy_in_chunks, hidden_faults
from elt.loading.files.copy_in_chunks import count_all_rows, find_records
from elt.loading.files.csv_records import Record, read_records
from elt.loading.files.date_look import DateLook, Watched
from elt.loading.files.header import Header, read_header
from elt.loading.files.landing import Landing, SourceFile
from elt.loading.files.stream import open_stream
from elt.loading.quarantine.store import SHOW_ROWS, BadRow, Quarantine, allowed_rows
from elt.loading.staging_table import KeyConflict, StagingTable, savepoint

# a file that can't be unpacked or read is not the fault of some of its rows
_ABOUT_ROWS = {
    *("type", "key", "structure", "encoding", "limit", "end_marker", "quotes", "header"),
    *("form", "value"),
}
# only a look at the rows can tell whether that is so, and why
_TO_LOOK_AT = ("form", "value")


@dataclass(frozen=True)
class Filled:
    """What a file brought. ``is_direct``: the rows are in the raw table already, with its key.

    Else they wait in ``staging``, which has the key. ``rows_read`` = ``rows`` there + quarantined +
    erased. ``swallowed`` says of values that may be rows, or nothing.
    """

    staging: StagingTable
    header: Header
    sha256: str
    rows_read: int
    rows: int
    quarantined: int
    is_direct: bool
    swallowed: str = ""


def fill(
    cursor: Cursor,
    landing: Landing,
    table: Table,
    file: SourceFile,
    load_id: int,
    *,
    is_missing: bool,
    latest: datetime | None = None,
) -> Filled:
    """Copy a file into the raw table, if it is missing and nothing speaks against it, or into a
    temporary table.

    Args:
        cursor: of the load's own transaction.
        landing: the folder in which the file lies.
        table: its contract.
        file: the file.
        load_id: the load's number.
        is_missing: the raw table is not there yet.
        latest: the latest version that a row may have.

    Raises:
        RefusedFileError: if it can't be read, or has more bad rows than the contract allows.
    """
    value_formats.use_date_order(cursor, table)
    tombstones = erasure.read_tombstones(cursor, table)
    with open_stream(landing, file, table, for_server=cursor.connection.server_version) as stream:
        header = read_header(table, stream)
        # COPY can't leave out a column or a row, nor see that a text of a key is empty
        is_direct = is_missing and not (header.unknown or tombstones or table.null_text)
        with savepoint(cursor, "at_once") as outcome:
            if is_direct:
                staging = staging_table.open_raw(cursor, table, load_id, header.names)
            else:
                is_numbered = bool(tombstones)
                staging = staging_table.open_new(
                    cursor, table, header.names, is_numbered=is_numbered
                )
            value_formats.add_checks(
                cursor, table, staging.name, latest, data_types=value_formats.FRACTIONS
            )
            options = "header true, freeze true" if is_direct else "header true"
            watched = Watched(stream, DateLook(table, header.names))
            rows_read = staging.copy(watched, options=options)
            if is_direct:
                value_formats.drop_checks(cursor, table, staging.name)
            sha256, seems_utf_8 = stream.sha256(), stream.seems_utf_8
            has_lines_inside = stream.has_lines_inside
            forgotten = 0 if is_direct else erasure.drop_erased(staging, tombstones)
            refusal = staging.add_key()
            hidden_faults.refuse_hidden(staging, header.names)
    quarantine = Quarantine(cursor, table, load_id, file.path, header.names, tombstones)
    if outcome.refused:
        kind = outcome.refused.kind
        must_stop = table.on_bad_row == "stop" and kind not in _TO_LOOK_AT
        if kind not in _ABOUT_ROWS or must_stop:
            raise outcome.refused
        is_direct = False
        with open_stream(landing, file, table) as stream:
            staging, rows_read, has_lines_inside = copy_in_chunks.copy_good_rows(
                *(cursor, table, header.names, stream, quarantine),
                latest=latest,
                count_rows=partial(_count_rows, landing, file, table),
            )
            sha256, seems_utf_8 = stream.sha256(), stream.seems_utf_8
        if table.on_bad_row == "stop" and (bad := quarantine.first_row):
            raise RefusedFileError(
                "bad_row", bad.reason, column=bad.column, records=(bad.record.number,)
            )
        quarantine.check_share(rows_read)
        forgotten = quarantine.erased + erasure.drop_erased(staging, tombstones)
        refusal = staging.add_key()
    if refusal:
        _quarantine_key_conflicts(staging, landing, file, quarantine, rows_read, refusal)
    rows = rows_read - quarantine.rows - forgotten
    header = replace(header, seems_utf_8=seems_utf_8)
    swallowed = ""
    if has_lines_inside:
        records = partial(read_again, landing, file, table)
        swallowed = hidden_faults.describe_swallowed_rows(staging, header.names, file.path, records)
    return Filled(staging, header, sha256, rows_read, rows, quarantine.rows, is_direct, swallowed)


def read_again(landing: Landing, file: SourceFile, table: Table) -> Iterator[Record]:
    """Yield the records of a file for a message, which does without if the file is another now."""
    with contextlib.suppress(FileInMotionError), open_stream(landing, file, table) as stream:
        yield from read_records(stream, stream.delimiter, first_line=stream.first_line)


def _count_rows(landing: Landing, file: SourceFile, table: Table) -> int:
    with open_stream(landing, file, table) as stream:
        return count_all_rows(stream)


def _quarantine_key_conflicts(
    staging: StagingTable,
    landing: Landing,
    file: SourceFile,
    quarantine: Quarantine,
    rows_read: int,
    refusal: str,
) -> None:
    table = staging.table
    allowed = allowed_rows(table, rows_read) - quarantine.rows
    enough = max(allowed, SHOW_ROWS) + 1
    conflicts = staging.find_key_conflicts(enough)
    if not conflicts:
        raise RefusedFileError(refusal)
    first = conflicts[0]
    if table.on_bad_row == "stop":
        pair = tuple(sorted(number for number in (first.number, first.kept) if number))
        raise RefusedFileError("duplicate" if first.kept else "limit", records=pair)
    shown = conflicts if len(conflicts) <= allowed else conflicts[:SHOW_ROWS]
    quarantine.add(_bad_rows(landing, file, table, shown))
    is_counted = len(conflicts) < enough
    quarantine.check_share(rows_read, more=len(conflicts) - len(shown), is_counted=is_counted)
    staging.remove(conflicts)
    if remaining := staging.add_key():
        raise RefusedFileError(remaining)


def _bad_rows(
    landing: Landing, file: SourceFile, table: Table, conflicts: list[KeyConflict]
) -> list[BadRow]:
    numbers = {
        number for conflict in conflicts for number in (conflict.number, conflict.kept) if number
    }
    with open_stream(landing, file, table) as stream:
        records = find_records(stream, numbers)
    column = table.primary_key[0]
    names = ", ".join(table.primary_key)
    bad = []
    for conflict in conflicts:
        reason = f"the key ({names}) is longer than an index can hold"
        if conflict.kept is not None:
            line = records[conflict.kept].line
            reason = f"the key ({names}) is there again on line {line}, and that row is loaded"
        is_replayable = conflict.kept is None
        bad.append(BadRow(records[conflict.number], (reason,), column, is_replayable))
    return bad
