"""Tombstones: by them the loader knows a forgotten person's row when it comes again."""

from __future__ import annotations

import hashlib

from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from elt.privacy import erased_rows
from elt.privacy.rules import Rules


def fingerprint(value: str) -> str:
    """Return what ``ops.erased`` keeps of a value: enough to know it again, not to read it."""
    return hashlib.sha256(value.encode()).hexdigest()


def is_known(cursor: Cursor, rules: Rules, person_id: str) -> bool:
    """Tell whether this person was forgotten before."""
    cursor.execute(
        "select from ops.erased where table_name = %s and column_name = %s and value_sha256 = %s",
        (rules.root.name, rules.root.person, fingerprint(person_id)),
    )
    return cursor.rowcount > 0


def set_up(cursor: Cursor, rules: Rules) -> None:
    """Keep a tombstone for each key that rows of the person may come with.

    The list of what goes has the person's id for every table that may name it, rows or none.
    """
    rows = set()
    for table in rules.tables:
        for column in rules.columns_to_remember(table):
            for value in erased_rows.values(cursor, table.name, [column])[column]:
                rows.add((table.name, column, value))
    for table in rules.parts:  # also those that have not come yet
        owner = rules.owner(table)
        (key,) = owner.primary_key
        for value in erased_rows.values(cursor, owner.name, [key])[key]:
            rows.add((table.name, table.person, value))
    execute_values(
        cursor,
        "insert into ops.erased (table_name, column_name, value_sha256) values %s"
        " on conflict do nothing",
        sorted((table, column, fingerprint(value)) for table, column, value in rows),
    )
