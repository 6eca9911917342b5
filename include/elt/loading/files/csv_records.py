"""The records of a file: on which lines they stand, and what is wrong before a value is looked at.

Records are cut in Python, slowly, only where a load was refused, by the letter of RFC 4180
(``quoting``). Words about them hold no values.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from elt.loading.contract import Table
from elt.loading.files.landing import Readable
from elt.loading.files.quoting import QUOTE, RECORD_BYTES, Cut, grammar, line_end, long_record
from elt.loading.files.stream import BOM, CHUNK_BYTES

MARKER = re.compile(rb"(?:\A|[\r\n])\\\.(?:[\r\n]|\Z)")
# how such a reason begins and ends: by it a replay knows that bytes stand as \xNN in the text
NO_TEXT = re.compile(r"the text is not \S+, or holds a zero byte")
BAD_MARKER = "a line of only \\. ends the data for this server"
OTHER_END = "the line ends in another way than those before it (LF or CRLF)"


@dataclass(frozen=True)
class Record:
    """A record as it stands in the file. Lines are counted as an editor does.

    ``number`` is 0 for the header; ``server_line`` is what COPY calls the place; ``raw`` is the
    record with its line end. ``broken`` is where in it the first field begins whose quotes break
    the rule, or -1.
    """

    number: int
    line: int
    last_line: int
    server_line: int
    raw: bytes
    broken: int = -1
    delimiter: bytes = b","

    @property
    def is_closed(self) -> bool:
        """Whether its quotes keep the rule."""
        return self.broken < 0

    @property
    def text(self) -> bytes:
        """The record without its line end."""
        return self.raw.rstrip(b"\r\n")

    def field_count(self) -> int:
        """Return the number of fields as the server counts them."""
        return 1 + sum(part.count(self.delimiter) for part in self.text.split(QUOTE)[::2])

    def fields(self) -> list[str]:
        """Return the fields; of a record with broken quotes those before the broken one."""
        if not self.is_closed:
            return self._read(self.raw[: self.broken])[:-1]
        fields = self._read(self.text)
        return fields if len(fields) == self.field_count() else []

    def lenient_fields(self) -> list[str]:
        """Return the fields as a reader sees them that forgives stray quotes and marks."""
        return self._read(self.text.replace(BOM, b""))

    def words(self) -> list[str]:
        """Return all that could be a field, however the quotes are read."""
        text = self.text.decode("utf-8", "replace")
        parts = re.split(f'[\r\n"{re.escape(self.delimiter.decode())}]', text)
        return [*self.fields(), *self.lenient_fields(), *(part.strip() for part in parts)]

    def has_bad_text(self) -> bool:
        """Tell whether it holds what is not UTF-8, or a zero byte."""
        return b"\0" in self.raw or not is_utf8(self.raw)

    def _read(self, data: bytes) -> list[str]:
        text = data.decode("utf-8", "replace")
        try:
            lines = io.StringIO(text, newline="")
            rows = list(csv.reader(lines, delimiter=self.delimiter.decode()))
        except csv.Error:
            return []
        return rows[0] if len(rows) == 1 else []


def is_utf8(data: bytes) -> bool:
    """Tell whether it decodes."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def read_records(
    stream: Readable, delimiter: bytes = b",", *, first_line: int = 1
) -> Iterator[Record]:
    """Yield the records of a file in order, the header first, which begins on ``first_line``.

    Raises:
        RefusedFileError: if one is longer than 64 MiB, as one is whose quote is never closed.
    """
    data, is_last = read_on(stream, b"", CHUNK_BYTES)
    end = line_end(data)
    rules = grammar(delimiter, end)
    number, line, server_line = 0, first_line, 0
    while True:
        stop = 0
        for record in cut_records(
            *(data, end, rules.cuts(data, is_last=is_last)),
            delimiter=delimiter,
            number=number,
            line=line,
            server_line=server_line,
        ):
            yield record
            stop += len(record.raw)
            number, server_line = record.number + 1, record.server_line
        if is_last:
            return
        line += data.count(rules.end, 0, stop)
        check_length(data[stop:], line)
        data, is_last = read_on(stream, data[stop:], CHUNK_BYTES)


def record_at_start(head: bytes, delimiter: bytes) -> Record | None:
    """Return the first record of a file that begins with ``head``, None if it is empty."""
    end = line_end(head)
    return next(cut_records(head, end, delimiter=delimiter, number=0, line=1), None)


def read_on(stream: Readable, rest: bytes, size: int) -> tuple[bytes, bool]:
    """Read to ``size`` bytes with what is left, or to its double; tell whether that was the end.

    What is left may be the start of a long record, which is not looked at for each piece anew.
    """
    wanted = min(max(size, 2 * len(rest)), RECORD_BYTES + 1)
    pieces, have = [rest], len(rest)
    while have < wanted and (data := stream.read(min(CHUNK_BYTES, wanted - have))):
        pieces.append(data)
        have += len(data)
    return b"".join(pieces), have < wanted


def check_length(rest: bytes, line: int) -> None:
    """Refuse a record that is not whole yet, and begins on this line, if it is too long."""
    if len(rest) > RECORD_BYTES:
        raise long_record(line)


def cut_records(
    data: bytes,
    end: bytes,
    cuts: Iterable[Cut] | None = None,
    *,
    delimiter: bytes,
    number: int,
    line: int,
    server_line: int = 0,
) -> Iterator[Record]:
    """Yield the records of a part of a file.

    Args:
        data: the part; it begins with a record.
        end: how the lines end.
        cuts: where the records stop, if that is known.
        delimiter: what parts the fields.
        number: the first record's number, 0 for the header.
        line: the line on which it begins.
        server_line: what COPY calls the place of the record before.
    """
    last = end[-1:]
    start = 0
    for cut in grammar(delimiter, end).cuts(data) if cuts is None else cuts:
        raw = data[start : cut.stop]
        broken = cut.broken - start if cut.broken >= 0 else -1
        # what COPY counts inside quotes: before it knows how lines end, and after
        embedded = (b"\n" if end == b"\n" else b"\r") if number else b"\r"
        server_line += 1 + raw.rstrip(b"\r\n").count(embedded)
        ends = raw.count(last)
        last_line = line + ends - raw.endswith(last)
        yield Record(number, line, last_line, server_line, raw, broken, delimiter)
        number, line, start = number + 1, line + ends, cut.stop


def count_records(data: bytes, end: bytes) -> int:
    """Return how many records a part of a file has whose quotes keep the rule: much faster."""
    count, is_open = 0, False
    for step in range(0, len(data), CHUNK_BYTES):
        parts = data[step : step + CHUNK_BYTES].split(QUOTE)
        count += sum(part.count(end[-1:]) for part in parts[is_open::2])
        is_open ^= len(parts) % 2 == 0
    return count + bool(data and not data.endswith(end[-1:]))


def record_of(text: str | bytes, delimiter: bytes, *, number: int, line: int) -> Record:
    """Return a record that stands by itself, such as one that waits in quarantine.

    Args:
        text: the record, as text or in its bytes.
        delimiter: what parts the fields.
        number: its place among the rows of its load, from 1.
        line: the line of the file on which it begins.
    """
    raw = text.encode() if isinstance(text, str) else text
    found = grammar(delimiter, b"\n").first(raw)
    return Record(number, line, line + raw.count(b"\n"), 0, raw, found.broken, delimiter)


def faults_of(
    record: Record, table: Table, width: int, end: bytes, *, knows_marker: bool
) -> list[str]:
    """Return every reason why the server would not take a record.

    Args:
        record: the record.
        table: the contract of its file.
        width: how many fields it should have.
        end: how the lines of the file end.
        knows_marker: the server is older than version 18, and a line of only ``\\.`` is the end of
            the data to it.
    """
    faults = [bad_text(record, table)] if record.has_bad_text() else []
    if knows_marker and MARKER.search(record.raw):
        faults.append(BAD_MARKER)
    if not record.is_closed:
        # what its fields are nobody can say
        return [*faults, broken_quotes(record)]
    if any(b"\r" in part or b"\n" in part for part in _outside(record, end)):
        faults.append(OTHER_END)
    if fault := wrong_count(record, width):
        faults.append(fault)
    return faults


def bad_text(record: Record, table: Table) -> str:
    """Say that a record is no text in the encoding of its table, and which key takes another."""
    what = f"the text is not {table.encoding or 'UTF-8'}, or holds a zero byte"
    if is_utf8(record.raw):
        return what
    return f"{what} (for files in another encoding, set `encoding` in the contract)"


def broken_quotes(record: Record) -> str:
    """Say what is wrong with the quotes of a record, and what to do."""
    return grammar(record.delimiter, b"\n").fault(record.text, record.broken)


def wrong_count(record: Record, width: int) -> str:
    """Say that a record has more or fewer fields than the header, or nothing."""
    if not record.text.strip() and width > 1:
        return f"the line is empty, expected {width} fields"
    if (count := record.field_count()) == width:
        return ""
    quote = ". Is a quote missing?" if record.last_line > record.line else ""
    return f"has {count} {'field' if count == 1 else 'fields'}, the header has {width}{quote}"


def swallowed(record: Record, width: int) -> int:
    """Return how many rows a broken record may have swallowed: its inner lines that look whole."""
    inner = re.split(rb"\r\n|\r|\n", record.text)[1:]
    commas = (line.count(record.delimiter) for line in inner)
    return sum(count == width - 1 for count in commas) if width > 1 else len(inner)


def _outside(record: Record, end: bytes) -> list[bytes]:
    return record.raw.removesuffix(end).split(b'"')[::2]
