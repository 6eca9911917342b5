"""The tables that are built from ``raw``: rows of the person go from them at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from elt.loading.contract import Table
from elt.privacy.erased_rows import GONE, cast
from elt.privacy.rules import Rules
from elt.publishing import data_status
from elt.warehouse.connection import Role

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
    keys = rules.keys
    # nobody puts an older publication back meanwhile: it would have the person
    cursor.execute("set local role publisher")
    data_status.lock(cursor)
    for role, schemas in SCHEMAS.items():
        cursor.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
        for schema in schemas:
            for table, columns in _tables(cursor, schema, keys).items():
                cursor.execute(_delete_statement(keys, schema, table, columns))
                removed[f"{schema}.{table}"] = cursor.rowcount
        _refresh(cursor, schemas)
    cursor.execute("set local role loader")
    removed["ops.row_before"] = _remove_kept(cursor, rules)
    return removed


def _remove_kept(cursor: Cursor, rules: Rules) -> int:
    """Delete such rows from those by which the last publication can be undone."""
    conditions = [
        sql.SQL("coalesce(row_data, row_key) ->> {} in ({})").format(
            sql.Literal(column), _listed(table, sql.Identifier("value"))
        )
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
    """Return the tables with such keys or personal columns that somebody else keeps here."""
    ours = [schema for schemas in SCHEMAS.values() for schema in schemas] + ["raw", "ops"]
    cursor.execute(
        "select format('%%I.%%I', nspname, relname) from pg_class"
        " inner join pg_namespace on relnamespace = pg_namespace.oid"
        " where relkind in ('r', 'p', 'm') and relpersistence <> 't' and nspname <> all (%s)"
        " and exists (select from pg_attribute where attrelid = pg_class.oid"
        " and attname = any (%s) and not attisdropped) order by 1",
        ([*ours, "pg_catalog", "information_schema"], [*rules.keys, *_personal_names(rules)]),
    )
    return [name for (name,) in cursor]


def _personal_names(rules: Rules) -> set[str]:
    """Return what columns are called that are personal in every table that has one so called."""
    columns = [column for table in rules.declared for column in table.columns]
    plain = {column.name for column in columns if not column.is_personal}
    return {column.name for column in columns if column.is_personal} - plain


def _tables(cursor: Cursor, schema: str, keys: Collection[str]) -> dict[str, dict[str, str]]:
    """Return the tables of a schema that have such columns, with these columns and their types."""
    cursor.execute(
        "select relname, json_object_agg(attname, format_type(atttypid, null)) from pg_class"
        " inner join pg_attribute on attrelid = pg_class.oid and not attisdropped"
        " where relnamespace = to_regnamespace(%s) and relkind in ('r', 'p')"
        " and attname = any (%s) group by relname order by relname",
        (schema, list(keys)),
    )
    return dict(cursor.fetchall())


def _refresh(cursor: Cursor, schemas: Collection[str]) -> None:
    """Have views that keep their rows read them again, each after those that it may read."""
    cursor.execute(
        "select nspname, relname from pg_class"
        " inner join pg_namespace on relnamespace = pg_namespace.oid"
        " where nspname = any (%s) and relkind = 'm' and relispopulated order by pg_class.oid",
        (list(schemas),),
    )
    for name in cursor.fetchall():
        cursor.execute(sql.SQL("refresh materialized view {}").format(sql.Identifier(*name)))


def _delete_statement(
    keys: Mapping[str, Table], schema: str, table: str, columns: Mapping[str, str]
) -> sql.Composed:
    """Return the SQL that deletes a table's rows by its columns, given with their types.

    A key is compared as what the column is: a number may be written in more than one way.
    """
    conditions = [
        sql.SQL("{} in ({})").format(
            sql.Identifier(column),
            _listed(keys[column], cast(sql.Identifier("value"), data_type)),
        )
        for column, data_type in columns.items()
    ]
    return sql.SQL("delete from {} where {}").format(
        sql.Identifier(schema, table), sql.SQL(" or ").join(conditions)
    )


def _listed(owner: Table, value: sql.Composable) -> sql.Composed:
    return sql.SQL(
        "select {value} from {gone} where table_name = {owner} and column_name = {key}"
    ).format(
        value=value,
        gone=GONE,
        owner=sql.Literal(owner.name),
        key=sql.Literal(owner.primary_key[0]),
    )
