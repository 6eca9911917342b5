"""Values over several lines that read like rows: a forgotten quote, closed by chance further on.

By RFC 4180 such a value is one text, so it is loaded as one. But it is told: rows may be gone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from psycopg2 import sql

from elt.loading.files.csv_records import Record
from elt.loading.staging_table import StagingTable
from elt.warehouse.rows import one_value

# with fewer columns than these many a text looks so by chance; more the server can't count
_FEWEST, _MOST = 3, 256


def describe(
    staging: StagingTable, names: Sequence[str], path: str, read: Callable[[], Iterator[Record]]
) -> str:
    """Say how many rows of a file have such a value, and where the first is; or nothing.

    Args:
        staging: has the rows of the file.
        names: its header.
        path: how the file is called.
        read: reads its records again, to find the line.
    """
    table = staging.table
    patterns = {
        place: pattern_of(place, len(names), table.delimiter)
        for place, name in enumerate(names)
        if (column := table.column(name)) and column.data_type == "text"
    }
    if not patterns or not _FEWEST <= len(names) <= _MOST:
        return ""
    is_one = sql.SQL(" or ").join(
        # what has no line end is passed over quickly
        sql.SQL("(strpos({0}, {1}) + strpos({0}, {2}) > 0 and {0} ~ {3})").format(
            sql.Identifier(names[place]),
            *map(sql.Literal, ("\n", "\r", f"^{pattern}$")),
        )
        for place, pattern in patterns.items()
    )
    staging.cursor.execute(sql.SQL("select count(*) from {} where {}").format(staging.name, is_one))
    if not (count := one_value(staging.cursor, int)):
        return ""
    where = next(filter(None, (_where(record, names, patterns) for record in read())), ": a value")
    more = "" if count == 1 else f" So do values of {count - 1:,} more rows."
    return (
        f"{path}{where} reads like rows of its own. It was loaded as one text, as its quotes say: "
        f"is one missing, so that rows are gone?{more}"
    )


def pattern_of(place: int, width: int, delimiter: str) -> str:
    """Return what the whole of a value matches, for Python and for the server.

    From where it begins its lines have the delimiters that rows have, up to where it ends.
    """
    field = rf"[^\u{ord(delimiter):04x}\r\n]*"
    first, row, last = (
        rf"(?:{field}\u{ord(delimiter):04x}){{{count}}}{field}"
        for count in (width - 1 - place, width - 1, place)
    )
    end = r"(?:\r\n?|\n)"
    return f"{first}{end}(?:{row}{end})*{last}"


def _where(record: Record, names: Sequence[str], patterns: dict[int, str]) -> str:
    if record.last_line == record.line or not record.number:
        return ""
    fields = record.fields()
    for place, pattern in patterns.items():
        if len(fields) == len(names) and re.fullmatch(pattern, fields[place]):
            lines = f"lines {record.line} to {record.last_line}"
            return f", {lines}: the value of {names[place]}"
    return ""
