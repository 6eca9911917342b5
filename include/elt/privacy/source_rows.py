"""A person's rows in ``raw``: deleted for good, with their old keys in the change log.

A tombstone stays of each key: by it the loader knows such a row when it comes again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from elt.loading.contract import Table
from elt.privacy import erased_rows
from elt.privacy.erased_rows import GONE, cast, text
from elt.privacy.rules import Rules, person_column
from elt.warehouse.rows import one_value

DELETE = sql.SQL(
    """
    with gone as (delete from {raw} as old where {condition} returning *),
    logged as (
        insert into raw.change_log (load_id, table_name, change, old_key)
        select {load_id}, {table}, 'delete', {old_key} from gone as old
    ),
    noted as (
        insert into {gone}
        select distinct {table}, noted.* from gone as old
        cross join lateral (values {noted}) as noted (column_name, value)
        where noted.value is not null
        on conflict do nothing
    )
    select count(*) from gone
    """
)


def remove_own(cursor: Cursor, rules: Rules, table: Table, person_id: str, run_id: str) -> int:
    """Delete the rows that bear the person's id; return how many.

    Args:
        cursor: of a transaction as the role loader, with the list of what goes.
        rules: where a person's rows are.
        table: that of the people, or one with their id in a column.
        person_id: as the server writes it.
        run_id: under which ``ops.load`` tells of it.
    """
    condition = sql.SQL("old.{} = {}").format(
        sql.Identifier(person_column(table)),
        cast(text(person_id), _type(table, person_column(table))),
    )
    return _remove(cursor, rules, table, condition, run_id)


def remove_parts(cursor: Cursor, rules: Rules, table: Table, run_id: str) -> int:
    """Delete the rows that belong to rows of another table that go; return how many.

    Args:
        cursor: of a transaction as the role loader, with the list of what goes.
        rules: where a person's rows are.
        table: one of the rules' parts; what it belongs to must be on the list by now.
        run_id: under which ``ops.load`` tells of it.
    """
    owner = rules.owner(table)
    condition = _in_gone(table, [(owner.name, owner.primary_key[0])])
    return _remove(cursor, rules, table, condition, run_id)


def remove_shared(cursor: Cursor, rules: Rules, table: Table, run_id: str) -> int:
    """Delete the rows that those who go pointed to, and nobody else does; return how many.

    Args:
        cursor: of a transaction as the role loader, with the list of what goes.
        rules: where a person's rows are.
        table: one of the rules' shared ones; who points to it must be on the list by now.
        run_id: under which ``ops.load`` tells of it.
    """
    pointing = rules.columns_of(table)
    conditions = [_in_gone(table, [(other.name, column) for other, column in pointing])]
    for other, column in pointing:
        if column in _columns(cursor, other):
            is_same = _type(other, column) == _type(table, person_column(table))
            conditions.append(
                sql.SQL(
                    "not exists (select from {raw} as other"
                    " where other.{column}{as_text} = old.{key}{as_text})"
                ).format(
                    raw=sql.Identifier("raw", other.name),
                    column=sql.Identifier(column),
                    key=sql.Identifier(person_column(table)),
                    as_text=sql.SQL("" if is_same else "::text"),
                )
            )
    return _remove(cursor, rules, table, sql.SQL(" and ").join(conditions), run_id)


def _remove(
    cursor: Cursor, rules: Rules, table: Table, condition: sql.Composable, run_id: str
) -> int:
    present = _columns(cursor, table)
    if not present:
        return 0
    cursor.execute(
        "insert into ops.load (run_id, table_name, source_file, started_at, finished_at, status,"
        " cause) values (%s, %s, 'a person was forgotten', now(), now(), 'loaded', 'erasure')"
        " returning load_id",
        (run_id, table.name),
    )
    load_id = one_value(cursor)
    personal = [column.name for column in table.columns if column.is_personal]
    # what marts follow by; the key of a row must be told, whatever it is
    keys = dict.fromkeys([*(set(table.change_key) - {*personal}), *table.primary_key])
    noted = dict.fromkeys(
        (person_column(table), *table.primary_key, *rules.points_to(table), *personal)
    )
    cursor.execute(
        DELETE.format(
            raw=sql.Identifier("raw", table.name),
            condition=condition,
            load_id=sql.Literal(load_id),
            table=sql.Literal(table.name),
            gone=GONE,
            old_key=sql.SQL("jsonb_build_object({})").format(
                _pairs("{}, old.{}", keys.keys() & present)
            ),
            noted=_pairs("({}, old.{}::text)", noted.keys() & present),
        )
    )
    rows: int = one_value(cursor)
    cursor.execute(
        "update ops.load set rows_deleted = %s, finished_at = clock_timestamp() where load_id = %s"
        if rows
        else "delete from ops.load where %s = 0 and load_id = %s",
        (rows, load_id),
    )
    return rows


def _in_gone(table: Table, columns: Sequence[tuple[str, str]]) -> sql.Composed:
    """Return the condition that a row's ``person`` is on the list for any of these columns."""
    listed = sql.SQL(", ").join(sql.SQL("({}, {})").format(*map(sql.Literal, c)) for c in columns)
    return sql.SQL(
        "old.{column} in (select {value} from {gone} where (table_name, column_name) in ({listed}))"
    ).format(
        column=sql.Identifier(person_column(table)),
        value=cast(sql.Identifier("value"), _type(table, person_column(table))),
        gone=GONE,
        listed=listed if columns else sql.SQL("(null, null)"),
    )


def _type(table: Table, column: str) -> str:
    found = table.column(column)
    assert found is not None, f"{table.name} declares no column {column}"
    return found.data_type


def _pairs(template: str, names: set[str]) -> sql.Composed:
    return sql.SQL(", ").join(
        sql.SQL(template).format(sql.Literal(name), sql.Identifier(name)) for name in sorted(names)
    )


def _columns(cursor: Cursor, table: Table) -> set[str]:
    """Return the columns that the table in ``raw`` has by now; none if it was never loaded."""
    cursor.execute(
        "select attname from pg_attribute where attrelid = to_regclass(%s)"
        " and attnum > 0 and not attisdropped",
        (f'raw."{table.name}"',),
    )
    return {name for (name,) in cursor}


def fingerprint(value: str) -> str:
    """Return what ``ops.erased`` keeps of a value: enough to know it again, not to read it."""
    return hashlib.sha256(value.encode()).hexdigest()


def was_forgotten(cursor: Cursor, rules: Rules, person_id: str) -> bool:
    """Tell whether this person was forgotten before."""
    cursor.execute(
        "select from ops.erased where table_name = %s and column_name = %s and value_sha256 = %s",
        (rules.root.name, rules.root.person, fingerprint(person_id)),
    )
    return cursor.rowcount > 0


def set_tombstones(cursor: Cursor, rules: Rules) -> None:
    """Keep a tombstone for each key that rows of the person may come with.

    The list of what goes has the person's id for every table that may name it, rows or none.
    """
    rows = set()
    for table in rules.tables:
        for column in rules.columns_to_remember(table):
            for value in erased_rows.erased_values(cursor, table.name, [column])[column]:
                rows.add((table.name, column, value))
    for table in rules.parts:  # also those that have not come yet
        owner = rules.owner(table)
        (key,) = owner.primary_key
        for value in erased_rows.erased_values(cursor, owner.name, [key])[key]:
            rows.add((table.name, person_column(table), value))
    execute_values(
        cursor,
        "insert into ops.erased (table_name, column_name, value_sha256) values %s"
        " on conflict do nothing",
        sorted((table, column, fingerprint(value)) for table, column, value in rows),
    )
