"""Values as people read them. What a column measures, the end of its name says."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

Row = Mapping[str, Any]

NOTHING = "\N{EN DASH}"
_UNITS = ("usd", "rate", "seconds", "count")
# what a spreadsheet takes for the beginning of a formula
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def is_number(value: Any) -> bool:
    """Tell whether a value can be drawn: a finite number."""
    return (
        isinstance(value, int | float | Decimal)
        and not isinstance(value, bool)
        and math.isfinite(value)
    )


def unit_of(column: str) -> str | None:
    """Return what the end of a column's name says that it measures: usd, rate, seconds, count."""
    return next((unit for unit in _UNITS if column == unit or column.endswith(f"_{unit}")), None)


def shown(column: str, value: Any) -> str:
    """Return a value of a column as people read it; a dash for nothing."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, date):
        return day(value)
    if is_number(value):
        return in_unit(unit_of(column), value)
    return str(value)


def brief(column: str, value: Any) -> str:
    """The same for a chart: an amount of $100 or more without its cents."""
    if unit_of(column) == "usd" and is_number(value) and abs(value) >= 100:
        return f"{'-' if value < 0 else ''}${abs(value):,.0f}"
    return shown(column, value)


def in_unit(unit: str | None, value: Any) -> str:
    """Return a number with its unit."""
    if not is_number(value):
        return NOTHING
    match unit:
        case "usd":
            return usd(value)
        case "rate":
            return share(value)
        case "seconds":
            return duration(value)
        case _:
            return number(value)


def number(value: Any, digits: int = 2) -> str:
    """Return a number with so many digits after the point, or two that say something."""
    if not is_number(value):
        return NOTHING
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.{digits}f}" if abs(value) >= 0.1 else f"{float(value):.2g}"


def usd(value: Any) -> str:
    """Return an amount of dollars: $1,234.50."""
    if not is_number(value):
        return NOTHING
    return f"{'-' if value < 0 else ''}${abs(value):,.2f}"


def share(value: Any) -> str:
    """Return a share between 0 and 1 in percent: 62.5 %."""
    return f"{100 * float(value):.1f} %" if is_number(value) else NOTHING


def duration(value: Any) -> str:
    """Return seconds as two units of time: 3 min 32 s, 3 days 21 h."""
    if not is_number(value):
        return NOTHING
    seconds, sign = abs(float(value)), "-" if value < 0 else ""
    if seconds < 10 and seconds != int(seconds):
        return f"{sign}{seconds:.1f} s"
    # halves go up: 211.5 s is 3 min 32 s
    whole = int(seconds + 0.5)
    for size, name, smaller, small_name in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // smaller
            return f"{sign}{whole // size} {name}" + (f" {rest} {small_name}" if rest else "")
    return f"{sign}{whole} s"


def day(value: Any) -> str:
    """Return a day: 10 Feb 2021."""
    return f"{value:%-d %b %Y}" if isinstance(value, date) else NOTHING


def instant(value: Any) -> str:
    """Return an instant in UTC: 10 Feb 2021 14:05 UTC."""
    if not isinstance(value, datetime):
        return NOTHING
    return f"{value.astimezone(UTC):%-d %b %Y %H:%M} UTC"


def as_csv(columns: Sequence[str], rows: Sequence[Row]) -> bytes:
    """Return rows as CSV that a spreadsheet opens as it is, and runs nothing of.

    A text that could be a formula begins with an apostrophe. Numbers, days and instants stay what
    they are.
    """
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(map(_cell, columns))
    writer.writerows([_cell(row[column]) for column in columns] for row in rows)
    # with its mark, or a spreadsheet takes it for another encoding
    return file.getvalue().encode("utf-8-sig")


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, Decimal) and value.is_finite():
        # an average has twenty digits
        return round(value, 6) if value != round(value, 6) else value
    if value is None or isinstance(value, bool | int | float | Decimal | date):
        return value
    text = str(value)
    return f"'{text}" if text.lstrip(" \n").startswith(_FORMULA) else text
