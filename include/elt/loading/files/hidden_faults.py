"""Faults of a file that the server takes as they are: a header among its rows, rows inside a value.

Exports that were glued together have a header in the middle. A forgotten quote that is closed by
chance further on makes one value of several lines, which reads like rows. By RFC 4180 that is one
text, so it is loaded as one; but it is told, since rows may be gone.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence

from psycopg2 import sql

from elt.errors import RefusedFileError
from elt.loading.contract import Table
from elt.loading.files.csv_records import Record
from elt.loading.files.header import fold
from elt.loading.files.stream import BOM
from elt.loading.quarantine.store import BadRow
from elt.loading.staging_table import StagingTable
from elt.warehouse.rows import one_value

AGAIN = "the header stands here again: are two exports glued together?"
OTHER_HEADER = (
    "a second header stands here, with other columns or another order of them: two exports are "
    "glued together, part them"
)
BELOW = "stands below a second header with other columns"
# a name of a column is no value of any other type
_TAKES_NAMES = ("text", "jsonb", "boolean")
_MOST_WORDS = 4
# with fewer columns than these many a text looks like rows by chance; more the server can't count
_FEWEST_COLUMNS, _MOST_COLUMNS = 3, 256


class Headers:
    """Finds headers among the records of a file whose own header has these names.

    Below a header with other columns, or the same in another order, a row has its values in other
    places. Such rows are not loaded, up to the next header that is like the first.
    """

    def __init__(self, table: Table, names: Sequence[str]) -> None:
        self._names = [fold(name) for name in names]
        self._known = sorted({*self._names, *table.column_names} - {""}, key=len, reverse=True)
        self._keys = set(table.primary_key)
        self._token = max(table.primary_key[0].split("_"), key=len).encode()
        self._can_hide = can_hide(table, names)
        self._moved_on = 0

    def may_be_in(self, data: bytes) -> bool:
        """Tell whether a piece must be looked at, since the server would take what stands in it."""
        return bool(self._moved_on) or (self._can_hide and self._token in data.lower())

    def sort_out(self, records: Sequence[Record]) -> tuple[list[BadRow], list[Record]]:
        """Part the records of a piece, the pieces in order: those of no use, and the others."""
        bad, right = [], []
        for record in records:
            if names := self.find(record):
                self._moved_on = 0 if names == self._names else record.line
                bad.append(BadRow(record, (OTHER_HEADER if self._moved_on else AGAIN,)))
            elif self._moved_on:
                bad.append(BadRow(record, (f"{BELOW} (line {self._moved_on})",)))
            else:
                right.append(record)
        return bad, right

    def find(self, record: Record) -> list[str]:
        """Return the names of a header that a record holds, or nothing.

        That is also one which a line without its end ran into.
        """
        if self._token not in record.raw.lower():
            return []
        fields = [fold(field) for field in record.lenient_fields()]
        if self.is_header(fields):
            return fields
        rest = fields[len(self._names) - 1 :]
        if len(self._names) == 1 or len(rest) < 2:
            return []
        ran_into = next((name for name in self._known if rest[0].endswith(name)), "")
        names = [ran_into, *rest[1:]]
        return names if ran_into and self.is_header(names) else []

    def is_header(self, fields: Sequence[str]) -> bool:
        """Tell it by the names of the key, and because most others are names of columns too."""
        is_keyed = self._keys.issubset(fields)
        return is_keyed and 2 * sum(field in self._known for field in fields) > len(fields)


def can_hide(table: Table, names: Sequence[str]) -> bool:
    """Tell whether the server takes a header for a row, because all columns take text."""
    columns = [column for column in table.columns if column.name in names]
    return all(column.data_type in _TAKES_NAMES for column in columns)


def refuse_hidden(staging: StagingTable, names: Sequence[str]) -> None:
    """Look for a header among the rows of a file, by the index of their key.

    Raises:
        RefusedFileError: if there is one.
    """
    table, cursor = staging.table, staging.cursor
    key = next((c.name for c in table.key_columns if c.data_type == "text"), None)
    if key is None or not can_hide(table, names):
        return
    spelled = {way for name in {*table.column_names, *names} for way in _ways_to_spell(name)}
    cursor.execute(
        sql.SQL("select {} from {} where {} = any(%s)").format(
            sql.SQL(", ").join(sql.SQL("{}::text").format(column) for column in staging.columns),
            staging.name,
            sql.Identifier(key),
        ),
        [sorted(spelled)],
    )
    headers = Headers(table, names)
    if any(headers.is_header([fold(value or "") for value in row]) for row in cursor):
        raise RefusedFileError("header")


def _ways_to_spell(name: str) -> Iterator[str]:
    words = name.split("_")
    ways = [(word, word.upper(), word.capitalize()) for word in words]
    spelled = itertools.product(*ways) if len(words) <= _MOST_WORDS else zip(*ways, strict=True)
    mark = BOM.decode()
    for way in spelled:
        for joined in {"_".join(way), " ".join(way)}:
            for before, after in itertools.product(("", " ", mark), ("", " ")):
                yield f"{before}{joined}{after}"


def describe_swallowed_rows(
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
        place: pattern_of_swallowed(place, len(names), table.delimiter)
        for place, name in enumerate(names)
        if (column := table.column(name)) and column.data_type == "text"
    }
    if not patterns or not _FEWEST_COLUMNS <= len(names) <= _MOST_COLUMNS:
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


def pattern_of_swallowed(place: int, width: int, delimiter: str) -> str:
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
