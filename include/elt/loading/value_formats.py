"""What a value must look like so that it can be read in one way only, and must lie within.

The server reads more than an export means: ``11-Feb-21`` as a day of 2011, ``GMT+0100`` as four
days later, ``today`` by the clock, ``NaN`` as a number. Rows with such values are bad ones.

To look at every text would cost a fifth of a load. So all of a file's first rows are looked at and
some of the others: what a whole export does wrong shows in the first rows, what the server made of
a word shows in the value (``add_checks``).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from elt.loading.contract import INSTANTS, Column, Table
from elt.loading.files.stream import CHUNK_BYTES
from elt.warehouse.rows import one_row

_FRACTIONS = ("numeric", "real", "double precision")
# clocks differ, and a version without a zone may be of a place that is ahead of UTC
CLOCK_SKEW = timedelta(days=1)
# a check by this name tells nothing yet but that the text has to be looked at
SUSPICION, RULE = "_form ", "_value "
_YEAR, _DAY = "[0-9]{4}", "[0-9]{1,2}"
_MONTH = "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[.]?"
_WEEKDAY = "(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,? *)?"
_TIME = (
    f"(?:{_DAY}:{_DAY}(?::{_DAY}(?:[.][0-9]*)?)?|[0-9]{{4}}(?:[0-9]{{2}}(?:[.][0-9]*)?)?)"
    "(?: *[ap]m)?"
)
# CST is a zone of China and one of America, and the server takes the sign in GMT+2 for the opposite
_ZONE = "(?: *(?:z|utc|gmt|[+-][0-9]{1,2}(?::?[0-9]{2})?|[a-z_]+(?:/[a-z_-]+)+))?"
_DATES = (
    f"{_YEAR}[-/. ]{_DAY}[-/. ]{_DAY}",
    "[0-9]{8}",
    f"{_DAY}[- ]?{_MONTH}[-, ]*{_YEAR}",
    f"{_MONTH}[- ]{_DAY}[-, ]+{_YEAR}",
    f"{_YEAR}[- ]?{_MONTH}[- ]?{_DAY}",
)
_ORDERED = f"{_DAY}[-/. ]{_DAY}[-/. ]{_YEAR}"
SAMPLE_BYTES = CHUNK_BYTES >> 7
# a pattern takes any digit alike, so of ten thousand dates only a few shapes are left to match
_SAME_DIGIT = bytes.maketrans(b"123456789", b"0" * 9)


@dataclass(frozen=True)
class _Words:
    """What these words stand for in a transaction."""

    now: datetime
    yesterday: date
    today: date
    tomorrow: date
    epoch: date


def pattern_of(table: Table, column: Column) -> str | None:
    """Return what the whole of a value must match, in any case, for Python and for the server.

    It forbids only what can be read in two ways; the server decides about the rest. None if that
    is nothing.
    """
    if column.data_type in _FRACTIONS:
        return "[^in]*"  # NaN, inf, infinity
    if column.data_type not in (*INSTANTS, "time"):
        return None
    dates = "|".join((*_DATES, *([_ORDERED] if table.date_order else [])))
    instant = (
        f" *{_WEEKDAY}(?:(?:{dates})(?:[t ] *{_TIME})?{_ZONE}"
        f"|{_MONTH} +{_DAY} {_TIME}{_ZONE} {_YEAR}) *"
    )
    return f"{instant}| *{_TIME}{_ZONE} *" if column.data_type == "time" else instant


def expected(table: Table, column: Column) -> str:
    """Return what a value of the column should look like, as the end of a sentence, or nothing."""
    if column.data_type in _FRACTIONS:
        return "; expected 1234.50 (NaN and infinity count as none)"
    if column.data_type == "time":
        return "; expected 01:15:00"
    if column.data_type not in INSTANTS:
        return ""
    time = " 01:15:00" if column.data_type == "timestamptz" else ""
    if table.date_order:
        parts = {"dmy": "28/02/2021", "mdy": "02/28/2021"}[table.date_order]
        return f"; expected 2021-02-28{time} or {parts}{time} (`date_order: {table.date_order}`)"
    return (
        f"; expected 2021-02-28{time}, or the key `date_order` (dmy or mdy) in the contract of "
        f"`{table.name}`"
    )


def is_fit(table: Table, column: Column) -> sql.Composable:
    """Return the condition that the text in a column is a value that can be read in one way."""
    name = sql.Identifier(column.name)
    is_valid = sql.SQL("pg_input_is_valid({}, {})").format(name, sql.Literal(column.data_type))
    pattern = pattern_of(table, column)
    if pattern is None:
        return is_valid
    return sql.SQL("({} ~* {} and {})").format(name, sql.Literal(f"^(?:{pattern})$"), is_valid)


def latest_version(table: Table, started_at: datetime) -> datetime | None:
    """Return the latest version that a load which began then can have met, if that can be told."""
    column = table.column(table.version or "")
    return started_at + CLOCK_SKEW if column and column.data_type in INSTANTS else None


def use_date_order(cursor: Cursor, table: Table) -> None:
    """Make the server read dates as the contract says until the transaction ends.

    Without ``date_order`` it refuses whatever does not begin with the year.
    """
    order = (table.date_order or "ymd").upper()
    cursor.execute("select set_config('datestyle', %s, true)", [f"ISO, {order}"])


def add_checks(
    cursor: Cursor,
    table: Table,
    name: sql.Composable,
    latest: datetime | None = None,
    *,
    kinds: Collection[str] = (RULE, SUSPICION),
    data_types: Collection[str] = (*INSTANTS, *_FRACTIONS),
    is_clean: bool = False,
) -> None:
    """Make a table refuse what no value may be, and what a suspicious text may have become.

    These cost next to nothing, unlike a look at each text.

    Args:
        cursor: of the load's own transaction.
        table: the contract.
        name: the table that takes the rows.
        latest: the latest version that a row can have.
        kinds: which checks.
        data_types: the types of the columns that get them.
        is_clean: all rows are expected to be good, so one check does for both where it can; what
            it refuses is to be looked at again with both.
    """
    checks = []
    for column in table.columns:
        if column.data_type not in data_types:
            continue
        bounds = _bounds(table, column, latest) if RULE in kinds else None
        has_suspicion = SUSPICION in kinds and column.data_type in INSTANTS
        is_one = is_clean and has_suspicion and column.name != table.version
        if bounds and not is_one:
            checks.append((RULE + column.name, bounds))
        if has_suspicion:
            is_no_word = _is_no_word(cursor, column, bounds if is_one else None)
            checks.append((SUSPICION + column.name, is_no_word))
    _alter(
        cursor,
        name,
        [
            # names of columns may be as long as names can be
            sql.SQL("add constraint {} check ({}) not valid").format(
                sql.Identifier(name_), condition
            )
            for name_, condition in checks
        ],
    )


def drop_checks(cursor: Cursor, table: Table, name: sql.Composable, *kinds: str) -> None:
    """Take back what ``add_checks`` did.

    Args:
        cursor: of the load's own transaction.
        table: the contract.
        name: the table that takes the rows.
        kinds: which checks; all, if none are named.
    """
    _alter(
        cursor,
        name,
        [
            sql.SQL("drop constraint if exists {}").format(sql.Identifier(kind + column.name))
            for column in table.columns
            for kind in kinds or (RULE, SUSPICION)
            if column.data_type in (*INSTANTS, *_FRACTIONS)
        ],
    )


def read_check(name: str) -> tuple[str, str | None]:
    """Return the kind of refusal that a failed check of that name is, and the column."""
    if name.startswith(SUSPICION):
        return "form", name.removeprefix(SUSPICION)
    return "value", name.removeprefix(RULE)


def _alter(cursor: Cursor, name: sql.Composable, changes: list[sql.Composed]) -> None:
    if changes:
        cursor.execute(sql.SQL("alter table {} {}").format(name, sql.SQL(", ").join(changes)))


def _bounds(table: Table, column: Column, latest: datetime | None) -> sql.Composable | None:
    name = sql.Identifier(column.name)
    if column.data_type in _FRACTIONS:
        # NaN is above all
        low, high = "-Infinity", "Infinity"
    elif column.data_type in INSTANTS:
        low, high = "0002-01-01 BC", "10001-01-01"
    else:
        return None
    condition = sql.SQL("{0} > {1}::{3} and {0} < {2}::{3}").format(
        name, sql.Literal(low), sql.Literal(high), sql.SQL(column.data_type)
    )
    if latest is None or column.name != table.version:
        return condition
    return sql.SQL("{} and {} <= {}").format(condition, name, sql.Literal(latest))


def _is_no_word(cursor: Cursor, column: Column, bounds: sql.Composable | None) -> sql.Composable:
    """Return the condition that a value is none that a word (``now``, ``epoch``) stands for.

    Most values are known at once to be none, and to lie within all bounds.
    """
    cursor.execute(
        "select now(), current_date - 1 as yesterday, current_date as today, "
        "current_date + 1 as tomorrow, 'epoch'::date as epoch"
    )
    found = one_row(cursor, _Words)
    days = [found.yesterday, found.today, found.tomorrow, found.epoch]
    kind = sql.SQL(column.data_type)
    values = days if column.data_type == "date" else [found.now, *days]
    literals = [sql.SQL("{}::{}").format(sql.Literal(str(value)), kind) for value in values]
    return sql.SQL("({0} > {1} and {0} < {2}) or ({0} not in ({3}) and {4})").format(
        sql.Identifier(column.name),
        literals[-1],
        literals[-4],
        sql.SQL(", ").join(literals),
        bounds or sql.SQL("true"),
    )


class DateLook:
    """Tells whether rows hold a date that can be read in two ways. ``names`` is their header."""

    def __init__(self, table: Table, names: Sequence[str]) -> None:
        self._width = len(names)
        self._delimiter = table.delimiter
        self._nulls = {"", table.null_text}
        self._mask = None if re.search("[1-9]", table.null_text or "") else _SAME_DIGIT
        self._patterns = [
            (place, re.compile(pattern_of(table, column) or "", re.IGNORECASE).fullmatch)
            for place, name in enumerate(names)
            if (column := table.column(name)) and column.data_type in (*INSTANTS, "time")
        ]

    def is_odd(self, data: bytes, *, has_header: bool = False) -> bool:
        """Tell whether one of the rows does. Rows of another length are not judged here."""
        if not self._patterns:
            return False
        text = io.StringIO(data.translate(self._mask).decode("latin-1"), newline="")
        reader = csv.reader(text, delimiter=self._delimiter)
        try:
            if has_header:
                next(reader, None)
            rows = [row for row in reader if len(row) == self._width]
        except csv.Error:
            return True
        return any(
            not matches(shape)
            for place, matches in self._patterns
            for shape in {row[place] for row in rows} - self._nulls
        )

    def is_odd_in_part(self, data: bytes) -> bool:
        """Tell the same of a few rows in the middle of a file."""
        if not self._patterns:
            return False
        part = data[:SAMPLE_BYTES]
        return self.is_odd(part[part.find(b"\n") + 1 : part.rfind(b"\n") + 1])
