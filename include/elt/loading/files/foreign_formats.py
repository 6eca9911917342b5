"""What a file that is no CSV of its table looks like, and which key of the contract takes it."""

from __future__ import annotations

import csv
import io

from elt.loading.contract import IN_CONTRACT, Table
from elt.loading.files.csv_records import is_utf8

_FORMATS = (
    (b"\x1f\x8b", "It looks like gzip: name it .csv.gz."),
    (b"PK\x03\x04", "It looks like a zip file or a spreadsheet: export it as CSV."),
    (b"<", "It looks like HTML or XML, not like CSV."),
    (b"{", "It looks like JSON, not like CSV."),
    (b"[", "It looks like JSON, not like CSV."),
)
# a reader of CSV takes no longer field
_LOOKED_AT = 64 << 10
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


def format_of(head: bytes) -> str:
    """Say what a file that is something else than text with delimiters looks like, or nothing."""
    start = head.lstrip()
    return next((text for signature, text in _FORMATS if start.startswith(signature)), "")


def describe(table: Table, head: bytes) -> str:
    """Say what a file looks like whose header is not the table's, and what takes it; or nothing."""
    if look := format_of(head):
        return look
    if utf_16 := _utf_16(head):
        return f"It looks like UTF-16: set `encoding: {utf_16}` {IN_CONTRACT}, or save it as UTF-8."
    if b"\0" in head:
        return "It looks like a binary file."
    line = head.splitlines()[0] if head else b""
    if table.encoding:
        read_as = f"It was read as {table.encoding}, as `encoding` says {IN_CONTRACT}."
        return _delimiter(table, line) or read_as
    if not is_utf8(line):
        return (
            f"Its text is not UTF-8: set `encoding` {IN_CONTRACT}, such as cp1252 or latin1, or "
            "save it as UTF-8."
        )
    return _delimiter(table, line)


def _utf_16(head: bytes) -> str:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if len(head) > 3 and head[1::2][:4].strip(b"\0") == b"":
        return "utf-16-le"
    return "utf-16-be" if len(head) > 3 and head[::2][:4].strip(b"\0") == b"" else ""


def _delimiter(table: Table, line: bytes) -> str:
    """Say which delimiter finds more of the table's columns in the header."""
    text = line[:_LOOKED_AT].decode("utf-8", "replace")
    expected = _DELIMITERS.get(table.delimiter, f"`{table.delimiter}`")
    best, most = "", _columns(table, text, table.delimiter)
    for delimiter in _DELIMITERS:
        if (found := _columns(table, text, delimiter)) > most:
            best, most = delimiter, found
    if not best:
        return ""
    shown = "\\t" if best == "\t" else best
    return (
        f"Its fields are parted by {_DELIMITERS[best]}; expected {expected}. "
        f'Set `delimiter: "{shown}"` {IN_CONTRACT}, or export it with {expected}.'
    )


def _columns(table: Table, line: str, delimiter: str) -> int:
    names = next(csv.reader(io.StringIO(line), delimiter=delimiter), [])
    return sum(table.column(name.strip().lower()) is not None for name in names)
