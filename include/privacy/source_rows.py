"""A person's rows in ``raw``: deleted for good, with their old keys in the change log."""

from __future__ import annotations

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from include.extract.contracts import Table
from include.privacy.gone import GONE
from include.privacy.rules import Rules

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

    Raises:
        psycopg2.DataError: if the id can't be one.
    """
    condition = sql.SQL("old.{} = {}").format(
        sql.Identifier(table.person), _cast(table, sql.Literal(person_id))
    )
    return _remove(cursor, rules, table, condition, run_id)


def remove_parts(cursor: Cursor, rules: Rules, table: Table, run_id: str) -> int:
    """Delete the rows that belong to rows of another table that go; return how many."""
    condition = _in_gone(table, sql.SQL("= {}").format(sql.Literal(rules.keys[table.person].name)))
    return _remove(cursor, rules, table, condition, run_id)


def remove_shared(cursor: Cursor, rules: Rules, table: Table, run_id: str) -> int:
    """Delete the rows that those who go pointed to, and nobody else does; return how many."""
    conditions = [_in_gone(table, sql.SQL("<> {}").format(sql.Literal(table.name)))]
    for other in rules.tables:
        if table.person in rules.points_to(other) and _columns(cursor, other):
            conditions.append(
                sql.SQL(
                    "not exists (select from {raw} as other where other.{key} = old.{key})"
                ).format(raw=sql.Identifier("raw", other.name), key=sql.Identifier(table.person))
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
    (load_id,) = cursor.fetchone()
    keys = dict.fromkeys((*table.change_key, *table.primary_key))
    personal = [column.name for column in table.columns if column.is_personal]
    noted = dict.fromkeys((table.person, *table.primary_key, *rules.points_to(table), *personal))
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
    (rows,) = cursor.fetchone()
    cursor.execute(
        "update ops.load set rows_deleted = %s, finished_at = clock_timestamp() where load_id = %s"
        if rows
        else "delete from ops.load where %s = 0 and load_id = %s",
        (rows, load_id),
    )
    return rows


def _in_gone(table: Table, table_name: sql.Composable) -> sql.Composed:
    return sql.SQL(
        "old.{column} in (select {value} from {gone}"
        " where table_name {name} and column_name = {key})"
    ).format(
        column=sql.Identifier(table.person),
        value=_cast(table, sql.Identifier("value")),
        gone=GONE,
        name=table_name,
        key=sql.Literal(table.person),
    )


def _cast(table: Table, value: sql.Composable) -> sql.Composed:
    data_type = table.column(table.person).data_type
    return sql.SQL("cast({} as {})").format(value, sql.SQL(data_type))


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
