"""The tables that are built from ``raw``: rows of the person go from them at once."""

from __future__ import annotations

from collections.abc import Collection

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from include.privacy.gone import GONE
from include.privacy.rules import Rules
from include.publish import status
from include.warehouse.connection import Role

SCHEMAS: dict[Role, tuple[str, ...]] = {
    "transformer": ("staging", "intermediate", "snapshots", "marts_build", "untested"),
    "publisher": ("marts",),
}


def remove(cursor: Cursor, rules: Rules) -> dict[str, int]:
    """Delete each row that bears a key of a row that goes; return how many by table.

    Every role deletes from its own tables. Totals have no such key: they follow when they are built
    again.
    """
    removed = {}
    # nobody puts an older publication back meanwhile: it would have the person
    cursor.execute("set local role publisher")
    status.lock(cursor)
    for role, schemas in SCHEMAS.items():
        cursor.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
        for schema in schemas:
            for table, columns in _tables(cursor, schema, rules.keys).items():
                cursor.execute(_delete_statement(rules, schema, table, columns))
                removed[f"{schema}.{table}"] = cursor.rowcount
    cursor.execute("set local role loader")
    removed["ops.row_before"] = _remove_kept(cursor, rules)
    return removed


def _remove_kept(cursor: Cursor, rules: Rules) -> int:
    """Delete such rows from those by which the last publication can be undone."""
    conditions = [
        sql.SQL(
            "coalesce(row_data, row_key) ->> {name} in"
            " (select value from {gone} where table_name = {owner} and column_name = {name})"
        ).format(name=sql.Literal(column), owner=sql.Literal(table.name), gone=GONE)
        for column, table in rules.keys.items()
    ]
    cursor.execute(
        sql.SQL("delete from ops.row_before where {}").format(sql.SQL(" or ").join(conditions))
    )
    return cursor.rowcount


def build_whole_next(cursor: Cursor) -> None:
    """Have the next run build every model from the whole of ``raw``.

    Models that follow changes would never hear of rows that went behind their back.
    """
    cursor.execute("set local role transformer; update ops.model_state set definition_hash = null")
    cursor.execute("set local role loader")


def elsewhere(cursor: Cursor, rules: Rules) -> list[str]:
    """Return the tables with such keys that somebody else keeps in this database."""
    ours = [schema for schemas in SCHEMAS.values() for schema in schemas] + ["raw", "ops"]
    cursor.execute(
        "select format('%%I.%%I', nspname, relname) from pg_class"
        " inner join pg_namespace on relnamespace = pg_namespace.oid"
        " where relkind in ('r', 'p', 'm') and relpersistence <> 't' and nspname <> all (%s)"
        " and exists (select from pg_attribute where attrelid = pg_class.oid"
        " and attname = any (%s) and not attisdropped) order by 1",
        ([*ours, "pg_catalog", "information_schema"], list(rules.keys)),
    )
    return [name for (name,) in cursor]


def _tables(cursor: Cursor, schema: str, keys: Collection[str]) -> dict[str, list[str]]:
    """Return the tables of a schema that have such columns, with these columns."""
    cursor.execute(
        "select relname, array_agg(attname::text order by attnum) from pg_class"
        " inner join pg_attribute on attrelid = pg_class.oid and not attisdropped"
        " where relnamespace = to_regnamespace(%s) and relkind in ('r', 'p')"
        " and attname = any (%s) group by relname order by relname",
        (schema, list(keys)),
    )
    return dict(cursor.fetchall())


def _delete_statement(
    rules: Rules, schema: str, table: str, columns: Collection[str]
) -> sql.Composed:
    conditions = [
        sql.SQL(
            "{column}::text in (select value from {gone} where table_name = {owner}"
            " and column_name = {name})"
        ).format(
            column=sql.Identifier(column),
            gone=GONE,
            owner=sql.Literal(rules.keys[column].name),
            name=sql.Literal(column),
        )
        for column in columns
    ]
    return sql.SQL("delete from {} where {}").format(
        sql.Identifier(schema, table), sql.SQL(" or ").join(conditions)
    )
