"""The way of a file with bad rows: what is right is loaded, the rest comes back with its faults.

Clean pieces go through COPY as they are. Only the records of a piece that the server refuses are
cut in Python, and their values are judged by the server.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import islice

from psycopg2.extensions import cursor as Cursor

from elt.loading import staging_table, value_formats
from elt.loading.contract import Table
from elt.loading.files.csv_chunks import PART_RECORDS, Chunk, read_chunks
from elt.loading.files.csv_faults import MARKER
from elt.loading.files.date_sample import DateLook
from elt.loading.files.repeated_header import Headers
from elt.loading.files.stream import Text
from elt.loading.quarantine import validate_rows
from elt.loading.quarantine.store import Quarantine
from elt.loading.savepoint import savepoint
from elt.loading.staging_table import NEW, Target


def fill(
    cursor: Cursor,
    table: Table,
    names: Sequence[str],
    stream: Text,
    quarantine: Quarantine,
    *,
    is_careful: bool = False,
    latest: datetime | None = None,
    count_rows: Callable[[], int] | None = None,
) -> tuple[Target, int]:
    """Fill the temporary table with the good rows of a file; return it and the rows read.

    ``is_careful`` looks at the date in every row. ``latest`` is the latest version that a row may
    have. ``count_rows`` reads the file by itself: once there are bad rows it tells how many may be,
    so that a file of nothing else is not judged to its end.

    Raises:
        RefusedFileError: if the file can't be cut into rows at all, or has too many bad ones.
    """
    target = staging_table.open_new(cursor, table, names, is_numbered=True)
    value_formats.add_checks(cursor, table, target.name, latest)
    headers = Headers(table, names)
    pieces = _Pieces(cursor, table, names)
    if is_careful:
        pieces.look_at_all()
    number, total = 1, 0
    for chunk in read_chunks(stream):
        is_clean = chunk.cuts is None and not headers.may_be_in(chunk.data)
        rows = pieces.copy(chunk) if is_clean else None
        if rows is not None:
            number += rows
            continue
        # a line can be one byte long
        uncut = chunk.records(number)
        while records := list(islice(uncut, PART_RECORDS)):
            if quarantine.first_row and table.on_bad_row == "stop":
                return target, number - 1
            if quarantine.first_row and count_rows:
                total = total or count_rows()
                quarantine.check_share(total, is_counted=False)
            bad, right = headers.sort_out(records)
            with pieces.unsuspected():
                bad += validate_rows.stage_records(
                    cursor, table, names, right, end=chunk.end, latest=latest
                )
            quarantine.add(sorted(bad, key=lambda row: row.record.number))
            number += len(records)
        _count_on_from(cursor, number)
    return target, number - 1


class _Pieces:
    """Copies pieces of a file into ``_new``, those whose dates show that they may be."""

    def __init__(self, cursor: Cursor, table: Table, names: Sequence[str]) -> None:
        self._cursor = cursor
        self._table = table
        self._columns = staging_table.places(table, names)
        self._look = DateLook(table, names)
        self._knows_marker = cursor.connection.server_version < 180000
        self._looks_at_all = False
        self._is_first = True

    def look_at_all(self) -> None:
        """Go by the texts alone from now on, not by what they may have become."""
        if not self._looks_at_all:
            value_formats.drop_checks(self._cursor, self._table, NEW, value_formats.SUSPICION)
        self._looks_at_all = True

    @contextlib.contextmanager
    def unsuspected(self) -> Iterator[None]:
        """Let rows in whose texts have been looked at."""
        if self._looks_at_all:
            yield
            return
        value_formats.drop_checks(self._cursor, self._table, NEW, value_formats.SUSPICION)
        yield
        value_formats.add_checks(self._cursor, self._table, NEW, kinds=(value_formats.SUSPICION,))

    def copy(self, chunk: Chunk) -> int | None:
        """Return the rows of the piece, or None if they must be judged one by one."""
        if self._knows_marker and MARKER.search(chunk.data):
            return None
        looks_at_all = self._looks_at_all or self._is_first
        self._is_first = False
        look = self._look.is_odd if looks_at_all else self._look.is_odd_in_part
        if look(chunk.data):
            return None
        rows = 0
        with savepoint(self._cursor, "piece") as attempt:
            # the header shows the server how lines end
            data = io.BytesIO(chunk.header + chunk.data)
            rows = staging_table.copy(self._cursor, self._table, NEW, self._columns, data)
        if attempt.refused is None:
            return rows
        if attempt.refused.kind != "form":
            return None
        self.look_at_all()
        return self.copy(chunk)


def _count_on_from(cursor: Cursor, number: int) -> None:
    # a sequence does not go back by itself when a piece is undone
    cursor.execute(
        "select setval(pg_get_serial_sequence('pg_temp._new', '_Number'), %s, false)", [number]
    )
