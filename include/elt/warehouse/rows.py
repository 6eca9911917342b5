"""The rows of a query: objects by the names of their columns, and values of a known type."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar, overload

from psycopg2.extensions import cursor as Cursor

Row = TypeVar("Row")
Value = TypeVar("Value")


@overload
def one_row(cursor: Cursor) -> tuple[Any, ...]: ...
@overload
def one_row(cursor: Cursor, kind: Callable[..., Row]) -> Row: ...
def one_row(cursor: Cursor, kind: Callable[..., Row] | None = None) -> tuple[Any, ...] | Row:
    """Return the row of a query that always has one.

    Args:
        cursor: the cursor that ran the query.
        kind: makes an object of it, as in ``rows_as``; without it, it is a tuple.

    Raises:
        LookupError: if it has none.
    """
    row = cursor.fetchone() if kind is None else first_row(cursor, kind)
    if row is None:
        raise LookupError("A query that always has a row has none.")
    return row


def first_row(cursor: Cursor, kind: Callable[..., Row]) -> Row | None:
    """Return the next row of a query, made by its columns' names; None without one."""
    return next(_objects(cursor, kind), None)


def rows_as(cursor: Cursor, kind: Callable[..., Row]) -> list[Row]:
    """Return the rows of a query, each made by its columns' names.

    Args:
        cursor: the cursor that ran the query.
        kind: takes every column of the query by its name, as a dataclass does.
    """
    return list(_objects(cursor, kind))


@overload
def one_value(cursor: Cursor) -> Any: ...
@overload
def one_value(cursor: Cursor, kind: type[Value]) -> Value: ...
def one_value(cursor: Cursor, kind: type[Value] | None = None) -> Any:
    """Return what is first in the row of a query that always has one.

    Args:
        cursor: the cursor that ran the query.
        kind: the type that the value has in Python; without it, it may be any, and null.

    Raises:
        LookupError: if it has no row.
        TypeError: if the value is of another type, or null.
    """
    value = one_row(cursor)[0]
    return value if kind is None else _checked(value, kind)


def value_or_none(cursor: Cursor, kind: type[Value]) -> Value | None:
    """Return what is first in the row of a query, None if that is null or there is no row.

    Raises:
        TypeError: if the value is of another type.
    """
    row = cursor.fetchone()
    return None if row is None or row[0] is None else _checked(row[0], kind)


def all_values(cursor: Cursor, kind: type[Value]) -> list[Value]:
    """Return what is first in each row of a query.

    Raises:
        TypeError: if a value is of another type, or null.
    """
    return [_checked(row[0], kind) for row in cursor]


def grouped(cursor: Cursor, key: str, value: str) -> dict[str, set[str]]:
    """Return the texts of one column of a query by those of another; nothing without a row.

    Args:
        cursor: the cursor that ran the query.
        key: the name of the column to group by.
        value: the name of the column whose texts are wanted.
    """
    found: dict[str, set[str]] = {}
    for row in rows_as(cursor, dict[str, str]):
        found.setdefault(row[key], set()).add(row[value])
    return found


def _objects(cursor: Cursor, kind: Callable[..., Row]) -> Iterator[Row]:
    names = [column.name for column in cursor.description or ()]
    for row in cursor:
        yield kind(**dict(zip(names, row, strict=True)))


def _checked(value: Any, kind: type[Value]) -> Value:
    if not isinstance(value, kind):
        raise TypeError(f"A query returned a {type(value).__name__}, not a {kind.__name__}.")
    return value
