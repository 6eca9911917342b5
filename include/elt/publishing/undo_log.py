"""What the last publication that changed anything replaced, kept so that it can be undone.

One step back is kept, no more, so it costs what that publication changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import Json, execute_values

from elt.publishing.row_diff import KEPT, RowCounts, row_key
from elt.publishing.table_schema import MARTS, Structure
from elt.warehouse.rows import one_value, rows_as

# to a mart: nothing, its rows, its columns or key, and whether it came or went
Change = Literal["none", "rows", "columns", "new", "gone"]


@dataclass(frozen=True)
class MartBefore:
    """A mart as it was before the last publication that changed anything."""

    mart: str
    change: Change
    # of its columns and key, if these changed; and its row in ``marts.data_status``, if it had one
    structure: Mapping[str, Any] | None
    status: Mapping[str, Any] | None

    @property
    def kept_structure(self) -> Structure | None:
        """Its columns and key as they were; None: they are the same."""
        return from_json(self.structure) if self.structure else None


def next_id(cursor: Cursor) -> int:
    """Return the id that the next publication will have."""
    cursor.execute(
        "select nextval(pg_get_serial_sequence('ops.publication', 'publication_id')::regclass)"
    )
    publication_id: int = one_value(cursor)
    return publication_id


def change_of(wanted: Structure | None, present: Structure | None) -> Change:
    """Return what a publication is about to do to a mart, by its structure before and after."""
    if present is None:
        return "new"
    if wanted is None:
        return "gone"
    return "rows" if wanted == present else "columns"


def keep_all_rows(cursor: Cursor, publication_id: int, mart: str, present: Structure) -> None:
    """Keep every row of a mart whose columns change: afterwards it can't be told what they were.

    Args:
        cursor: of the publication's own transaction, before it changes the mart.
        publication_id: the one that it will have.
        mart: its name, without the schema.
        present: its columns and its key in ``marts``, as they still are.
    """
    cursor.execute(
        sql.SQL(
            "insert into {kept} "
            "select {publication}, {mart}, {key}, to_jsonb(old) from {old} as old"
        ).format(
            kept=KEPT,
            publication=sql.Literal(publication_id),
            mart=sql.Literal(mart),
            key=row_key("old", present.key),
            old=sql.Identifier(MARTS, mart),
        )
    )


def remember(
    cursor: Cursor,
    publication_id: int,
    changes: Mapping[str, Change],
    counts: Mapping[str, RowCounts],
    structures: Mapping[str, Structure],
) -> None:
    """Note what a publication did to each mart, in place of what the one before it did.

    A publication that changed nothing leaves the one before it the last that can be undone. To be
    called before ``marts.data_status`` tells of it.

    Args:
        structures: of the marts as they were before.
    """
    happened = {
        mart: "none" if change == "rows" and not counts[mart].changed else change
        for mart, change in changes.items()
    }
    if {*happened.values()} <= {"none"}:
        return
    cursor.execute("delete from ops.row_before where publication_id <> %s", (publication_id,))
    cursor.execute("delete from ops.mart_before")
    execute_values(
        cursor,
        "insert into ops.mart_before (publication_id, mart, change, structure, status) "
        "select new.publication_id, new.mart, new.change, new.structure::jsonb, to_jsonb(status) "
        "from (values %s) as new (publication_id, mart, change, structure) "
        "left join marts.data_status as status on status.mart = new.mart",
        [
            (
                publication_id,
                mart,
                change,
                as_json(structures[mart]) if change in ("columns", "gone") else None,
            )
            for mart, change in happened.items()
        ],
        template="(%s, %s, %s, %s::jsonb)",
    )


def marts_before(cursor: Cursor) -> list[MartBefore]:
    """Return what was kept of each mart, by name."""
    cursor.execute("select mart, change, structure, status from ops.mart_before order by mart")
    return rows_as(cursor, MartBefore)


def forget_all(cursor: Cursor) -> None:
    """Forget what was kept: it was undone."""
    cursor.execute("delete from ops.row_before; delete from ops.mart_before")


def as_json(structure: Structure) -> Json:
    """Return a structure as ``ops.mart_before`` keeps it."""
    return Json(
        {
            "columns": list(structure.columns.items()),
            "key": structure.key,
            "comments": structure.comments,
        }
    )


def from_json(kept: Mapping[str, Any]) -> Structure:
    """Return the structure that ``as_json`` was given."""
    return Structure(dict(kept["columns"]), tuple(kept["key"]), kept["comments"])
