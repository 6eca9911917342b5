"""What is wrong with a record before any value is looked at, in words without its values."""

from __future__ import annotations

import re

from include.extract.records import Record

MARKER = re.compile(rb"(?:\A|[\r\n])\\\.(?:[\r\n]|\Z)")
NEVER_CLOSED = "a quote opens here and is never closed"
BAD_TEXT = "the text is not UTF-8, or holds a zero byte"
BAD_MARKER = "a line of only \\. ends the data for this server"
OTHER_END = "the line ends in another way than those before it (LF or CRLF)"


def faults_of(record: Record, width: int, end: bytes, *, knows_marker: bool) -> list[str]:
    """Return every reason why the server would not take a record of ``width`` fields.

    ``end`` is how the lines of the file end. ``knows_marker`` is for servers before version 18, to
    which a line of only ``\\.`` is the end of the data.
    """
    if not record.is_closed:
        return [NEVER_CLOSED]
    faults = [BAD_TEXT] if record.has_bad_text() else []
    if knows_marker and MARKER.search(record.raw):
        faults.append(BAD_MARKER)
    if any(b"\r" in part or b"\n" in part for part in _outside(record, end)):
        faults.append(OTHER_END)
    if fault := wrong_count(record, width):
        faults.append(fault)
    return faults


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
    return sum(line.count(b",") == width - 1 for line in inner) if width > 1 else len(inner)


def _outside(record: Record, end: bytes) -> list[bytes]:
    return record.raw.removesuffix(end).split(b'"')[::2]
