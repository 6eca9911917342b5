"""Which lines of a file a record stands on: read again, slowly, only when a load was refused.

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

    ``number`` is 0 for the header; ``server_line`` is what COPY calls the place; ``text`` is the
    record without its line end, cut to 1 MiB.
    """

    number: int
    line: int
    last_line: int
    server_line: int
    text: bytes
    is_closed: bool

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
        return b"\0" in self.text or not is_utf8(self.text)


def is_utf8(data: bytes) -> bool:
    """Tell whether it decodes; a character cut off by our own limit at the end is forgiven."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return len(data) >= KEEP_BYTES and error.start >= len(data) - 3
    return True


def read_lines(stream: Readable) -> Iterator[bytes]:
    """Yield the physical lines with their ends. A lone CR ends a line if the file has no LF."""
    rest = stream.read(CHUNK_BYTES)
    end = b"\r" if b"\r" in rest and b"\n" not in rest else b"\n"
    while data := stream.read(CHUNK_BYTES):
        *lines, rest = (rest + data).split(end)
        for line in lines:
            yield line + end
    *lines, rest = rest.split(end)
    for line in lines:
        yield line + end
    if rest:
        yield rest


def read_records(stream: Readable) -> Iterator[Record]:
    """Yield the records of a file in order, the header first."""
    embedded = b"\r"  # what COPY counts inside quotes until it knows how lines end
    number, line, server_line = 0, 0, 0
    start, text, quotes, ends = 1, b"", 0, 0
    for physical in read_lines(stream):
        line += 1
        quotes += physical.count(b'"')
        is_closed = quotes % 2 == 0
        body = physical.rstrip(b"\r\n") if is_closed else physical
        ends += body.count(embedded)
        if len(text) < KEEP_BYTES:
            text = (text + body)[:KEEP_BYTES]
        if not is_closed:
            continue
        server_line += 1 + ends
        yield Record(number, start, line, server_line, text, True)
        if number == 0:
            embedded = (
                b"\n" if physical.endswith(b"\n") and not physical.endswith(b"\r\n") else b"\r"
            )
        number, start, text, quotes, ends = number + 1, line + 1, b"", 0, 0
    if quotes % 2:
        yield Record(number, start, line, server_line + 1 + ends, text, False)
