"""Rows of people who were forgotten are not loaded again."""

from __future__ import annotations

from collections.abc import Mapping

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from include.extract.contracts import Table
from include.extract.staging import NEW


def read_tombstones(cursor: Cursor, table: Table) -> dict[str, set[str]]:
    """Return the SHA-256 (hex) of erased values by column of the table; mostly there are none."""
    cursor.execute(
        "select column_name, value_sha256 from ops.erased where table_name = %s", [table.name]
    )
    found: dict[str, set[str]] = {}
    for column, digest in cursor:
        if table.column(column):
            found.setdefault(column, set()).add(digest)
    return found


def drop_erased(cursor: Cursor, table: Table, tombstones: Mapping[str, object]) -> int:
    """Delete the rows of erased people from ``_new`` and return how many there were."""
    dropped = 0
    for column in tombstones:
        cursor.execute(
            sql.SQL(
                "delete from {} where encode(sha256(convert_to({}::text, 'UTF8')), 'hex') in "
                "(select value_sha256 from ops.erased where table_name = %s and column_name = %s)"
            ).format(NEW, sql.Identifier(column)),
            [table.name, column],
        )
        dropped += cursor.rowcount
    return dropped
