"""The rows of a query by name, and the row of one that always has one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from psycopg2.extensions import cursor as Cursor

T = TypeVar("T")


def rows_as(cursor: Cursor, kind: Callable[..., T]) -> list[T]:
    """Return the rows of a query, each made by its columns' names.

    Args:
        cursor: of which the query was executed.
        kind: takes every column of the query by its name, as a dataclass does.
    """
    names = [column.name for column in cursor.description or ()]
    return [kind(**dict(zip(names, row, strict=True))) for row in cursor]


def one_row(cursor: Cursor) -> tuple[Any, ...]:
    """Return the row of a query that always has one.

    Raises:
        LookupError: if it has none.
    """
    row = cursor.fetchone()
    if row is None:
        raise LookupError("A query that always has a row has none.")
    return row


def one_value(cursor: Cursor) -> Any:
    """Return what is first in the row of a query that always has one.

    Raises:
        LookupError: if it has none.
    """
    return one_row(cursor)[0]
