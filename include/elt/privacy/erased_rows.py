"""What is known of the rows that go: their keys and personal values, for this transaction alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from elt.privacy.rules import Rules

GONE = sql.Identifier("pg_temp", "_gone")


def cast(value: sql.Composable, data_type: str) -> sql.Composed:
    """Return the SQL of a text as a type; null where it can't be one.

    A text of another length would be cut to fit, and then find somebody else.
    """
    if data_type.startswith("char"):
        data_type = "text"
    return sql.SQL("case when pg_input_is_valid({0}, {1}) then cast({0} as {2}) end").format(
        value, sql.Literal(data_type), sql.SQL(data_type)
    )


def text(value: str) -> sql.Composed:
    """Return the SQL of a text that the server does not look at before it must: see ``cast``."""
    return sql.SQL("(select {}::text offset 0)").format(sql.Literal(value))


def prepare(cursor: Cursor) -> None:
    """Make the list, readable for every role that has copies to look through."""
    cursor.execute(
        "create temporary table _gone (table_name text, column_name text, value text,"
        " primary key (table_name, column_name, value)) on commit drop;"
        "grant select on pg_temp._gone to transformer, publisher"
    )


def note(cursor: Cursor, table: str, column: str, values: Iterable[str]) -> None:
    """Put values of a table's column on the list."""
    rows = [(table, column, value) for value in set(values)]
    execute_values(cursor, "insert into pg_temp._gone values %s on conflict do nothing", rows)


def values(cursor: Cursor, table: str, columns: Sequence[str]) -> dict[str, set[str]]:
    """Return what is on the list for some columns of a table, as text, by column."""
    found: dict[str, set[str]] = {column: set() for column in columns}
    cursor.execute(
        "select column_name, value from pg_temp._gone"
        " where table_name = %s and column_name = any (%s)",
        (table, list(columns)),
    )
    for column, value in cursor:
        found[column].add(value)
    return found


def identifying_values(cursor: Cursor, rules: Rules) -> dict[str, dict[str, set[str]]]:
    """Return the personal values that nobody else in ``raw`` has, by table and column.

    A first name is many people's, an e-mail address or a phone number hardly ever.
    """
    found: dict[str, dict[str, set[str]]] = {}
    for table in rules.tables:
        personal = [column.name for column in table.columns if column.is_personal]
        for column, mine in values(cursor, table.name, personal).items():
            if not mine:
                continue
            cursor.execute(
                sql.SQL("select distinct {0}::text from {1} where {0}::text = any (%s)").format(
                    sql.Identifier(column), sql.Identifier("raw", table.name)
                ),
                (list(mine),),
            )
            alone = mine - {value for (value,) in cursor}
            found.setdefault(table.name, {})[column] = alone
    return found
