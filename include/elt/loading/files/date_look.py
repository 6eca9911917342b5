"""A look at each date of a file while it is read: can it be read in one way only?

What the server made of ``11-Feb-21`` or ``today 10:00`` does not show it, so the texts are looked
at, by their shapes: with each digit alike, a million dates are a handful of shapes. Rows are cut at
the speed of C as long as each delimiter parts two fields, else by the csv module.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

from elt.errors import RefusedFileError
from elt.loading.contract import INSTANTS, Table
from elt.loading.files.landing import Readable
from elt.loading.files.quoting import QUOTE, last_end, line_end
from elt.loading.files.stream import CHUNK_BYTES
from elt.loading.value_formats import pattern_of

_SAME_DIGIT = bytes.maketrans(b"123456789", b"0" * 9)
# what stays in the processor's cache: by steps of a MiB the same costs three times as much
STEP_BYTES = 1 << 16
# no value that the server takes has one
_BETWEEN = b"\0"


class DateLook:
    """Tells whether rows hold a date that can be read in two ways. ``names`` is their header."""

    def __init__(self, table: Table, names: Sequence[str]) -> None:
        self._width = len(names)
        self._delimiter = table.delimiter.encode()
        null_text = table.null_text.encode()
        self._nulls = {b"", null_text}
        # else a date could have the shape of the text that stands for none
        self._mask = None if re.search(b"[1-9]", null_text) else _SAME_DIGIT
        self._patterns = [
            (place, re.compile(pattern.encode(), re.IGNORECASE).fullmatch)
            for place, name in enumerate(names)
            if (column := table.column(name)) and column.data_type in (*INSTANTS, "time")
            if (pattern := pattern_of(table, column))
        ]

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def is_odd(self, rows: bytes, end: bytes, *, has_header: bool = False) -> bool:
        """Tell whether one of them does. Rows of another length are not judged here.

        Args:
            rows: whole rows.
            end: how their lines end.
            has_header: the first of them is the header.
        """
        if not self._patterns:
            return False
        try:
            columns = self._split(rows, end) or self._read(rows)
        except csv.Error:
            return True
        return any(
            not matches(shape)
            for column, (_, matches) in zip(columns, self._patterns, strict=True)
            for shape in self._shapes(column[has_header:])
        )

    def _split(self, rows: bytes, end: bytes) -> list[list[bytes]] | None:
        """Return the columns of dates, or None if delimiters alone do not cut them."""
        if not rows.endswith(end):
            rows += end
        if QUOTE in rows:
            parts = rows.split(QUOTE)
            inside = b"".join(parts[1::2])
            if self._delimiter in inside or end in inside:
                return None
            rows = b"".join(parts)
        # in a row of another length they are not where they should be, but the server refuses that
        fields = rows.replace(end, self._delimiter).split(self._delimiter)
        if (len(fields) - 1) % self._width:
            return None
        return [fields[place : -1 : self._width] for place, _ in self._patterns]

    def _read(self, rows: bytes) -> list[list[bytes]]:
        text = io.StringIO(rows.decode("latin-1"), newline="")
        reader = csv.reader(text, delimiter=self._delimiter.decode())
        whole = [row for row in reader if len(row) == self._width]
        return [[row[place].encode("latin-1") for row in whole] for place, _ in self._patterns]

    def _shapes(self, values: Sequence[bytes]) -> set[bytes]:
        shapes = _BETWEEN.join(values).translate(self._mask)
        first = shapes.partition(_BETWEEN)[0]
        if shapes + _BETWEEN == (first + _BETWEEN) * len(values):
            return {first} - self._nulls
        return set(shapes.split(_BETWEEN)) - self._nulls


class Watched:
    """A file whose dates are looked at while it is read. What it raises is kept in ``error``."""

    def __init__(self, stream: Readable, look: DateLook) -> None:
        self._stream = stream
        self._look = look
        self._end = b""
        self._is_header_next = True
        self._rest = b""
        self.error: Exception | None = None

    def read(self, size: int = CHUNK_BYTES, /) -> bytes:
        """Return the next bytes, once a look at the rows that end with them found nothing odd."""
        try:
            data = self._stream.read(size)
            if self._look and self._is_odd(data):
                raise RefusedFileError("form")
        except Exception as error:
            self.error = error
            raise
        return data

    def _is_odd(self, data: bytes) -> bool:
        self._end = self._end or line_end(data)
        start = 0
        while start < len(data):
            # a record that is longer than a step is not copied once for each
            stop = start + max(STEP_BYTES, len(self._rest))
            if self._is_odd_up_to_last_end(self._rest + data[start:stop]):
                return True
            start = stop
        return not data and self._are_odd(self._rest)

    def _is_odd_up_to_last_end(self, data: bytes) -> bool:
        end = self._end[-1:]
        stop = data.rfind(end) + 1
        if QUOTE in data and data.count(QUOTE, 0, stop) % 2 == 1:
            # that line end is inside of quotes
            stop = last_end(data, end, is_open=data.count(QUOTE) % 2 == 1)
        self._rest = data[stop:]
        return self._are_odd(data[:stop])

    def _are_odd(self, rows: bytes) -> bool:
        if not rows:
            return False
        has_header, self._is_header_next = self._is_header_next, False
        return self._look.is_odd(rows, self._end, has_header=has_header)
