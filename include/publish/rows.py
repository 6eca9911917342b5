"""Make the rows of a published mart equal to those of its build, touching only what differs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from include.publish.structure import BUILD, MARTS, Structure
from include.warehouse.connection import FEW_BY_KEYS


@dataclass(frozen=True)
class RowCounts:
    """How many rows a publication changed."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0

    def __add__(self, other: RowCounts) -> RowCounts:
        return RowCounts(
            self.inserted + other.inserted,
            self.updated + other.updated,
            self.deleted + other.deleted,
        )

    @property
    def changed(self) -> int:
        return self.inserted + self.updated + self.deleted


def make_equal(
    cursor: Cursor,
    mart: str,
    structure: Structure,
    touched: sql.Composable | None = None,
    *,
    build: sql.Composable | None = None,
    kept_for: int | None = None,
) -> RowCounts:
    """Delete vanished keys, update differing rows, insert new keys; return how many of each.

    Rows that are equal are not written, so a second call changes nothing. With ``touched``, a table
    of keys, no other rows are looked at.

    Args:
        build: what the mart is to be equal to; by default its table in ``marts_build``.
        kept_for: the id of a publication to keep each changed row for, as it was before.
    """
    build = build or sql.Identifier(BUILD, mart)
    same_key = _join(" and ", "touched.{0} = new.{0}", structure.key)
    names = {
        "old": sql.Identifier(MARTS, mart),
        "new": build
        if touched is None
        else sql.SQL("(select new.* from {} as touched inner join {} as new on {})").format(
            touched, build, same_key
        ),
        "build": build,
        "old_is_meant": sql.SQL("true")
        if touched is None
        else sql.SQL("({}) in (select {} from {} as touched)").format(
            _join(", ", "old.{0}", structure.key),
            _join(", ", "touched.{0}", structure.key),
            touched,
        ),
        "same_key": _join(" and ", "new.{0} = old.{0}", structure.key),
        "columns": _join(", ", "{0}", structure.columns),
        "new_columns": _join(", ", "new.{0}", structure.columns),
        "old_columns": _join(", ", "old.{0}", structure.columns),
        "assignments": _join(", ", "{0} = new.{0}", structure.columns),
        "changed_key": row_key("changed", structure.key),
        "kept": KEPT,
        "publication": sql.Literal(kept_for),
        "mart": sql.Literal(mart),
    }
    statements = PLAIN if kept_for is None else KEEPING

    def run(statement: str) -> int:
        cursor.execute(sql.SQL(statement).format(**names))
        return cursor.rowcount

    cursor.execute("set local random_page_cost to default" if touched is None else FEW_BY_KEYS)
    deleted, updated, inserted = map(run, statements)
    return RowCounts(inserted, updated, deleted)


KEPT = sql.SQL("ops.row_before (publication_id, mart, row_key, row_data)")
_DELETE = (
    "delete from {old} as old where {old_is_meant} "
    "and not exists (select from {build} as new where {same_key})"
)
_INSERT = (
    "insert into {old} ({columns}) select {new_columns} from {new} as new "
    "where not exists (select from {old} as old where {same_key})"
)
PLAIN = (
    _DELETE,
    "update {old} as old set {assignments} from {new} as new "
    "where {same_key} and ({old_columns}) is distinct from ({new_columns})",
    _INSERT,
)
# the same in one look each, with what was there before; nobody else writes to marts meanwhile, so
# that rows keep their places
KEEPING = (
    f"with changed as ({_DELETE} returning old.*) insert into {{kept}} "
    "select {publication}, {mart}, {changed_key}, to_jsonb(changed) from changed",
    "with changed as (select {new_columns}, old.ctid as _place, to_jsonb(old) as _before "
    "from {new} as new inner join {old} as old on {same_key} "
    "where ({old_columns}) is distinct from ({new_columns})), "
    "kept as (insert into {kept} "
    "select {publication}, {mart}, {changed_key}, changed._before from changed) "
    "update {old} as old set {assignments} from changed as new where old.ctid = new._place",
    f"with changed as ({_INSERT} returning *) insert into {{kept}} "
    "select {publication}, {mart}, {changed_key}, null from changed",
)


def row_key(row: str, columns: Iterable[str]) -> sql.Composable:
    """Return SQL of a JSON object of a row's key columns."""
    pairs = sql.SQL(", ").join(
        sql.SQL("{}, {}").format(sql.Literal(column), sql.Identifier(row, column))
        for column in columns
    )
    return sql.SQL("jsonb_build_object({})").format(pairs)


def _join(separator: str, template: str, columns: Iterable[str]) -> sql.Composable:
    return sql.SQL(separator).join(
        sql.SQL(template).format(sql.Identifier(column)) for column in columns
    )
