"""The header of a landing file against the contract of its table."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

from include.extract.contracts import Table
from include.extract.errors import RefusedFileError
from include.extract.records import read_records
from include.extract.stream import CHUNK_BYTES, Stream

_LOOKS = (
    (b"\x1f\x8b", "It looks like gzip: name it .csv.gz."),
    (b"PK\x03\x04", "It looks like a zip file or a spreadsheet: export it as CSV."),
    (b"\xff\xfe", "It looks like UTF-16: save it as UTF-8."),
    (b"\xfe\xff", "It looks like UTF-16: save it as UTF-8."),
    (b"<", "It looks like HTML or XML, not like CSV."),
    (b"{", "It looks like JSON, not like CSV."),
    (b"[", "It looks like JSON, not like CSV."),
)


@dataclass(frozen=True)
class Header:
    """The columns of a file in its order.

    ``unknown`` are those the contract does not name, ``missing`` those it has and the file has not.
    """

    names: tuple[str, ...]
    unknown: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def read_header(table: Table, stream: Stream) -> Header:
    """Return the header of an open file, which can be read from its start afterwards.

    Raises:
        RefusedFileError: if the file is empty, is no CSV, or lacks a column of key or version.
    """
    if stream.is_empty:
        raise RefusedFileError("file", "is empty: 0 bytes, expected at least a header")
    first = next(read_records(_Head(stream.head)), None)
    if first is None or not first.is_closed or first.has_bad_text():
        raise _no_header(table, table.column_names, stream.head)
    text = first.text.decode("utf-8")
    row = next(csv.reader(io.StringIO(text, newline="")), [])
    return check_header(table, [name.strip() for name in row], stream.head)


def check_header(table: Table, names: list[str], head: bytes = b"") -> Header:
    """Match a header with the contract, by name.

    The names that a file gives are repeated only if the header is a true one: the first line of a
    file without a header is somebody's data.
    """
    needed = [*table.primary_key, *([table.version] if table.version else [])]
    if any(name not in names for name in needed):
        lacking = [name for name in table.column_names if name not in names]
        raise _no_header(table, lacking, head)
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise RefusedFileError("file", f"has the column `{twice}` twice in its header")
    unknown = tuple(name for name in names if table.column(name) is None)
    return Header(
        tuple(names), unknown, tuple(name for name in table.column_names if name not in names)
    )


def _no_header(table: Table, missing: list[str] | tuple[str, ...], head: bytes) -> RefusedFileError:
    listed = ", ".join(f"`{name}`" for name in missing)
    keys = [name for name in table.primary_key if name in missing]
    columns = "the column" if len(missing) == 1 else "the columns"
    reason = f"lacks {columns} {listed} in its header (line 1)"
    if keys and len(missing) < len(table.columns):
        reason += f"; `{keys[0]}` is part of its key"
    return RefusedFileError("file", reason, remedy=_hint(table, head))


def _hint(table: Table, head: bytes) -> str:
    start = head.lstrip()
    look = next((text for signature, text in _LOOKS if start.startswith(signature)), "")
    line = head.split(b"\n", 1)[0]
    if not look and b"\0" in head:
        look = "It looks like a binary file."
    elif not look and b"," not in line and len(table.columns) > 1:
        for separator, name in ((b";", "semicolons"), (b"\t", "tabs"), (b"|", "bars")):
            if separator in line:
                look = f"Its fields are parted by {name}; expected commas."
    end = "Nothing of this file was loaded. Mend it and run again."
    return f"{look} {end}" if look else end


class _Head:
    """The first chunk of a file, as something to read."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def read(self, size: int = CHUNK_BYTES, /) -> bytes:
        return self._file.read(size)
