"""Quotes to the letter of RFC 4180: one opens at the start of a field alone, and ends that field.

To the server every quote toggles, wherever it stands, so that two stray ones pair across lines and
it takes what is between them for one value. A file that keeps the rule is read alike by both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

from elt.errors import RefusedFileError

QUOTE = b'"'
STEP_BYTES = 1 << 20
_FIRST_STEP = 1 << 14
PARTS_BYTES = 1 << 16
NEVER_CLOSED = "a quote opens here and is never closed"
DOUBLE_IT = 'write it as "" and put the field into quotes'
RECORD_BYTES = 64 << 20


class QuoteCheck:
    """Tells of bytes that come piece by piece whether their quotes keep the rule.

    What is inside quotes does not matter: only how each stretch outside of them begins and ends.
    ``has_lines_inside``: a line end was inside quotes, if they keep the rule.
    """

    def __init__(self, delimiter: bytes = b",") -> None:
        # two quotes side by side are one that is meant as a character
        self._beside = frozenset(delimiter + b"\r\n" + QUOTE)
        self._before = b"\n"
        self.is_open = False
        self.has_lines_inside = False

    def accepts(self, data: bytes) -> bool:
        """Take the next bytes and return whether the rule holds for them."""
        if QUOTE not in data:
            if self.is_open or not data:
                self._look_for_lines(data)
                return True
            is_right = self._before != QUOTE or data[0] in self._beside
            self._before = data[-1:]
            return is_right
        if len(data) > PARTS_BYTES:
            # what stays in the processor's cache is split in three quarters of the time
            steps = range(0, len(data), PARTS_BYTES)
            return all(self.accepts(data[step : step + PARTS_BYTES]) for step in steps)
        parts = data.split(QUOTE)
        was_open = self.is_open
        outside = parts[was_open::2]
        if not self.has_lines_inside:
            self._look_for_lines(b"".join(parts[not was_open :: 2]))
        first, last = outside[0], outside[-1]
        self.is_open = was_open ^ (len(parts) % 2 == 0)
        is_right = True
        if not was_open:
            is_right = self._before != QUOTE or not first or first[0] in self._beside
            outside[0] = (self._before + first)[-1:]
        if not self.is_open:
            outside[-1] = last[:1]
        self._before = QUOTE if self.is_open else last[-1:] or QUOTE
        # mostly the same few stretches between quotes come again and again
        return is_right and all(
            part[0] in self._beside and part[-1] in self._beside for part in set(outside) if part
        )

    def _look_for_lines(self, inside: bytes) -> None:
        self.has_lines_inside = self.has_lines_inside or b"\n" in inside or b"\r" in inside


def line_end(head: bytes) -> bytes:
    """Return how the first line of a file ends: LF, CRLF or CR. LF if it has no end."""
    outside = head.split(QUOTE)[::2]
    for part in outside:
        places = [place for place in (part.find(b"\r"), part.find(b"\n")) if place >= 0]
        if places:
            first = min(places)
            if part[first : first + 2] == b"\r\n":
                return b"\r\n"
            return part[first : first + 1]
    return b"\n"


def first_end(data: bytes, end: bytes, *, is_open: bool = False) -> int:
    """Return the place after the first line end outside quotes, or 0 if there is none."""
    return _outside_quotes(data, end, bytes.find, is_open=is_open)


def last_end(data: bytes, end: bytes, *, is_open: bool = False) -> int:
    """Return the place after the last line end outside quotes, or 0 if there is none.

    ``is_open``: a quote is, at the end of the data.
    """
    stop = len(data)
    # mostly one comes after the last quote
    if not is_open and (place := data.rfind(end)) > data.rfind(QUOTE):
        return place + 1
    # a step at a time, or data made of quotes would be a list of millions; mostly the first will do
    step = _FIRST_STEP
    while stop:
        start = max(0, stop - step)
        piece = data[start:stop]
        is_open ^= piece.count(QUOTE) % 2 == 1
        if place := _outside_quotes(piece, end, bytes.rfind, is_open=is_open):
            return start + place
        stop, step = start, min(2 * step, STEP_BYTES)
    return 0


def _outside_quotes(
    data: bytes, end: bytes, find: Callable[[bytes, bytes], int], *, is_open: bool
) -> int:
    """Look at the speed of C: data made of quotes is not gone through quote by quote."""
    if end not in data:
        return 0
    parts = data.split(QUOTE)
    outside = QUOTE.join(parts[is_open::2])
    if (place := find(outside, end)) < 0:
        return 0
    at = is_open + 2 * outside.count(QUOTE, 0, place)
    return sum(map(len, parts[:at])) + at + find(parts[at], end) + 1


class Cut(NamedTuple):
    """Where a record stops. ``broken`` is where its first field that breaks the rule begins, or -1.

    A record that breaks the rule ends with the line on which that field begins: what a stray quote
    opened must not swallow the records after it.
    """

    stop: int
    broken: int


class Grammar:
    """How the records of a file are cut. ``end`` is how its lines end."""

    def __init__(self, delimiter: bytes, end: bytes) -> None:
        self.end = end[-1:]
        # the other line end, outside quotes, is a fault of its own and parts fields here
        parting = b"[" + re.escape(delimiter) + (b"\r" if self.end == b"\n" else b"\n") + b"]"
        quoted = rb'"[^"]*+(?:""[^"]*+)*+"'
        field = b"(?:" + quoted + b'|[^"\r\n' + re.escape(delimiter) + b"]*+)"
        before = b"(?:" + field + parting + b")*+"
        self._quoted = re.compile(quoted)
        self._before = re.compile(before)
        self._record = re.compile(before + field + b"(?:" + self.end + rb"|\Z)")

    def cut(self, data: bytes, start: int, *, is_last: bool = True) -> Cut | None:
        """Return where the record that begins at ``start`` stops, or None if more data must tell.

        ``is_last``: no more comes. It looks no further than to the next line with an odd number of
        quotes, since there a quote closes rightly or wrongly: the work stays linear.
        """
        if found := self._record.match(data, start):
            stop = found.end()
            is_whole = is_last or stop < len(data) or data.endswith(self.end)
            return Cut(stop, -1) if is_whole else None
        before = self._before.match(data, start)
        broken = before.end() if before else start
        if not is_last and data.startswith(QUOTE, broken):
            quoted = self._quoted.match(data, broken)
            if quoted is None or quoted.end() == len(data):
                return None
        place = data.find(self.end, broken)
        if place < 0 and not is_last:
            return None
        return Cut(place + 1 or len(data), broken)

    def first(self, data: bytes) -> Cut:
        """Return where the first record of data stops of which no more comes."""
        return self.cut(data, 0) or Cut(len(data), -1)

    def cuts(self, data: bytes, *, is_last: bool = True) -> Iterator[Cut]:
        """Yield all cuts of data that begins with a record, as far as it can tell."""
        start, quote = 0, data.find(QUOTE)
        while start < len(data):
            if 0 <= quote < start:
                quote = data.find(QUOTE, start)
            place = data.find(self.end, start)
            if place >= 0 and not 0 <= quote < place:
                found: Cut | None = Cut(place + 1, -1)
            else:
                found = self.cut(data, start, is_last=is_last)
            if found is None:
                return
            yield found
            start = found.stop

    def fault(self, data: bytes, broken: int) -> str:
        """Say in words what is wrong with the field at ``broken`` of a record, and what to do."""
        field = data[broken:]
        if not field.startswith(QUOTE):
            before = field.partition(QUOTE)[0]
            if before == b"=":
                return 'a quote after = (="…", as Excel writes it): export the plain value'
            if not before.strip():
                return "a blank stands between the delimiter and a quote: take it away"
            return f"a quote stands inside a field that is not quoted: {DOUBLE_IT}"
        if b'\\"' in field:
            return 'a backslash stands before a quote: write a quote inside a field as ""'
        quoted = self._quoted.match(field)
        if quoted is None:
            return NEVER_CLOSED
        if field[quoted.end() : quoted.end() + 1].isspace():
            return "a blank stands between a closing quote and the delimiter: take it away"
        return 'text stands after a closing quote: write a quote inside a field as ""'


@lru_cache
def grammar(delimiter: bytes, end: bytes) -> Grammar:
    """Return the grammar of files with this delimiter and this line end; it is compiled once."""
    return Grammar(delimiter, end)


def long_record(line: int | None = None) -> RefusedFileError:
    """Return the refusal of a file with a record that is too long, and begins on this line."""
    where = f" on line {line}" if line else ""
    return RefusedFileError(
        "file",
        f"has a row of more than {RECORD_BYTES >> 20} MiB{where}, as a missing quote makes one",
    )


class RecordLength:
    """Watches how long the records are of bytes that come piece by piece.

    It looks for a line end outside quotes only, so that nothing is kept of what went by, and counts
    no lines: that would cost more than all else that is checked. Which line it is, the file tells.
    """

    def __init__(self, end: bytes) -> None:
        self._end = end[-1:]
        self._bytes = 0

    def check(self, data: bytes, *, was_open: bool, is_open: bool) -> None:
        """Take the next bytes; quotes are open before and after them or not.

        Raises:
            RefusedFileError: if a record is too long.
        """
        if self._bytes + len(data) > RECORD_BYTES:
            to_end = first_end(data, self._end, is_open=was_open) or len(data)
            if self._bytes + to_end > RECORD_BYTES:
                raise RefusedFileError("long")
        stop = last_end(data, self._end, is_open=is_open)
        if stop:
            self._bytes = 0
        self._bytes += len(data) - stop
