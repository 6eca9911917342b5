"""A look at the dates of a file while it is read: all of its first rows, and some of the others.

To look at every text would cost a fifth of a load. What a whole export does wrong shows in the
first rows; what the server made of a word shows in the value (``forms.add_checks``).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

from elt.loading.contract import INSTANTS, Table
from elt.loading.errors import RefusedFileError
from elt.loading.files.stream import CHUNK_BYTES, Readable
from elt.loading.value_formats import pattern_of

SAMPLE_BYTES = CHUNK_BYTES >> 7
# a pattern takes any digit alike, so of ten thousand dates only a few shapes are left to match
_DIGITS = bytes.maketrans(b"123456789", b"0" * 9)


class DateLook:
    """Tells whether rows hold a date that can be read in two ways. ``names`` is their header."""

    def __init__(self, table: Table, names: Sequence[str]) -> None:
        self._width = len(names)
        self._delimiter = table.delimiter
        self._nulls = {"", table.null_text}
        self._mask = None if re.search("[1-9]", table.null_text or "") else _DIGITS
        self._patterns = [
            (place, re.compile(pattern_of(table, column) or "", re.IGNORECASE).fullmatch)
            for place, name in enumerate(names)
            if (column := table.column(name)) and column.data_type in (*INSTANTS, "time")
        ]

    def is_odd(self, data: bytes, *, has_header: bool = False) -> bool:
        """Tell whether one of the rows does. Rows of another length are not judged here."""
        if not self._patterns:
            return False
        text = io.StringIO(data.translate(self._mask).decode("latin-1"), newline="")
        reader = csv.reader(text, delimiter=self._delimiter)
        try:
            if has_header:
                next(reader, None)
            rows = [row for row in reader if len(row) == self._width]
        except csv.Error:
            return True
        return any(
            not matches(shape)
            for place, matches in self._patterns
            for shape in {row[place] for row in rows} - self._nulls
        )

    def is_odd_in_part(self, data: bytes) -> bool:
        """Tell the same of a few rows in the middle of a file."""
        if not self._patterns:
            return False
        part = data[:SAMPLE_BYTES]
        return self.is_odd(part[part.find(b"\n") + 1 : part.rfind(b"\n") + 1])


class Watched:
    """A file that is looked at while it is read. What it raises is kept in ``error``."""

    def __init__(self, stream: Readable, look: DateLook) -> None:
        self._stream = stream
        self._look = look
        self._is_first = True
        self.error: Exception | None = None

    def read(self, size: int = CHUNK_BYTES, /) -> bytes:
        try:
            data = self._stream.read(size)
            if self._is_odd(data, is_whole=len(data) < size):
                raise RefusedFileError("form")
        except Exception as error:
            self.error = error
            raise
        return data

    def _is_odd(self, data: bytes, *, is_whole: bool) -> bool:
        if not self._is_first:
            return self._look.is_odd_in_part(data)
        self._is_first = False
        end = len(data) if is_whole else data.rfind(b"\n") + 1
        return self._look.is_odd(data[:end], has_header=True)
