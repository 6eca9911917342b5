"""Rows of people who were forgotten are not loaded again."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from elt.loading.contract import Table
from elt.loading.staging_table import StagingTable
from elt.warehouse.rows import grouped, one_value

SHORTEST_WORD = 4
SHORTEST_NUMBER = 7

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
    found = grouped(cursor, "column_name", "value_sha256")
    return {column: digests for column, digests in found.items() if table.column(column)}


def is_telling(value: str) -> bool:
    """Tell whether a value says by itself whose it is, wherever it stands.

    A shorter word would be found in everybody's text, and so would a short number.
    """
    return len(value) >= SHORTEST_WORD and not _is_short_number(value)


def _is_short_number(value: str) -> bool:
    return value.isdecimal() and len(value) < SHORTEST_NUMBER


def is_erased(
    names: Sequence[str],
    fields: Sequence[str],
    words: Sequence[str],
    tombstones: Mapping[str, Collection[str]],
) -> bool:
    """Tell whether a row that can't be loaded is a forgotten person's.

    A short number counts in its own column alone: in others it may be anything.

    Args:
        names: the header.
        fields: the fields of the row.
        words: all that could be a field of it: in a broken row a key may stand in any place.
        tombstones: hashes of erased values, by column.
    """

    def is_in(value: str, hashes: Collection[str]) -> bool:
        return hashlib.sha256(value.encode()).hexdigest() in hashes

    anywhere = set().union(*tombstones.values())
    if any(not _is_short_number(value) and is_in(value, anywhere) for value in words):
        return True
    return len(names) == len(fields) and any(
        is_in(value.strip(), tombstones.get(name.strip().lower(), ()))
        for name, value in zip(names, fields, strict=True)
    )


def drop_erased(staging: StagingTable, tombstones: Mapping[str, object]) -> int:
    """Delete the rows of erased people from a staging table and return how many there were.

    The key of such a row gets a tombstone as well if other tables point to it: their rows may come
    before or after it, and are no orphans.
    """
    dropped, table = 0, staging.table
    for column in tombstones:
        staging.cursor.execute(
            _DROP.format(
                new=staging.name,
                column=sql.Identifier(column),
                key=sql.Identifier(table.primary_key[0]),
                is_parent=sql.Literal(table.is_parent),
            ),
            {"table": table.name, "column": column, "key": table.primary_key[0]},
        )
        dropped += one_value(staging.cursor, int)
    return dropped
