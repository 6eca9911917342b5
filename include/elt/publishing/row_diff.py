"""Make the rows of a published mart equal to those of its build, touching only what differs.

Of a mart that is built by its changes only the keys are looked at that dbt noted while building.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from elt.publishing.table_schema import BUILD, MARTS, Structure
from elt.warehouse.connection import AS_USUAL, FEW_BY_KEYS
from elt.warehouse.rows import value_or_none


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
        """The number of all rows that were changed."""
        return self.inserted + self.updated + self.deleted


def make_equal(
    cursor: Cursor,
    mart: str,
    structure: Structure,
    changed_keys: sql.Composable | None = None,
    *,
    build: sql.Composable | None = None,
    kept_for: int | None = None,
) -> RowCounts:
    """Delete vanished keys, update differing rows, insert new keys; return how many of each.

    Rows that are equal are not written, so a second call changes nothing. With ``changed_keys``, a
    table of keys, no other rows are looked at.

    Args:
        build: what the mart is to be equal to; by default its table in ``marts_build``.
        kept_for: the id of a publication to keep each changed row for, as it was before.
    """
    names: dict[str, sql.Composable] = {
        "old": sql.Identifier(MARTS, mart),
        "new": build or sql.Identifier(BUILD, mart),
        "touched": changed_keys or sql.SQL(""),
        "same_key": join_names(" and ", "new.{0} = old.{0}", structure.key),
        "is_new": join_names(" and ", "new.{0} = touched.{0}", structure.key),
        "is_old": join_names(" and ", "old.{0} = touched.{0}", structure.key),
        "columns": join_names(", ", "{0}", structure.columns),
        "new_columns": join_names(", ", "new.{0}", structure.columns),
        "old_columns": join_names(", ", "old.{0}", structure.columns),
        "assignments": join_names(", ", "{0} = new.{0}", structure.columns),
        "new_key": row_key("new", structure.key),
        "old_key": row_key("old", structure.key),
        "kept": KEPT,
        "publication": sql.Literal(kept_for),
        "mart": sql.Literal(mart),
    }

    def run(statement: str) -> int:
        cursor.execute(sql.SQL(statement).format(**names))
        return cursor.rowcount

    if changed_keys is None and kept_for is None and not run("select from {old} limit 1"):
        return RowCounts(inserted=run("insert into {old} ({columns}) select {columns} from {new}"))
    run(AS_USUAL if changed_keys is None else FEW_BY_KEYS)
    run(_COMPARE.replace("{pairs}", _OF_ALL_ROWS if changed_keys is None else _OF_CHANGED_KEYS))
    if kept_for is not None:
        run(_KEEP)
    return RowCounts(deleted=run(_DELETE), updated=run(_UPDATE), inserted=run(_INSERT))


KEPT = sql.SQL("ops.row_before (publication_id, mart, row_key, row_data)")
_OF_ALL_ROWS = "{new} as new full join {old} as old on {same_key}"
_OF_CHANGED_KEYS = (
    "{touched} as touched left join {new} as new on {is_new} left join {old} as old on {is_old}"
)
# Each row is looked up once; after that its place stands for it. Nobody else writes to marts or
# their build meanwhile, so that rows keep their places.
_COMPARE = (
    "drop table if exists pg_temp.differing; "
    "create temporary table differing on commit drop as "
    "select new.ctid as new_place, old.ctid as old_place from {pairs} "
    "where ({new_columns}) is distinct from ({old_columns}); "
    "analyze pg_temp.differing"
)
_KEEP = (
    "insert into {kept} select {publication}, {mart}, {old_key}, to_jsonb(old) "
    "from pg_temp.differing inner join {old} as old on old.ctid = differing.old_place "
    "union all select {publication}, {mart}, {new_key}, null "
    "from pg_temp.differing inner join {new} as new on new.ctid = differing.new_place "
    "where differing.old_place is null"
)
_DELETE = (
    "delete from {old} as old using pg_temp.differing "
    "where old.ctid = differing.old_place and differing.new_place is null"
)
_UPDATE = (
    "update {old} as old set {assignments} from pg_temp.differing, {new} as new "
    "where old.ctid = differing.old_place and new.ctid = differing.new_place"
)
# in the order of the build, where rows that are asked for together lie together
_INSERT = (
    "insert into {old} ({columns}) select {new_columns} "
    "from pg_temp.differing inner join {new} as new on new.ctid = differing.new_place "
    "where differing.old_place is null order by differing.new_place"
)


def row_key(row: str, columns: Iterable[str]) -> sql.Composable:
    """Return SQL of a JSON object of a row's key columns."""
    pairs = sql.SQL(", ").join(
        sql.SQL("{}, {}").format(sql.Literal(column), sql.Identifier(row, column))
        for column in columns
    )
    return sql.SQL("jsonb_build_object({})").format(pairs)


def join_names(separator: str, template: str, columns: Iterable[str]) -> sql.Composable:
    """Return SQL in which the template stands once for each column, ``{0}`` being its name."""
    return sql.SQL(separator).join(
        sql.SQL(template).format(sql.Identifier(column)) for column in columns
    )


# publish, as a reader of models' changes
READER = "publish"
CHANGED_KEYS = sql.Identifier("pg_temp", "touched")


def read_versions(cursor: Cursor, models: Iterable[str]) -> dict[str, int]:
    """Return the version of each model that is built by its changes, as it stands now."""
    cursor.execute(
        "select model, version from ops.model_state where model = any (%s)", (list(models),)
    )
    return dict(cursor.fetchall())


def collect_changed_keys(cursor: Cursor, mart: str, structure: Structure, version: int) -> bool:
    """Put the keys that changed since the last publication into the table CHANGED_KEYS.

    Args:
        cursor: of a transaction as the role publisher.
        mart: its name, without the schema.
        structure: of its build; the keys have the types of these columns.
        version: up to which its changes are taken, as ``read_versions`` returned it.

    Returns:
        Whether all of them are known. If not, the whole mart must be compared: so it is after a
        whole build, and when the table is not the one that the changes speak of.
    """
    cursor.execute(
        "select watermark.position from ops.model_state as state "
        "inner join ops.model_watermark as watermark on watermark.source = state.model "
        "where state.model = %s and watermark.model = %s and state.version = %s "
        "and watermark.position between state.changes_since and state.version "
        "and state.relation_oid = to_regclass(%s)",
        (mart, READER, version, f'{BUILD}."{mart}"'),
    )
    position = value_or_none(cursor, int)
    if position is None:
        return False
    columns = sql.SQL(", ").join(
        sql.SQL("cast(key ->> {} as {}) as {}").format(
            sql.Literal(name), sql.SQL(structure.columns[name]), sql.Identifier(name)
        )
        for name in structure.key
    )
    cursor.execute("drop table if exists pg_temp.touched")
    cursor.execute(
        sql.SQL(
            "create temporary table touched on commit drop as select distinct {} "
            # keys that follow each other are looked up on the same page of an index
            "from ops.model_change where model = %s and version > %s and version <= %s order by {}"
        ).format(columns, sql.SQL(", ").join(map(sql.Identifier, structure.key))),
        (mart, position, version),
    )
    cursor.execute("analyze pg_temp.touched")
    return True


def remember_published(cursor: Cursor, versions: Mapping[str, int]) -> None:
    """Note that what the models changed up to these versions is published."""
    for model, version in versions.items():
        cursor.execute(
            "insert into ops.model_watermark (model, source, position) values (%s, %s, %s) "
            "on conflict (model, source) do update "
            "set position = excluded.position, is_doubtful = false",
            (READER, model, version),
        )


def marts_in_doubt(cursor: Cursor) -> set[str]:
    """Return the marts that something other than publish has changed since the last publication."""
    cursor.execute(
        "select source from ops.model_watermark where model = %s and is_doubtful", (READER,)
    )
    return {mart for (mart,) in cursor}


def doubt(cursor: Cursor, mart: str) -> None:
    """Have the next publication compare all of a mart, since something else has changed it."""
    cursor.execute(
        "update ops.model_watermark set is_doubtful = true where model = %s and source = %s",
        (READER, mart),
    )


def forget_published(cursor: Cursor) -> None:
    """Have the next publication compare everything, since it is not known what is published."""
    cursor.execute("delete from ops.model_watermark where model = %s", (READER,))
