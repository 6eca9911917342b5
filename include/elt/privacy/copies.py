"""The tables that are built from ``raw``: rows of the person go from them at once.

Afterwards all tables are looked through for what still stands there of the person.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from elt.loading.contract import Table
from elt.loading.erasure import is_telling
from elt.privacy.erased_rows import GONE, cast
from elt.privacy.outcome import Place
from elt.privacy.rules import Rules
from elt.publishing import data_status
from elt.warehouse.connection import SCHEMAS, Role
from elt.warehouse.rows import grouped

# what is built from raw, and whose it is; each role reads and changes its own tables alone
BUILT: dict[Role, tuple[str, ...]] = {
    role: schemas for role, schemas in SCHEMAS.items() if role != "loader"
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
    for role, schemas in BUILT.items():
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


TEXT_TYPES = ("text", "character varying", "character", "jsonb")


def leftovers_in_copies(
    cursor: Cursor, rules: Rules, theirs: Collection[str], shared: Collection[str]
) -> tuple[list[Place], list[Place]]:
    """Look through all that is built from ``raw``, once the person's rows are gone there.

    Args:
        cursor: of the transaction that forgets.
        rules: whose a row is.
        theirs: personal values that nobody else has.
        shared: those that others have as well, such as a first name.

    Returns:
        Where something stands that can only be theirs, since no row of ``raw`` says it; and where
        tables without a key have words that may be theirs or somebody else's.
    """
    found: list[Place] = []
    doubtful: list[Place] = []
    words = sorted({*theirs, *shared})
    for role, schemas in BUILT.items():
        for schema in schemas:
            # each role reads its own tables
            cursor.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
            for table, columns in _text_columns(cursor, schema).items():
                has_key = _has_key(cursor, schema, table, rules)
                wanted = [word for word in words if word in theirs or not has_key]
                for column, hits in _hits(cursor, schema, table, columns, wanted).items():
                    place = Place(schema, table, column, has_key)
                    cursor.execute("set local role loader")
                    if _lost(cursor, rules.declared, hits & {*theirs}):
                        found.append(place)
                    elif not has_key and _said_in_personal_columns_alone(
                        cursor, rules.declared, hits
                    ):
                        doubtful.append(place)
                    cursor.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
    cursor.execute("set local role loader")
    return found, doubtful


def leftovers_in_raw(cursor: Cursor, rules: Rules, theirs: Collection[str]) -> list[str]:
    """Return in words which columns of ``raw`` hold something of the person all the same."""
    stays = []
    names = {table.name for table in rules.tables}
    for table in rules.declared:
        personal = [column.name for column in table.columns if column.is_personal]
        if table.name not in names and personal:
            stays += [
                f"raw.{table.name}: the personal column `{column}` has words of theirs, but the "
                "contract does not say whose a row is (`person`)"
                for column in _hits(
                    cursor, "raw", table.name, _present(cursor, table, personal), theirs
                )
            ]
    for owner in (rules.root, *rules.own, *rules.parts):
        for table, column in rules.columns_of(owner):
            if column != table.person and _bears(cursor, owner, table, column):
                stays.append(
                    f"raw.{table.name}: the column `{column}` has a key of theirs in rows that are "
                    "not theirs by the contract (`person`)"
                )
    return stays


def _lost(cursor: Cursor, tables: Iterable[Table], words: Collection[str]) -> set[str]:
    """Return those of the words that no row of ``raw`` says any more, in no column at all."""
    left = set(words)
    for table in tables:
        if left:
            columns = _present(cursor, table, [column.name for column in table.columns])
            for hits in _hits(cursor, "raw", table.name, columns, left).values():
                left -= hits
    return left


def _said_in_personal_columns_alone(
    cursor: Cursor, tables: Iterable[Table], words: Collection[str]
) -> set[str]:
    """Return those of the words that ``raw`` says in personal columns alone."""
    left = set(words)
    for table in tables:
        if left:
            others = [column.name for column in table.columns if not column.is_personal]
            columns = _present(cursor, table, others)
            for hits in _hits(cursor, "raw", table.name, columns, left).values():
                left -= hits
    return left


def _hits(
    cursor: Cursor, schema: str, table: str, columns: Collection[str], words: Collection[str]
) -> dict[str, set[str]]:
    """Return which of the words each column has: as a word of its own, or a short one alone."""
    if not (columns and words):
        return {}
    values = sql.SQL(", ").join(
        sql.SQL("({}, row.{}::text)").format(sql.Literal(name), sql.Identifier(name))
        for name in columns
    )
    cursor.execute(
        sql.SQL(
            "select distinct field.name, look.word from {table} as row"
            " cross join lateral (values {values}) as field (name, value)"
            " inner join unnest(%s::text[], %s::text[]) as look (word, pattern)"
            " on strpos(field.value, look.word) > 0"
            " and (field.value = look.word or field.value ~ look.pattern)"
        ).format(table=sql.Identifier(schema, table), values=values),
        (list(words), [_pattern(word) if is_telling(word) else None for word in words]),
    )
    return grouped(cursor, "name", "word")


def _pattern(word: str) -> str:
    """Return a regular expression as Postgres reads it: the word, and no letter beside it."""
    escaped = "".join(letter if letter.isalnum() else f"\\{letter}" for letter in word)
    return rf"(^|[^[:alnum:]_-]){escaped}($|[^[:alnum:]_-])"


def _text_columns(cursor: Cursor, schema: str) -> dict[str, list[str]]:
    """Return the tables of a schema with their columns that hold texts."""
    cursor.execute(
        "select relname, array_agg(attname::text order by attnum) from pg_class"
        " inner join pg_attribute on attrelid = pg_class.oid and not attisdropped"
        " where relnamespace = to_regnamespace(%s) and relkind in ('r', 'p') and attnum > 0"
        " and format_type(atttypid, null) = any (%s) group by relname order by relname",
        (schema, list(TEXT_TYPES)),
    )
    return dict(cursor.fetchall())


def _has_key(cursor: Cursor, schema: str, table: str, rules: Rules) -> bool:
    cursor.execute(
        "select from pg_attribute where attrelid = to_regclass(format('%%I.%%I', %s, %s))"
        " and attname = any (%s) and not attisdropped",
        (schema, table, list(rules.keys)),
    )
    return cursor.rowcount > 0


def _present(cursor: Cursor, table: Table, columns: Collection[str]) -> list[str]:
    """Return those of the columns that the table in ``raw`` has by now."""
    cursor.execute(
        "select attname::text from pg_attribute where attrelid = to_regclass(format('raw.%%I', %s))"
        " and attname = any (%s) and not attisdropped",
        (table.name, list(columns)),
    )
    return [name for (name,) in cursor]


def _bears(cursor: Cursor, owner: Table, table: Table, column: str) -> bool:
    if not _present(cursor, table, [column]):
        return False
    cursor.execute(
        sql.SQL(
            "select from {raw} where {column}::text in (select value from {gone}"
            " where table_name = %s and column_name = %s) limit 1"
        ).format(raw=sql.Identifier("raw", table.name), column=sql.Identifier(column), gone=GONE),
        (owner.name, owner.primary_key[0]),
    )
    return cursor.rowcount > 0
