"""The rows of a query that always has one."""

from __future__ import annotations

from typing import Any

from psycopg2.extensions import cursor as Cursor


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
