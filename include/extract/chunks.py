"""A file in pieces of whole records: cut at the speed of C, whatever stands in them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from include.extract.errors import RefusedFileError
from include.extract.records import Record, count_records, cut_records, line_end
from include.extract.stream import CHUNK_BYTES, Readable

PART_BYTES = 4 << 20
# memory stays bounded: a record that is longer can only be loaded while no other row is bad
RECORD_BYTES = 64 << 20


@dataclass(frozen=True)
class Chunk:
    """Whole records of a file. ``line`` is the first one's; ``end`` is how the header ends."""

    header: bytes
    data: bytes
    line: int
    end: bytes

    def records(self, number: int) -> Iterator[Record]:
        """Cut it; ``number`` is that of its first record."""
        return cut_records(self.data, self.end, number=number, line=self.line)


def read_chunks(stream: Readable) -> Iterator[Chunk]:
    """Yield what comes after the header in pieces of about 4 MiB.

    Raises:
        RefusedFileError: if a record is longer than 64 MiB, as one is whose quote is never closed.
    """
    rest = stream.read(CHUNK_BYTES)
    end = line_end(rest)
    header = next(cut_records(rest, end, number=0, line=1)).raw
    rest = rest[len(header) :]
    line = 1 + header.count(end[-1:])
    while data := stream.read(CHUNK_BYTES):
        rest += data
        if len(rest) < PART_BYTES:
            continue
        if cut := _after_last_record(rest, end[-1:]):
            yield Chunk(header, rest[:cut], line, end)
            line += rest.count(end[-1:], 0, cut)
            rest = rest[cut:]
        elif len(rest) > RECORD_BYTES:
            raise RefusedFileError("structure", "RecordTooLong")
    if rest:
        yield Chunk(header, rest, line, end)


def find_records(stream: Readable, numbers: Collection[int]) -> dict[int, Record]:
    """Return the records with these numbers, 1 being the first one after the header."""
    found: dict[int, Record] = {}
    number = 1
    for chunk in read_chunks(stream):
        if len(found) == len(numbers):
            break
        after = number + count_records(chunk.data, chunk.end)
        if any(number <= wanted < after for wanted in numbers):
            found |= {one.number: one for one in chunk.records(number) if one.number in numbers}
        number = after
    return found


def _after_last_record(data: bytes, end: bytes) -> int:
    """Return the place after the last line end outside quotes, or 0 if there is none."""
    is_open, stop = data.count(b'"') % 2 == 1, len(data)
    while True:
        quote = data.rfind(b'"', 0, stop)
        if not is_open and (place := data.rfind(end, quote + 1, stop)) >= 0:
            return place + 1
        if quote < 0:
            return 0
        stop, is_open = quote, not is_open
