"""Bring the rows of a file into the raw table: only what changed is written, and logged.

In the statements ``old`` is the row in raw, ``new`` the row of the file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from elt.errors import RefusedFileError, offer_to_shrink
from elt.loading import raw_table
from elt.loading.contract import Table
from elt.loading.staging_table import StagingTable
from elt.warehouse.connection import FEW_BY_KEYS
from elt.warehouse.rows import all_values, one_row, one_value

_INSERT_ALL = sql.SQL(
    "insert into {raw} ({columns}, _load_id) select {values}, {load_id} from {new} as new"
)
# Looks up and inserts in one go. A row that is known costs one look-up more than the plan's.
_INSERT_UNKNOWN = sql.SQL(_INSERT_ALL.string + " on conflict ({keys}) do nothing")
_KNOWN_ROWS = sql.SQL("select reltuples from pg_class where oid = {raw_name}::regclass")
# The one look at the history. The table is locked, so that rows keep their places.
_PLAN = sql.SQL(
    "create temporary table _plan on commit drop as "
    "select new.ctid as new_place, old.ctid as old_place, {is_newer} as is_newer, "
    "{is_lowered} as is_lowered "
    "from {new} as new left join {raw} as old on {same_key} "
    "where old._load_id is null or old._deleted_at is not null or ({is_newer} and {differs})"
)
_COUNT = (
    "select count(*) as rows, count(old_place) as updated, "
    "count(*) filter (where is_newer and is_lowered) as lowered from pg_temp._plan"
)
_LOG_CHANGES = sql.SQL(
    "insert into raw.change_log (load_id, table_name, change, old_key, new_key) "
    "select {load_id}, {table}, case when old._deleted_at is null then 'update' else 'revive' end, "
    "{old_key}, case when plan.is_newer then {new_key} else {old_key} end "
    "from pg_temp._plan as plan inner join {raw} as old on old.ctid = plan.old_place "
    "inner join {new} as new on new.ctid = plan.new_place"
)
_UPDATE = sql.SQL(
    "update {raw} as old "
    "set {assignments}_load_id = {load_id}, _loaded_at = now(), _deleted_at = null "
    "from pg_temp._plan as plan inner join {new} as new on new.ctid = plan.new_place "
    "where old.ctid = plan.old_place and plan.is_newer"
)
# it is there again, though with less than we know of it
_REVIVE = sql.SQL(
    "update {raw} as old set _load_id = {load_id}, _loaded_at = now(), _deleted_at = null "
    "from pg_temp._plan as plan where old.ctid = plan.old_place and not plan.is_newer"
)
_INSERT = sql.SQL(
    "insert into {raw} ({columns}, _load_id) select {values}, {load_id} "
    "from pg_temp._plan as plan inner join {new} as new on new.ctid = plan.new_place "
    "where plan.old_place is null"
)
_DELETE = sql.SQL(
    "with gone as ("
    "update {raw} as old set _deleted_at = now(), _load_id = {load_id}, _loaded_at = now() "
    "where _deleted_at is null and not exists (select from {new} as new where {same_key}) "
    "returning {old_key} as old_key) "
    "insert into raw.change_log (load_id, table_name, change, old_key) "
    "select {load_id}, {table}, 'delete', old_key from gone"
)
# a drop with less than a 20th of the known rows is looked up by key
FEW_SHARE = 20
Parts = dict[str, sql.Composable]
# the statistics are renewed when a 10th of the rows is new
ANALYZE_SHARE = 10


@dataclass(frozen=True)
class Counts:
    """Rows by what happened to them. Deleted ones were not in the file."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    # of the updated ones: those with an older version than before
    lowered: int = 0


@dataclass(frozen=True)
class _Plan:
    """Rows of the plan, those of them that raw has, and those whose version goes back."""

    rows: int
    updated: int
    lowered: int


@dataclass(frozen=True)
class _Living:
    """Rows in raw that are not deleted, and those of them that are in the file."""

    living: int
    kept: int


def apply(
    staging: StagingTable,
    load_id: int,
    rows: int,
    *,
    given: Collection[str] | None = None,
    quarantined: int = 0,
    may_shrink: bool = False,
    source_file: str | None = None,
    latest: datetime | None = None,
) -> Counts:
    """Merge a temporary staging table into the locked raw table.

    The version decides which of two rows is newer, but for what ``source_file`` itself said before:
    who puts a mended file in its place means what it says. And but for a version above ``latest``,
    which no row can have: nothing would ever be newer.

    Args:
        staging: has each key once.
        load_id: the load that all of it belongs to.
        rows: how many it has.
        given: the columns of the source; others are null in new rows and stay in known ones.
        quarantined: a snapshot with any deletes none: what is missing may be one of them.
        may_shrink: whether a snapshot may lose more than half of the living rows.
        source_file: where the rows are from.
        latest: the latest version that a row can have.

    Raises:
        RefusedFileError: if a snapshot lost so many and may not.
    """
    cursor, table = staging.cursor, staging.table
    # enough for a day's file to be compared in memory
    cursor.execute("set local work_mem = '64MB'")
    same_source = _loads_of(cursor, table, source_file) if table.version and source_file else []
    parts = statement_parts(staging, load_id, given, same_source=same_source, latest=latest)
    cursor.execute(sql.SQL("select not exists (select from {raw})").format(**parts))
    if one_value(cursor, bool):
        cursor.execute(_INSERT_ALL.format(**parts))
        cursor.execute(sql.SQL("analyze {raw}").format(**parts))
        return Counts(inserted=rows)
    cursor.execute(_KNOWN_ROWS.format(**parts))
    known = one_value(cursor, float)
    are_few = rows * FEW_SHARE < known
    if are_few:
        cursor.execute(FEW_BY_KEYS)
    vanished = 0
    if table.load == "full_snapshot":
        vanished = _count_vanished(cursor, table, parts, quarantined, may_shrink=may_shrink)
    inserted, updated, lowered = _write(cursor, parts, rows, are_few=are_few)
    if vanished:
        cursor.execute(_DELETE.format(**parts))
    if (inserted + updated + vanished) * ANALYZE_SHARE > known:
        cursor.execute(sql.SQL("analyze {raw}").format(**parts))
    return Counts(inserted, updated, rows - inserted - updated, vanished, lowered)


def _loads_of(cursor: Cursor, table: Table, source_file: str) -> list[int]:
    """Return the loads of a path, replays of its rows included."""
    cursor.execute(
        "with own as (select load_id from ops.load where table_name = %s and source_file = %s) "
        "select load_id from own union "
        "select load_id from ops.load where replay_of in (select load_id from own)",
        [table.name, source_file],
    )
    return all_values(cursor, int)


def _write(cursor: Cursor, parts: Parts, rows: int, *, are_few: bool) -> tuple[int, int, int]:
    inserted = 0
    if are_few:
        # mostly all of a day's rows are new, and then this was the only look at the history
        cursor.execute(_INSERT_UNKNOWN.format(**parts))
        inserted = cursor.rowcount
        if inserted == rows:
            return rows, 0, 0
    # a row that was just inserted is equal to itself, so it is in no plan
    cursor.execute(_PLAN.format(**parts))
    cursor.execute("analyze pg_temp._plan")
    cursor.execute(_COUNT)
    plan = one_row(cursor, _Plan)
    if plan.rows == rows and not plan.updated:
        cursor.execute(_INSERT_ALL.format(**parts))
        return rows, 0, 0
    if plan.updated:
        for statement in (_LOG_CHANGES, _UPDATE, _REVIVE):
            cursor.execute(statement.format(**parts))
    if plan.rows > plan.updated:
        cursor.execute(_INSERT.format(**parts))
    return inserted + plan.rows - plan.updated, plan.updated, plan.lowered


def _count_vanished(
    cursor: Cursor, table: Table, parts: Parts, quarantined: int, *, may_shrink: bool
) -> int:
    cursor.execute(
        sql.SQL(
            "select count(*) as living, count({key}) as kept from {raw} as old "
            "left join {new} as new on {same_key} where old._deleted_at is null"
        ).format(key=column_of("new", table.primary_key[0]), **parts)
    )
    known = one_row(cursor, _Living)
    if (known.kept + quarantined) * 2 < known.living and not may_shrink:
        raise RefusedFileError(
            "file",
            f"is a full snapshot, but only {known.kept} of the {known.living} living rows are in "
            f"it: loading it would mark {known.living - known.kept} rows as deleted",
            remedy="Nothing of this file was loaded. Deliver the whole export and run again, or "
            + offer_to_shrink(table.name),
        )
    return 0 if quarantined else known.living - known.kept


def statement_parts(
    staging: StagingTable,
    load_id: int,
    given: Collection[str] | None = None,
    *,
    same_source: Sequence[int] = (),
    latest: datetime | None = None,
) -> Parts:
    """Return what the statements are made of.

    Args:
        staging: the rows that are to be merged.
        load_id: the load that they belong to.
        given: the columns of the source; the others stay as they are.
        same_source: loads of the same file, which may have said anything.
        latest: the latest version that a row can have.
    """
    table = staging.table
    keys = table.primary_key
    given = table.column_names if given is None else given
    others = [name for name in table.other_columns if name in given]
    versions = table.version and (column_of("old", table.version), column_of("new", table.version))
    log_keys = dict.fromkeys((*table.change_key, *keys))
    return {
        "raw": raw_table.name_of(table),
        "raw_name": sql.Literal(f'{raw_table.SCHEMA}."{table.name}"'),
        "new": staging.name,
        "table": sql.Literal(table.name),
        "load_id": sql.Literal(load_id),
        "columns": _comma_separated(map(sql.Identifier, table.column_names)),
        "values": _comma_separated(column_of("new", name) for name in table.column_names),
        "assignments": sql.SQL("").join(
            sql.SQL("{} = {}, ").format(sql.Identifier(name), column_of("new", name))
            for name in others
        ),
        "keys": _comma_separated(map(sql.Identifier, keys)),
        "same_key": sql.SQL(" and ").join(
            sql.SQL("{} = {}").format(column_of("old", key), column_of("new", key)) for key in keys
        ),
        "differs": sql.SQL("({}) is distinct from ({})").format(
            _comma_separated(column_of("old", name) for name in others),
            _comma_separated(column_of("new", name) for name in others),
        )
        if others
        else sql.SQL("false"),
        "is_newer": _is_newer(table, same_source, latest),
        "is_lowered": sql.SQL("coalesce({1} < {0}, {0} is not null)").format(*versions)
        if versions
        else sql.SQL("false"),
        "old_key": _object((name, column_of("old", name)) for name in log_keys),
        "new_key": _object(
            (name, column_of("new" if name in given else "old", name)) for name in log_keys
        ),
    }


def _is_newer(table: Table, same_source: Sequence[int], latest: datetime | None) -> sql.Composable:
    if not table.version:
        return sql.SQL("true")
    old, new = column_of("old", table.version), column_of("new", table.version)
    condition = sql.SQL("coalesce({1} >= {0}, {0} is null)").format(old, new)
    if same_source:
        condition += sql.SQL(" or old._load_id = any({}::bigint[])").format(
            sql.Literal(list(same_source))
        )
    if latest:
        condition += sql.SQL(" or coalesce({} > {}, false)").format(old, sql.Literal(latest))
    return sql.SQL("({})").format(condition)


def column_of(side: str, name: str) -> sql.Identifier:
    """Return a column of ``old`` or of ``new``."""
    return sql.Identifier(side, name)


def _comma_separated(parts: Iterable[sql.Composable]) -> sql.Composed:
    return sql.SQL(", ").join(parts)


def _object(columns: Iterable[tuple[str, sql.Identifier]]) -> sql.Composed:
    pairs = (sql.SQL("{}, {}").format(sql.Literal(name), value) for name, value in columns)
    return sql.SQL("jsonb_build_object({})").format(_comma_separated(pairs))
