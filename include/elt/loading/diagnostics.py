"""What people are told of a source: why a file is refused, what was odd about one that was loaded.

A refusal says file, line, column, and what to do. A warning is told once, and kept in
``ops.load_warning``.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
from collections.abc import Callable, Iterator

from psycopg2.extensions import cursor as Cursor

from elt.errors import RefusedFileError
from elt.loading import shown_values, value_formats
from elt.loading.contract import Column, Table
from elt.loading.files import csv_records
from elt.loading.files.csv_records import Record
from elt.loading.files.header import Header, match_names, nearest
from elt.loading.files.hidden_faults import AGAIN, Headers
from elt.loading.files.quoting import long_record
from elt.loading.load_log import LoadResult
from elt.shop import SHOP

logger = logging.getLogger(__name__)

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


def warn(
    cursor: Cursor, table_name: str, kind: str, detail: str, message: str, load_id: int | None
) -> bool:
    """Note a warning and log it, unless the same kind and detail are known of this table.

    Args:
        cursor: of the load's own transaction.
        table_name: the table that it is about.
        kind: what sort of thing was noticed.
        detail: what it was noticed of; never the content of a row.
        message: the sentence for people; never the content of a row.
        load_id: the load that noticed it, None if none did.

    Returns:
        Whether it was new.
    """
    cursor.execute(
        "insert into ops.load_warning (load_id, table_name, kind, detail, message) "
        "values (%s, %s, %s, %s, %s) on conflict do nothing",
        [load_id, table_name, kind, detail, message],
    )
    if is_new := cursor.rowcount == 1:
        logger.warning("%s", message)
    return is_new


def warn_of_file(cursor: Cursor, table: Table, result: LoadResult, header: Header) -> None:
    """Warn of what is odd about a file that was loaded, before its row of ``ops.load`` is there.

    Args:
        cursor: of the load's own transaction.
        table: the contract of the file.
        result: what became of it, with the numbers of its rows.
        header: its columns, and how they differ from the contract's.
    """

    def note(kind: str, detail: str, message: str) -> None:
        warn(cursor, table.name, kind, detail, message, result.load_id)

    path, raw = result.source_file, f"raw.{table.name}"
    for name in dict.fromkeys(name or "(without a name)" for name in header.unknown):
        meant = nearest(name, header.missing)
        note(
            "unknown_column",
            name,
            f"{path} has a column that {raw} does not: {name}. "
            + (f"Did you mean `{meant}`? " if meant else "")
            + f"It is ignored; declare it in {SHOP.contracts.name} to load it.",
        )
    for column, name in header.loose:
        note(
            "loose_column",
            f"{name} is {column}",
            f"{path} calls the column {column} of {raw} `{name}`. It is loaded: names are matched "
            "without case and blanks. Spell it as the contract does to be safe.",
        )
    if header.seems_utf_8:
        note(
            "seems_utf_8",
            table.encoding,
            f"{path} looks like UTF-8, but was read as {table.encoding}, as `encoding` says in the "
            f"contract of {raw}. Do its accents come out right?",
        )
    for name in header.missing:
        note(
            "missing_column",
            name,
            f"{path} lacks the column {name} of {raw}. It is null in new rows, and stays as it is "
            "in known ones.",
        )
    if result.rows_quarantined and table.load == "full_snapshot":
        note(
            "no_deletes",
            f"{path} {result.load_id}",
            f"{path} is a full snapshot with {result.rows_quarantined:,} rows in quarantine: no "
            f"row of {raw} was marked as deleted.",
        )
    if table.load == "delta" and not result.rows_read:
        note("empty_drop", f"{path} {result.load_id}", f"{path} holds no rows for {raw}.")
