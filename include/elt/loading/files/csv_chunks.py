"""A file in pieces of whole records: cut at the speed of C, unless a quote breaks the rule."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice

from elt.loading.files.csv_records import (
    Record,
    check_length,
    count_records,
    cut_records,
    read_on,
)
from elt.loading.files.quoting import QUOTE, Cut, Grammar, QuoteCheck, grammar, last_end, line_end
from elt.loading.files.stream import CHUNK_BYTES, Text

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
    header = rest[: rules.cut(rest, 0).stop]
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


def count_rows(stream: Text) -> int:
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
