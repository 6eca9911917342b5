"""What a value must look like so that it can be read in one way only, and must lie within.

The server reads more than an export means: ``11-Feb-21`` as a day of 2011, ``GMT+0100`` as four
days later, ``today`` by the clock, ``NaN`` as a number. Rows with such values are bad ones. What a
text of a date was, its value does not show, so dates are looked at before the server reads them
(``files.date_look``); ``NaN`` and what lies outside of all bounds show in the value.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from elt.loading.contract import INSTANTS, Column, Table

FRACTIONS = ("numeric", "real", "double precision")
# clocks differ, and a version without a zone may be of a place that is ahead of UTC
CLOCK_SKEW = timedelta(days=1)
_CHECK = "_value "
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


def pattern_of(table: Table, column: Column) -> str | None:
    """Return what the whole of a value must match, in any case, for Python and for the server.

    It forbids only what can be read in two ways; the server decides about the rest. None if that
    is nothing.
    """
    if column.data_type in FRACTIONS:
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
    if column.data_type in FRACTIONS:
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
    data_types: Collection[str],
) -> None:
    """Make a table refuse what no value of these types may be; that costs next to nothing.

    Args:
        cursor: of the load's own transaction.
        table: the contract of the rows.
        name: the table.
        latest: no version may be later.
        data_types: those of the columns to check, besides the version.
    """
    checks = []
    for column in table.columns:
        bounds = [_bounds(column)] if column.data_type in data_types else []
        if latest and column.name == table.version:
            column_name = sql.Identifier(column.name)
            bounds.append(sql.SQL("{} <= {}").format(column_name, sql.Literal(latest)))
        if bounds:
            # names of columns may be as long as names can be
            checks.append(
                sql.SQL("add constraint {} check ({}) not valid").format(
                    sql.Identifier(_CHECK + column.name), sql.SQL(" and ").join(bounds)
                )
            )
    _alter(cursor, name, checks)


def drop_checks(cursor: Cursor, table: Table, name: sql.Composable) -> None:
    """Take back what ``add_checks`` did."""
    _alter(
        cursor,
        name,
        [
            sql.SQL("drop constraint if exists {}").format(sql.Identifier(_CHECK + column.name))
            for column in table.columns
            if column.data_type in (*INSTANTS, *FRACTIONS) or column.name == table.version
        ],
    )


def checked_column(constraint: str) -> str:
    """Return the column that a failed check of that name is about."""
    return constraint.removeprefix(_CHECK)


def _alter(cursor: Cursor, name: sql.Composable, changes: list[sql.Composed]) -> None:
    if changes:
        cursor.execute(sql.SQL("alter table {} {}").format(name, sql.SQL(", ").join(changes)))


def _bounds(column: Column) -> sql.Composable:
    if column.data_type in INSTANTS:
        low, high = "0002-01-01 BC", "10001-01-01"
    else:
        low, high = "-Infinity", "Infinity"  # NaN is above all
    return sql.SQL("{0} > {1}::{3} and {0} < {2}::{3}").format(
        sql.Identifier(column.name),
        sql.Literal(low),
        sql.Literal(high),
        sql.SQL(column.data_type),
    )
