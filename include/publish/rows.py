"""Make the rows of a published mart equal to those of its build, touching only what differs."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from include.publish.structure import BUILD, MARTS, Structure


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
    cursor: Cursor, mart: str, structure: Structure, touched: sql.Composable | None = None
) -> RowCounts:
    """Delete vanished keys, update differing rows, insert new keys; return how many of each.

    Rows that are equal are not written, so a second call changes nothing. With ``touched``, a table
    of keys, no other rows are looked at.
    """
    build = sql.Identifier(BUILD, mart)
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
    }

    def run(statement: str) -> int:
        cursor.execute(sql.SQL(statement).format(**names))
        return cursor.rowcount

    deleted = run(
        "delete from {old} as old where {old_is_meant} "
        "and not exists (select from {build} as new where {same_key})"
    )
    updated = run(
        "update {old} as old set {assignments} from {new} as new "
        "where {same_key} and ({old_columns}) is distinct from ({new_columns})"
    )
    inserted = run(
        "insert into {old} ({columns}) select {new_columns} from {new} as new "
        "where not exists (select from {old} as old where {same_key})"
    )
    return RowCounts(inserted, updated, deleted)


def _join(separator: str, template: str, columns: object) -> sql.Composable:
    return sql.SQL(separator).join(
        sql.SQL(template).format(sql.Identifier(column))
        for column in columns  # type: ignore[attr-defined]
    )
