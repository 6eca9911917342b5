"""What the build changed since the last publication, as dbt noted it while building."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from elt.publishing.table_schema import BUILD, Structure

# publish, as a reader of models' changes
READER = "publish"
TOUCHED = sql.Identifier("pg_temp", "touched")


def read_versions(cursor: Cursor, models: Iterable[str]) -> dict[str, int]:
    """Return the version of each model that is built by its changes, as it stands now."""
    cursor.execute(
        "select model, version from ops.model_state where model = any (%s)", (list(models),)
    )
    return dict(cursor.fetchall())


def collect(cursor: Cursor, mart: str, structure: Structure, version: int) -> bool:
    """Put the keys that changed since the last publication into the table TOUCHED.

    Return False if not all of them are known: then the whole mart must be compared. So it is after
    a whole build, and when the table is not the one that the changes speak of.
    """
    cursor.execute(
        "select watermark.position from ops.model_state as state "
        "inner join ops.model_watermark as watermark on watermark.source = state.model "
        "where state.model = %s and watermark.model = %s and state.version = %s "
        "and watermark.position between state.changes_since and state.version "
        "and state.relation_oid = to_regclass(%s)",
        (mart, READER, version, f'{BUILD}."{mart}"'),
    )
    if (row := cursor.fetchone()) is None:
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
        (mart, row[0], version),
    )
    cursor.execute("analyze pg_temp.touched")
    return True


def remember(cursor: Cursor, versions: Mapping[str, int]) -> None:
    """Note that what the models changed up to these versions is published."""
    for model, version in versions.items():
        cursor.execute(
            "insert into ops.model_watermark (model, source, position) values (%s, %s, %s) "
            "on conflict (model, source) do update "
            "set position = excluded.position, is_doubtful = false",
            (READER, model, version),
        )


def in_doubt(cursor: Cursor) -> set[str]:
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


def forget(cursor: Cursor) -> None:
    """Have the next publication compare everything, since it is not known what is published."""
    cursor.execute("delete from ops.model_watermark where model = %s", (READER,))
