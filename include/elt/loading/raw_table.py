"""The table in ``raw``: made from its contract, locked for one load at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from elt.errors import SourceError
from elt.loading.contract import Table
from elt.shop import SHOP
from elt.warehouse.connection import take_lock
from elt.warehouse.rows import one_value, rows_as, value_or_none

SCHEMA = "raw"
State = Literal["missing", "widened", "ready"]


@dataclass(frozen=True)
class _Index:
    first_column: str
    method: str
    oid: int


def name_of(table: Table) -> sql.Identifier:
    """Return the name of a source table's table in ``raw``."""
    return sql.Identifier(SCHEMA, table.name)


def needs_change(cursor: Cursor, table: Table) -> bool:
    """Tell whether the table is missing or lacks a column, so that every file must be read."""
    present = _columns(cursor, table)
    return any(name not in present for name in table.column_names)


def prepare(cursor: Cursor, table: Table) -> State:
    """Lock the table against other loads until the transaction ends; add the columns it lacks.

    A missing table is not made, only its place is locked. A widened one is there, but every file
    may have values for its new columns.

    Raises:
        SourceError: if the table that is there contradicts the contract.
    """
    if not _columns(cursor, table):
        # its own lock can't hold off two loads that are both about to make it
        take_lock(cursor, f"{SCHEMA}.{table.name}")
        if not _columns(cursor, table):
            return "missing"
    cursor.execute(sql.SQL("lock table {} in share row exclusive mode").format(name_of(table)))
    present = _columns(cursor, table)
    _check(cursor, table, present)
    missing = [column for column in table.columns if column.name not in present]
    for column in missing:
        cursor.execute(
            sql.SQL("alter table {} add column {} {}").format(
                name_of(table), sql.Identifier(column.name), sql.SQL(column.data_type)
            )
        )
    return "widened" if missing else "ready"


def create(cursor: Cursor, table: Table, *, load_id: int | None = None) -> None:
    """Make the table without its key: its columns, and what a load adds.

    With ``load_id`` rows get it by themselves, until ``finish``.
    """
    columns = [
        sql.SQL("{} {} {}").format(
            sql.Identifier(column.name),
            sql.SQL(column.data_type),
            sql.SQL("not null" if column.name in table.primary_key else ""),
        )
        for column in table.columns
    ]
    default = sql.SQL("default {}").format(sql.Literal(load_id)) if load_id else sql.SQL("")
    cursor.execute(
        sql.SQL(
            "create table {} ({}, _load_id bigint not null {}, "
            "_loaded_at timestamptz not null default now(), _deleted_at timestamptz)"
        ).format(name_of(table), sql.SQL(", ").join(columns), default)
    )


def finish(cursor: Cursor, table: Table) -> None:
    """End what ``create`` began with a load id, when the rows are in."""
    cursor.execute(sql.SQL("alter table {} alter _load_id drop default").format(name_of(table)))
    cursor.execute(sql.SQL("analyze {}").format(name_of(table)))


def index(cursor: Cursor, table: Table) -> None:
    """See that marts find by an index what a load changed: make what is missing.

    After the rows of a first load, because one go over all of them is cheaper.
    """
    cursor.execute(
        "select a.attname as first_column, am.amname as method, i.indexrelid as oid "
        "from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0] "
        "join pg_class c on c.oid = i.indexrelid "
        "join pg_am am on am.oid = c.relam where i.indrelid = %s::regclass",
        [name_of(table).as_string(cursor)],
    )
    found = rows_as(cursor, _Index)
    present = {(known.first_column, known.method) for known in found}
    # Rows of what only happens lie together by load, so the smallest kind of index will do. A row
    # that changes goes where there is room: such an index would lead to a good part of the table.
    if table.cursor and ("_load_id", "brin") not in present:
        cursor.execute(sql.SQL("create index on {} using brin (_load_id)").format(name_of(table)))
    elif not table.cursor and ("_load_id", "btree") not in present:
        cursor.execute(sql.SQL("create index on {} (_load_id)").format(name_of(table)))
    for known in found:
        if known.method == "brin":
            # until then every reader of a load also reads all that came since the last vacuum
            cursor.execute("select brin_summarize_new_values(%s)", [known.oid])
    indexed = {name for name, _ in present}
    for name in table.change_key:
        if name not in indexed:
            cursor.execute(
                sql.SQL("create index on {0} ({1}) where {1} is not null").format(
                    name_of(table), sql.Identifier(name)
                )
            )


def _columns(cursor: Cursor, table: Table) -> dict[str, int]:
    """Return the type of each column of the table, as an oid; nothing if there is no table."""
    cursor.execute(
        "select a.attname, a.atttypid from pg_attribute a join pg_class c on c.oid = a.attrelid "
        "join pg_namespace n on n.oid = c.relnamespace where n.nspname = %s and c.relname = %s "
        "and a.attnum > 0 and not a.attisdropped",
        [SCHEMA, table.name],
    )
    return dict(cursor.fetchall())


def _check(cursor: Cursor, table: Table, present: dict[str, int]) -> None:
    for column in table.columns:
        cursor.execute("select to_regtype(%s)::oid", [column.data_type])
        expected = one_value(cursor, int)
        if present.get(column.name, expected) != expected:
            raise _contradiction(
                table, f"has another type for column `{column.name}` than {column.data_type}"
            )
    cursor.execute(
        "select array_agg(a.attname::text order by array_position(i.indkey::int2[], a.attnum)) "
        "from pg_index i join pg_attribute a on a.attrelid = i.indrelid "
        "and a.attnum = any(i.indkey::int2[]) where i.indrelid = %s::regclass and i.indisprimary",
        [name_of(table).as_string(cursor)],
    )
    key: list[str] = value_or_none(cursor, list) or []
    if sorted(key) != sorted(table.primary_key):
        raise _contradiction(
            table, f"has the key ({', '.join(key)}), not ({', '.join(table.primary_key)})"
        )


def _contradiction(table: Table, what: str) -> SourceError:
    return SourceError(
        f"The table {SCHEMA}.{table.name} {what}, as its contract in {SHOP.contracts.name} says. "
        f"Undo that edit, or change {SCHEMA}.{table.name} by hand and run again. "
        "Nothing was loaded."
    )
