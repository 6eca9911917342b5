"""What is known of the rows that go: their keys and personal values, for this transaction alone.

By them the person is found in tables and in texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from elt.loading.contract import has_own_key
from elt.loading.erasure import is_telling
from elt.privacy.rules import Rules, names_downstream
from elt.warehouse.rows import grouped

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
    """Put values of a table's column on the list.

    Args:
        cursor: of the transaction in which the list was made.
        table: its name in ``raw``, without the schema.
        column: its name in the contract.
        values: as text; each is there once, however often it is put there.
    """
    rows = [(table, column, value) for value in set(values)]
    execute_values(cursor, "insert into pg_temp._gone values %s on conflict do nothing", rows)


def erased_values(cursor: Cursor, table: str, columns: Sequence[str]) -> dict[str, set[str]]:
    """Return what is on the list for some columns of a table, as text, by column."""
    cursor.execute(
        "select column_name, value from pg_temp._gone"
        " where table_name = %s and column_name = any (%s)",
        (table, list(columns)),
    )
    return {**{column: set() for column in columns}, **grouped(cursor, "column_name", "value")}


def identifying_values(cursor: Cursor, rules: Rules) -> dict[str, dict[str, set[str]]]:
    """Return the personal values that nobody else in ``raw`` has, by table and column.

    A first name is many people's, an e-mail address or a phone number hardly ever.
    """
    found: dict[str, dict[str, set[str]]] = {}
    for table in rules.tables:
        personal = [column.name for column in table.columns if column.is_personal]
        for column, mine in erased_values(cursor, table.name, personal).items():
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


# an even shorter one than those that tell means nothing, though a field holds nothing else
SHORTEST_ALONE = 3


def words_in(values: Iterable[str]) -> re.Pattern[str] | None:
    """Return a pattern that finds any of the telling values as a word of its own."""
    telling = sorted(filter(is_telling, set(values)), key=len, reverse=True)
    if not telling:
        return None
    return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, telling))})(?![\w-])")


@dataclass(frozen=True)
class Words:
    """What is looked for: values that tell, and keys that tell only beside the name of a column.

    ``by_name`` has the keys by the names that they go by in ``raw`` and in models.
    """

    values: frozenset[str]
    by_name: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def telling(self) -> list[str]:
        """The values that tell by themselves, sorted."""
        return sorted(filter(is_telling, self.values))

    @cached_property
    def pattern(self) -> re.Pattern[str] | None:
        """Finds a telling value as a word of its own; None: there is none."""
        return words_in(self.values)

    @cached_property
    def named(self) -> re.Pattern[str] | None:
        """Finds a key beside its name, as in ``order_id = 7`` or ``(order_id)=(7)``."""
        pairs = [
            rf"{re.escape(name)}\W{{1,6}}(?:{'|'.join(map(re.escape, sorted(keys)))})"
            for name, keys in sorted(self.by_name.items())
            if keys
        ]
        return re.compile(rf"(?<!\w)(?:{'|'.join(pairs)})(?![\w-])") if pairs else None


def personal_words(cursor: Cursor, rules: Rules) -> Words:
    """Return the person's personal values and keys, by all the names that these go by."""
    values, _ = personal_values(cursor, rules, of_any_type=True)
    by_name: dict[str, set[str]] = {}
    ambiguous = {
        name
        for table in rules.declared
        if has_own_key(table)
        for name in table.primary_key
        if name not in rules.keys
    }
    for table in rules.tables:
        for column in rules.columns_to_remember(table):
            found = erased_values(cursor, table.name, [column])[column]
            values |= found
            owner = rules.owner(table) if column == table.person else table
            called = {column, *names_downstream(owner)} - ambiguous
            for name in called:
                by_name.setdefault(name, set()).update(v for v in found if not is_telling(v))
    return Words(frozenset(values), {n: frozenset(keys) for n, keys in by_name.items() if keys})


def personal_values(
    cursor: Cursor, rules: Rules, *, of_any_type: bool = False
) -> tuple[set[str], set[str]]:
    """Return personal values that nobody else has, and those that others have as well."""
    alone = identifying_values(cursor, rules)
    theirs: set[str] = set()
    shared: set[str] = set()
    for table in rules.tables:
        columns = [
            column.name
            for column in table.columns
            if column.is_personal and (of_any_type or column.data_type == "text")
        ]
        for column, values in erased_values(cursor, table.name, columns).items():
            theirs |= alone.get(table.name, {}).get(column, set())
            shared |= values
    return theirs, shared - theirs
