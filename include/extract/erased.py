"""Rows of people who were forgotten are not loaded again."""

from __future__ import annotations

from collections.abc import Mapping

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from include.extract.contracts import Table
from include.extract.staging import NEW

_DROP = sql.SQL(
    """
    with dropped as (
        delete from {new} where encode(sha256(convert_to({column}::text, 'UTF8')), 'hex') in (
            select value_sha256 from ops.erased
            where table_name = %(table)s and column_name = %(column)s
        )
        returning {key}::text as key
    ),
    remembered as (
        insert into ops.erased (table_name, column_name, value_sha256)
        select distinct %(table)s, %(key)s, encode(sha256(convert_to(key, 'UTF8')), 'hex')
        from dropped where {is_parent}
        on conflict do nothing
    )
    select count(*) from dropped
    """
)


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
    """Delete the rows of erased people from ``_new`` and return how many there were.

    The key of such a row gets a tombstone as well if other tables point to it: their rows may come
    before or after it, and are no orphans.
    """
    dropped = 0
    for column in tombstones:
        cursor.execute(
            _DROP.format(
                new=NEW,
                column=sql.Identifier(column),
                key=sql.Identifier(table.primary_key[0]),
                is_parent=sql.Literal(table.is_parent),
            ),
            {"table": table.name, "column": column, "key": table.primary_key[0]},
        )
        dropped += cursor.fetchone()[0]
    return dropped
