"""The header of a landing file against the contract of its table.

What has another header may be no CSV, or CSV of another kind: it is said what the file looks like,
and which key of the contract takes it.
"""

from __future__ import annotations

import codecs
import csv
import difflib
import io
import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from elt.errors import WHAT_NOW, RefusedFileError
from elt.loading.contract import IN_CONTRACT, MOST_COLUMNS, Table
from elt.loading.files.csv_records import Record, cut_records, is_utf8, record_at_start
from elt.loading.files.quoting import grammar, line_end
from elt.loading.files.stream import CHUNK_BYTES, Stream

_FORMATS = (
    (b"\x1f\x8b", "It looks like gzip: name it .csv.gz."),
    (b"PK\x03\x04", "It looks like a zip file or a spreadsheet: export it as CSV."),
    (b"<", "It looks like HTML or XML, not like CSV."),
    (b"{", "It looks like JSON, not like CSV."),
    (b"[", "It looks like JSON, not like CSV."),
)
# a reader of CSV takes no longer field
_LOOKED_AT = 64 << 10
# reports have a title and a few lines more above their header
_LOOKED_LINES = 20
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
# what else a contract takes, but for what names hold
_MORE_DELIMITERS = frozenset("!#$%&'()*+/:<=>?@[]^`{}~")
# 1,600 names of the length that names have; what is longer is not looked through
HEADER_BYTES = 128 << 10
# of 1: names that differ by a typing error or an ending
NEAR = 0.75


@dataclass(frozen=True)
class Header:
    """The columns of a file in its order, those that the contract has by the contract's names.

    ``unknown`` are those the contract does not name, ``missing`` those it has and the file has not;
    ``loose`` are pairs of a column and its name in the file, where case or blanks differ.
    ``seems_utf_8``: the file was read in the contract's other encoding, and looks like UTF-8.
    """

    names: tuple[str, ...]
    unknown: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    loose: tuple[tuple[str, str], ...] = ()
    seems_utf_8: bool = False


def read_header(table: Table, stream: Stream) -> Header:
    """Return the header of an open file, which can be read from its start afterwards.

    Raises:
        RefusedFileError: if the file is empty, is no CSV, or lacks a column of key or version.
    """
    if stream.is_empty:
        raise RefusedFileError("file", "is empty: 0 bytes, expected at least a header")
    first = record_at_start(stream.head, stream.delimiter)
    if first is None or first.has_bad_text():
        raise _no_header(table, table.column_names, stream)
    _check_size(table, first, stream)
    if not first.is_closed:
        raise _broken_header(table, first, stream)
    names = first.fields() or [""]
    return check_header(table, names, stream)


def check_header(table: Table, given: Sequence[str], stream: Stream) -> Header:
    """Match a header with the contract, by name without case and blanks.

    The names that a file gives are repeated only if the header is a true one: the first line of a
    file without a header is somebody's data.
    """
    names = match_names(table, given)
    needed = [*table.primary_key, *([table.version] if table.version else [])]
    if any(name not in names for name in needed):
        lacking = [name for name in table.column_names if name not in names]
        raise _no_header(table, lacking, stream, names)
    # a column without a name, as spreadsheets leave behind, can be there as often as it likes
    if twice := next((name for name in names if name and names.count(name) > 1), None):
        spelled = [
            name.strip() for name, column in zip(given, names, strict=True) if column == twice
        ]
        ways = " and ".join(f"`{name}`" for name in dict.fromkeys(spelled))
        how = (
            "" if len(set(spelled)) == 1 else f" (as {ways}, which differ in case and blanks alone)"
        )
        raise RefusedFileError("file", f"has the column `{twice}` twice in its header{how}")
    unknown = tuple(name for name in names if table.column(name) is None)
    # the contract's are made in any case, and one that counts the rows
    if (count := len(unknown) + len(table.columns) + 1) > MOST_COLUMNS:
        raise RefusedFileError(
            "file",
            f"has {len(unknown):,} columns in its header (line {stream.first_line}) that its "
            f"contract does not name; with the contract's that makes {count:,}, and a table of "
            f"Postgres has at most {MOST_COLUMNS:,}",
        )
    return Header(
        tuple(names),
        unknown,
        tuple(name for name in table.column_names if name not in names),
        tuple(
            (column, name)
            for name, column in zip(given, names, strict=True)
            if table.column(column) and name != column
        ),
    )


def _check_size(table: Table, first: Record, stream: Stream) -> None:
    where = f"in its header (line {stream.first_line})"
    what = ""
    if (count := first.field_count()) > MOST_COLUMNS:
        is_whole = first.raw != first.text or len(stream.head) < CHUNK_BYTES
        number = f"{count:,}" if is_whole else f"more than {MOST_COLUMNS:,}"
        what = f"has {number} columns {where}; a table of Postgres has at most {MOST_COLUMNS:,}"
    elif len(first.raw) > HEADER_BYTES:
        what = f"has more than {HEADER_BYTES >> 10} KiB {where}"
    if what:
        raise RefusedFileError("file", what, remedy=_remedy(table, stream))


def match_names(table: Table, given: Sequence[str]) -> list[str]:
    """Return the names of a header, those of the contract's columns as the contract has them."""
    return [folded if table.column(folded := fold(name)) else name.strip() for name in given]


def fold(name: str) -> str:
    """Return a name without case and marks, and without blanks around it; one inside is ``_``."""
    return "_".join(name.replace("\ufeff", "").casefold().split())


def nearest(name: str, columns: Collection[str]) -> str:
    """Return which of these columns a name was probably meant to be, or an empty string."""
    return next(iter(difflib.get_close_matches(fold(name), columns, 1, NEAR)), "")


def _broken_header(table: Table, first: Record, stream: Stream) -> RefusedFileError:
    if format_of(stream.head):
        return _no_header(table, table.column_names, stream)
    what = grammar(stream.delimiter, line_end(stream.head)).fault(first.text, first.broken)
    return RefusedFileError(
        "file", f"has a header (line {stream.first_line}) that is not valid CSV: {what}"
    )


def _no_header(
    table: Table, missing: Sequence[str], stream: Stream, names: Sequence[str] = ()
) -> RefusedFileError:
    listed = ", ".join(f"`{name}`" for name in missing)
    keys = [name for name in table.primary_key if name in missing]
    columns = "the column" if len(missing) == 1 else "the columns"
    reason = f"lacks {columns} {listed} in its header (line {stream.first_line})"
    if keys and len(missing) < len(table.columns):
        reason += f"; `{keys[0]}` is part of its key"
    asked = [
        f"Did you mean `{meant}` by column {place}?"
        for place, name in enumerate(names, 1)
        if table.column(name) is None and (meant := nearest(name, missing))
    ]
    about_lines = "" if asked else _about_lines(table, stream, names)
    return RefusedFileError("file", reason, remedy=_remedy(table, stream, *asked, about_lines))


def _remedy(table: Table, stream: Stream, *hints: str) -> str:
    parts = (*hints, describe_format(table, stream.head), WHAT_NOW)
    return " ".join(part for part in parts if part)


def _about_lines(table: Table, stream: Stream, names: Sequence[str]) -> str:
    """Say that lines stand above the header, or that there is none; or nothing."""
    end = line_end(stream.head)
    records = cut_records(
        *(stream.head[:_LOOKED_AT], end),
        delimiter=stream.delimiter,
        number=0,
        line=stream.first_line,
    )
    for record in itertools.islice(records, 1, _LOOKED_LINES):
        if set(table.primary_key).issubset(match_names(table, record.fields())):
            return f"The header stands on line {record.line}: take away what is above it."
    if len(names) == len(table.columns) and not any(map(table.column, names)):
        return "Is the first line a row? It must name the columns."
    return ""


def format_of(head: bytes) -> str:
    """Say what a file that is something else than text with delimiters looks like, or nothing."""
    start = head.lstrip()
    return next((text for signature, text in _FORMATS if start.startswith(signature)), "")


def describe_format(table: Table, head: bytes) -> str:
    """Say what a file looks like whose header is not the table's, and what takes it; or nothing."""
    if look := format_of(head):
        return look
    if wide := _wide_encoding(head):
        name = wide[:6].upper()
        return f"It looks like {name}: set `encoding: {wide}` {IN_CONTRACT}, or save it as UTF-8."
    if b"\0" in head:
        return "It looks like a binary file."
    line = head.splitlines()[0] if head else b""
    if table.encoding:
        read_as = f"It was read as {table.encoding}, as `encoding` says {IN_CONTRACT}."
        return _other_delimiter(table, line) or read_as
    if not is_utf8(line):
        return (
            f"Its text is not UTF-8: set `encoding` {IN_CONTRACT}, such as cp1252 or latin1, or "
            "save it as UTF-8."
        )
    return _other_delimiter(table, line)


def _wide_encoding(head: bytes) -> str:
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if len(head) > 3 and head[1::2][:4].strip(b"\0") == b"":
        return "utf-16-le"
    return "utf-16-be" if len(head) > 3 and head[::2][:4].strip(b"\0") == b"" else ""


def _other_delimiter(table: Table, line: bytes) -> str:
    """Say which delimiter finds more of the table's columns in the header."""
    text = line[:_LOOKED_AT].decode("utf-8", "replace")
    expected = _DELIMITERS.get(table.delimiter, f"`{table.delimiter}`")
    best, most = "", _count_columns(table, text, table.delimiter)
    others = sorted(set(text) & _MORE_DELIMITERS)
    for delimiter in (*_DELIMITERS, *others):
        if (found := _count_columns(table, text, delimiter)) > most:
            best, most = delimiter, found
    if not best:
        return ""
    shown = "\\t" if best == "\t" else best
    return (
        f"Its fields are parted by {_DELIMITERS.get(best, f'`{best}`')}; expected {expected}. "
        f'Set `delimiter: "{shown}"` {IN_CONTRACT}, or export it with {expected}.'
    )


def _count_columns(table: Table, line: str, delimiter: str) -> int:
    names = next(csv.reader(io.StringIO(line), delimiter=delimiter), [])
    return sum(table.column(name.strip().lower()) is not None for name in names)
