"""What is wrong with a record before any value is looked at, in words without its values."""

from __future__ import annotations

import re

from elt.loading.contract import Table
from elt.loading.files.csv_records import Record, is_utf8
from elt.loading.files.quoting import grammar

MARKER = re.compile(rb"(?:\A|[\r\n])\\\.(?:[\r\n]|\Z)")
# how such a reason begins and ends: by it a replay knows that bytes stand as \xNN in the text
NO_TEXT = re.compile(r"the text is not \S+, or holds a zero byte")
BAD_MARKER = "a line of only \\. ends the data for this server"
OTHER_END = "the line ends in another way than those before it (LF or CRLF)"


def faults_of(
    record: Record, table: Table, width: int, end: bytes, *, knows_marker: bool
) -> list[str]:
    """Return every reason why the server would not take a record of ``width`` fields.

    ``end`` is how the lines of the file end. ``knows_marker`` is for servers before version 18, to
    which a line of only ``\\.`` is the end of the data.
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
