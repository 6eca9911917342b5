"""The way of a file with bad rows: what is right is loaded, the rest comes back with its faults.

The file is cut into pieces of whole records, at the speed of C unless a quote breaks the rule.
Clean pieces go through COPY as they are. Only the records of a piece that the server refuses are
cut in Python, and their values are validated by the server.
"""

from __future__ import annotations

import io
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from psycopg2.extensions import cursor as Cursor

from elt.loading import staging_table, value_formats
from elt.loading.contract import Table
from elt.loading.files.csv_records import (
    MARKER,
    Record,
    check_length,
    count_records,
    cut_records,
    read_on,
)
from elt.loading.files.date_look import DateLook
from elt.loading.files.hidden_faults import Headers
from elt.loading.files.quoting import QUOTE, Cut, Grammar, QuoteCheck, grammar, last_end, line_end
from elt.loading.files.stream import CHUNK_BYTES, Text
from elt.loading.quarantine import validate_rows
from elt.loading.quarantine.store import Quarantine
from elt.loading.staging_table import StagingTable, savepoint

PART_BYTES = 4 << 20
# in a piece that was cut in Python
PART_RECORDS = 50_000


@dataclass(frozen=True)
class Chunk:
    """Whole records of a file. ``line`` is the first one's; ``end`` is how the header ends.

    ``cuts`` are its records where some break the rule of quotes; without them all keep it.
    """

    header: bytes
    data: bytes
    line: int
    end: bytes
    delimiter: bytes
    cuts: tuple[Cut, ...] | None = None

    def records(self, number: int) -> Iterator[Record]:
        """Cut it; ``number`` is that of its first record."""
        return cut_records(
            *(self.data, self.end, self.cuts),
            delimiter=self.delimiter,
            number=number,
            line=self.line,
        )

    def count(self) -> int:
        """Return the number of its records."""
        return count_records(self.data, self.end) if self.cuts is None else len(self.cuts)


def read_chunks(stream: Text) -> Iterator[Chunk]:
    """Yield what comes after the header in pieces of about 4 MiB.

    Raises:
        RefusedFileError: if a record is longer than 64 MiB, as one is whose quote is never closed.
    """
    rest, is_last = read_on(stream, b"", CHUNK_BYTES)
    end = line_end(rest)
    rules = grammar(stream.delimiter, end)
    header = rest[: rules.first(rest).stop]
    rest = rest[len(header) :]
    line = stream.first_line + header.count(rules.end)
    while True:
        if not is_last:
            rest, is_last = read_on(stream, rest, PART_BYTES)
        place = 0
        for stop, cuts in _pieces(rest, rules, stream.delimiter, is_last=is_last):
            yield Chunk(header, rest[place:stop], line, end, stream.delimiter, cuts)
            line += rest.count(rules.end, place, stop)
            place = stop
        if is_last:
            return
        rest = rest[place:]
        check_length(rest, line)


def count_all_rows(stream: Text) -> int:
    """Return the number of records after the header.

    Raises:
        RefusedFileError: as ``read_chunks``.
    """
    return sum(chunk.count() for chunk in read_chunks(stream))


def find_records(stream: Text, numbers: Collection[int]) -> dict[int, Record]:
    """Return the records with these numbers, 1 being the first one after the header."""
    found: dict[int, Record] = {}
    wanted = sorted(set(numbers))
    number, place = 1, 0
    for chunk in read_chunks(stream):
        if place == len(wanted):
            break
        after = number + chunk.count()
        inside = set(wanted[place : bisect_left(wanted, after)])
        if inside:
            found |= {one.number: one for one in chunk.records(number) if one.number in inside}
        number, place = after, place + len(inside)
    return found


def _pieces(
    data: bytes, rules: Grammar, delimiter: bytes, *, is_last: bool
) -> Iterator[tuple[int, tuple[Cut, ...] | None]]:
    """Yield where to cut data that begins with a record, and the cuts inside of each piece."""
    stop = len(data) if is_last else last_end(data, rules.end, is_open=data.count(QUOTE) % 2 == 1)
    if not data or (stop and _keeps_rule(data, stop, delimiter)):
        if data:
            yield stop, None
        return
    cuts = rules.cuts(data, is_last=is_last)
    start = 0
    while piece := list(islice(cuts, PART_RECORDS)):
        stop = piece[-1].stop
        yield stop, tuple(Cut(c.stop - start, max(c.broken - start, -1)) for c in piece)
        start = stop


def _keeps_rule(data: bytes, stop: int, delimiter: bytes) -> bool:
    check = QuoteCheck(delimiter)
    # a step at a time, or a long record of quotes alone would be a list of millions
    steps = range(0, stop, CHUNK_BYTES)
    is_right = all(check.accepts(data[step : min(step + CHUNK_BYTES, stop)]) for step in steps)
    return is_right and not check.is_open


def copy_good_rows(
    cursor: Cursor,
    table: Table,
    names: Sequence[str],
    stream: Text,
    quarantine: Quarantine,
    *,
    latest: datetime | None = None,
    count_rows: Callable[[], int] | None = None,
) -> tuple[StagingTable, int, bool]:
    """Fill a temporary staging table with the good rows of a file.

    Return it, the rows read, and whether a value goes over several lines.

    Args:
        cursor: of the load's own transaction.
        table: the contract of the file.
        names: its header.
        stream: the file.
        quarantine: takes the other rows.
        latest: the latest version that a row may have.
        count_rows: reads the file by itself: once there are bad rows it tells how many may be, so
            that a file of nothing else is not validated to its end.

    Raises:
        RefusedFileError: if the file can't be cut into rows at all, or has too many bad ones.
    """
    staging = staging_table.open_new(cursor, table, names, is_numbered=True)
    value_formats.add_checks(
        cursor, table, staging.name, latest, data_types=value_formats.FRACTIONS
    )
    headers = Headers(table, names)
    pieces = _Pieces(staging, names)
    number, total, after = 1, 0, 0
    for chunk in read_chunks(stream):
        after = chunk.line + chunk.data.count(chunk.end[-1:])
        is_clean = chunk.cuts is None and not headers.may_be_in(chunk.data)
        rows = pieces.copy(chunk) if is_clean else None
        if rows is not None:
            number += rows
            continue
        # a line can be one byte long
        uncut = chunk.records(number)
        while records := list(islice(uncut, PART_RECORDS)):
            if quarantine.first_row and table.on_bad_row == "stop":
                return staging, number - 1, False
            if quarantine.first_row and count_rows:
                total = total or count_rows()
                quarantine.check_share(total, is_counted=False)
            bad, right = headers.sort_out(records)
            bad += validate_rows.stage_records(staging, names, right, end=chunk.end, latest=latest)
            quarantine.add(sorted(bad, key=lambda row: row.record.number))
            number += len(records)
        _count_on_from(cursor, number)
    # one for the header and one for each row: all the others stand inside of values
    return staging, number - 1, after - stream.first_line > number


class _Pieces:
    """Copies pieces of a file into a staging table, those that are right as a whole."""

    def __init__(self, staging: StagingTable, names: Sequence[str]) -> None:
        self._staging = staging
        self._look = DateLook(staging.table, names)
        self._knows_marker = staging.cursor.connection.server_version < 180000

    def copy(self, chunk: Chunk) -> int | None:
        """Return the rows of the piece, or None if they must be validated one by one."""
        if self._knows_marker and MARKER.search(chunk.data):
            return None
        if self._look.is_odd(chunk.data, chunk.end):
            return None
        rows = 0
        with savepoint(self._staging.cursor, "piece") as outcome:
            # the header shows the server how lines end
            data = io.BytesIO(chunk.header + chunk.data)
            rows = self._staging.copy(data)
        return None if outcome.refused else rows


def _count_on_from(cursor: Cursor, number: int) -> None:
    # a sequence does not go back by itself when a piece is undone
    cursor.execute(
        "select setval(pg_get_serial_sequence('pg_temp._new', '_Number'), %s, false)", [number]
    )
