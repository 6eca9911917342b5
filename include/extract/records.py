"""Which lines of a file a record stands on: cut in Python, slowly, only where a load was refused.

Records are cut as the server cuts them: every quote toggles, a line end outside quotes ends one.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

from include.extract.stream import CHUNK_BYTES, Readable

KEEP_BYTES = 1 << 20


@dataclass(frozen=True)
class Record:
    """A record as it stands in the file. Lines are counted as an editor does, the header is line 1.

    ``number`` is 0 for the header; ``server_line`` is what COPY calls the place; ``raw`` is the
    record with its line end, cut to as many bytes as the reader was asked to keep.
    """

    number: int
    line: int
    last_line: int
    server_line: int
    raw: bytes
    is_closed: bool

    @property
    def text(self) -> bytes:
        """The record without its line end; an open one is left as it is."""
        return self.raw.rstrip(b"\r\n") if self.is_closed else self.raw

    def field_count(self) -> int:
        """Return the number of fields as the server counts them."""
        return 1 + sum(part.count(b",") for part in self.text.split(b'"')[::2])

    def fields(self) -> list[str]:
        """Return the fields, or an empty list if Python reads the record otherwise."""
        text = self.text.decode("utf-8", "replace")
        try:
            rows = list(csv.reader(io.StringIO(text, newline="")))
        except csv.Error:
            return []
        return rows[0] if len(rows) == 1 and len(rows[0]) == self.field_count() else []

    def has_bad_text(self) -> bool:
        """Tell whether it holds what is not UTF-8, or a zero byte."""
        return b"\0" in self.raw or not is_utf8(self.raw)


def is_utf8(data: bytes) -> bool:
    """Tell whether it decodes; a character cut off by our own limit at the end is forgiven."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return len(data) >= KEEP_BYTES and error.start >= len(data) - 3
    return True


def line_end(head: bytes) -> bytes:
    """Return how the first line of a file ends: LF, CRLF or CR. LF if it has no end."""
    outside = head.split(b'"')[::2]
    for part in outside:
        places = [place for place in (part.find(b"\r"), part.find(b"\n")) if place >= 0]
        if places:
            first = min(places)
            if part[first : first + 2] == b"\r\n":
                return b"\r\n"
            return part[first : first + 1]
    return b"\n"


def read_records(stream: Readable) -> Iterator[Record]:
    """Yield the records of a file in order, the header first, each cut to 1 MiB."""
    head = stream.read(CHUNK_BYTES)
    end = line_end(head)
    return _cut(_read_lines(head, stream, end[-1:]), end, keep_bytes=KEEP_BYTES)


def cut_records(data: bytes, end: bytes, *, number: int, line: int) -> Iterator[Record]:
    """Yield the whole records of a part of a file that begins with the given number and line."""
    lines = _read_lines(data, None, end[-1:])
    return _cut(lines, end, number=number, line=line, keep_bytes=len(data))


def count_records(data: bytes, end: bytes) -> int:
    """Return how many records a part of a file has, much faster than cutting them."""
    parts = data.split(b'"')
    is_whole = len(parts) % 2 == 1 and (not data or data.endswith(end[-1:]))
    return sum(part.count(end[-1:]) for part in parts[::2]) + (not is_whole)


def _cut(
    lines: Iterator[bytes], end: bytes, *, number: int = 0, line: int = 1, keep_bytes: int
) -> Iterator[Record]:
    # what COPY counts inside quotes: before it knows how lines end, and after
    embedded, later = b"\r", b"\n" if end == b"\n" else b"\r"
    start, current = line, line - 1
    server_line, quotes, ends, kept = 0, 0, 0, 0
    raw: list[bytes] = []
    for physical in lines:
        current += 1
        quotes += physical.count(b'"')
        is_closed = quotes % 2 == 0
        ends += (physical.rstrip(b"\r\n") if is_closed else physical).count(embedded)
        if kept < keep_bytes:
            raw.append(physical[: keep_bytes - kept])
            kept += len(raw[-1])
        if not is_closed:
            continue
        server_line += 1 + ends
        yield Record(number, start, current, server_line, b"".join(raw), True)
        number, start, raw, quotes, ends, kept = number + 1, current + 1, [], 0, 0, 0
        embedded = later
    if quotes % 2:
        yield Record(number, start, current, server_line + 1 + ends, b"".join(raw), False)


def _read_lines(rest: bytes, stream: Readable | None, end: bytes) -> Iterator[bytes]:
    """Yield the physical lines with their ends."""
    while stream is not None and (data := stream.read(CHUNK_BYTES)):
        *lines, rest = (rest + data).split(end)
        for line in lines:
            yield line + end
    *lines, rest = rest.split(end)
    for line in lines:
        yield line + end
    if rest:
        yield rest
