"""From a refusal to sentences for people: file, line, column, and what to do."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator

from elt.loading import shown_values, value_formats
from elt.loading.contract import Column, Table
from elt.loading.errors import RefusedFileError
from elt.loading.files import csv_records
from elt.loading.files.csv_records import Record
from elt.loading.files.header import match_names
from elt.loading.files.quoting import long_record
from elt.loading.files.repeated_header import AGAIN, Headers

SHOW_CHARACTERS = 60
_WIDE = ("TooManyColumns", "TooManyArguments")


def explain(
    refused: RefusedFileError,
    table: Table,
    path: str,
    read: Callable[[], Iterator[Record]],
) -> str:
    """Return what is wrong with a file, and what to do. It holds no values of personal columns.

    Args:
        refused: what the load knows of it.
        table: the contract of the file.
        path: how the file is called.
        read: reads its records again, to find true lines.
    """
    if refused.kind in ("file", "time"):
        return f"{path} {refused.reason}. {refused.remedy}"
    if refused.kind == "packed":
        return (
            f"{path} is damaged or cut short: it can't be unpacked as gzip. "
            "Nothing of this file was loaded. Deliver it again."
        )
    header: list[str] = []
    found: list[Record] = []
    try:
        # it was readable a moment ago; if it is no more, the message does without the line
        with contextlib.suppress(OSError):
            header = _header(table, read)
            found = list(_find(refused, Headers(table, header), read))
            if refused.kind == "long":
                raise long_record()
    except RefusedFileError as error:
        if error.kind == "file":
            return explain(error, table, path, read)
    what = _what(refused, table, header, found)
    return f"{path}{_where(found)}{what} {refused.remedy}"


def _header(table: Table, read: Callable[[], Iterator[Record]]) -> list[str]:
    names = [name for record in itertools.islice(read(), 1) for name in record.fields()]
    return match_names(table, names)


def _find(
    refused: RefusedFileError, headers: Headers, read: Callable[[], Iterator[Record]]
) -> Iterator[Record]:
    for record in read():
        if refused.kind == "long":
            # what reads it will refuse it, with its line
            continue
        if refused.records:
            if record.number in refused.records:
                yield record
            if record.number >= max(refused.records, default=0):
                return
        elif refused.kind == "encoding":
            if record.has_bad_text():
                yield record
                return
        elif refused.kind == "end_marker":
            if csv_records.MARKER.search(record.raw):
                yield record
                return
        elif refused.kind == "header":
            if record.number and headers.find(record):
                yield record
                return
        elif not record.is_closed or record.server_line >= (refused.server_line or 1 << 62):
            yield record
            return


def _where(found: list[Record]) -> str:
    if not found:
        return ""
    first = found[0]
    if len(found) == 1 and first.last_line > first.line and first.is_closed:
        return f", lines {first.line} to {first.last_line}"
    return f", line {first.line}"


def _what(refused: RefusedFileError, table: Table, header: list[str], found: list[Record]) -> str:
    record = found[0] if found else None
    keys = ", ".join(f"`{key}`" for key in table.primary_key)
    if refused.kind == "duplicate":
        second = f" and again on line {found[1].line}" if len(found) > 1 else ""
        return f": the key ({keys}) of this row is there{second or ' twice'}, it must be unique."
    if refused.kind == "encoding":
        what = csv_records.bad_text(record, table) if record else "the text is not UTF-8"
        return f": {what}."
    if refused.kind == "end_marker":
        return f": {csv_records.BAD_MARKER}. It needs Postgres 18."
    if refused.kind == "limit":
        what = "has more columns" if refused.reason in _WIDE else "a row is larger"
        return f": {what} than the server can take."
    if record is not None and record.number and Headers(table, header).find(record):
        return f": {AGAIN}"
    if refused.kind in ("structure", "quotes") or (record and not record.is_closed):
        return _structure(record, len(header))
    column = table.column(refused.column or "")
    if refused.kind == "bad_row":
        if column is None:
            return f": {refused.reason}."
        name = f"column {column.name}:"
        said = refused.reason.replace(name, f"{name} {_value(column, header, record)}", 1)
        return f", {said}."
    if column is None:
        return ": a value does not fit its column."
    if refused.kind == "key":
        return f", column {column.name}: is empty, but it is part of the key ({keys})."
    value = _value(column, header, record)
    expected = value_formats.expected(table, column)
    return f", column {column.name}: {value} is not a valid {column.data_type}{expected}."


def _structure(record: Record | None, expected: int) -> str:
    if record is None:
        return ": this is not valid CSV."
    if not record.is_closed:
        return f": {csv_records.broken_quotes(record)}."
    fault = csv_records.wrong_count(record, expected) or csv_records.OTHER_END
    return f": {fault}{'' if fault.endswith('?') else '.'}"


def _value(column: Column, header: list[str], record: Record | None) -> str:
    if column.is_personal:
        return "the value (personal, not shown)"
    fields = record.fields() if record else []
    # in a row of another length a neighbour's value, perhaps a personal one, may stand there
    if len(fields) != len(header) or column.name not in header:
        return "the value"
    value = fields[header.index(column.name)]
    # a row of the right length may have shifted all the same
    if not shown_values.fits(value, shown_values.Kind(column.data_type)):
        return f"the value {shown_values.HIDDEN}"
    if len(value) > SHOW_CHARACTERS:
        value = f"{value[:SHOW_CHARACTERS]}…"
    return f"the value {value!r}"
