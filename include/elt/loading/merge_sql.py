"""The statements of a merge: ``old`` is the row in raw, ``new`` the row of the file."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from psycopg2 import sql

from elt.loading import raw_table
from elt.loading.contract import Table
from elt.loading.staging_table import NEW

INSERT_ALL = sql.SQL(
    "insert into {raw} ({columns}, _load_id) select {values}, {load_id} from {new} as new"
)
# Looks up and inserts in one go. A row that is known costs one look-up more than the plan's.
INSERT_UNKNOWN = sql.SQL(INSERT_ALL.string + " on conflict ({keys}) do nothing")
KNOWN_ROWS = sql.SQL("select reltuples from pg_class where oid = {raw_name}::regclass")
# The one look at the history. The table is locked, so that rows keep their places.
PLAN = sql.SQL(
    "create temporary table _plan on commit drop as "
    "select new.ctid as new_place, old.ctid as old_place, {is_newer} as is_newer, "
    "{is_lowered} as is_lowered "
    "from {new} as new left join {raw} as old on {same_key} "
    "where old._load_id is null or old._deleted_at is not null or ({is_newer} and {differs})"
)
COUNT = (
    "select count(*), count(old_place), count(*) filter (where is_newer and is_lowered) "
    "from pg_temp._plan"
)
LOG_CHANGES = sql.SQL(
    "insert into raw.change_log (load_id, table_name, change, old_key, new_key) "
    "select {load_id}, {table}, case when old._deleted_at is null then 'update' else 'revive' end, "
    "{old_key}, case when plan.is_newer then {new_key} else {old_key} end "
    "from pg_temp._plan as plan inner join {raw} as old on old.ctid = plan.old_place "
    "inner join {new} as new on new.ctid = plan.new_place"
)
UPDATE = sql.SQL(
    "update {raw} as old "
    "set {assignments}_load_id = {load_id}, _loaded_at = now(), _deleted_at = null "
    "from pg_temp._plan as plan inner join {new} as new on new.ctid = plan.new_place "
    "where old.ctid = plan.old_place and plan.is_newer"
)
# it is there again, though with less than we know of it
REVIVE = sql.SQL(
    "update {raw} as old set _load_id = {load_id}, _loaded_at = now(), _deleted_at = null "
    "from pg_temp._plan as plan where old.ctid = plan.old_place and not plan.is_newer"
)
INSERT = sql.SQL(
    "insert into {raw} ({columns}, _load_id) select {values}, {load_id} "
    "from pg_temp._plan as plan inner join {new} as new on new.ctid = plan.new_place "
    "where plan.old_place is null"
)
DELETE = sql.SQL(
    "with gone as ("
    "update {raw} as old set _deleted_at = now(), _load_id = {load_id}, _loaded_at = now() "
    "where _deleted_at is null and not exists (select from {new} as new where {same_key}) "
    "returning {old_key} as old_key) "
    "insert into raw.change_log (load_id, table_name, change, old_key) "
    "select {load_id}, {table}, 'delete', old_key from gone"
)


def parts_of(
    table: Table,
    load_id: int,
    given: Collection[str] | None = None,
    *,
    same_source: Sequence[int] = (),
    latest: datetime | None = None,
) -> dict[str, sql.Composable]:
    """Return what the statements are made of. Columns that were not ``given`` stay as they are.

    See ``merge.apply`` for the others. ``same_source`` are loads.
    """
    keys = table.primary_key
    given = table.column_names if given is None else given
    others = [name for name in table.other_columns if name in given]
    versions = table.version and (column("old", table.version), column("new", table.version))
    log_keys = dict.fromkeys((*table.change_key, *keys))
    return {
        "raw": raw_table.name_of(table),
        "raw_name": sql.Literal(f'{raw_table.SCHEMA}."{table.name}"'),
        "new": NEW,
        "table": sql.Literal(table.name),
        "load_id": sql.Literal(load_id),
        "columns": join(map(sql.Identifier, table.column_names)),
        "values": join(column("new", name) for name in table.column_names),
        "assignments": sql.SQL("").join(
            sql.SQL("{} = {}, ").format(sql.Identifier(name), column("new", name))
            for name in others
        ),
        "keys": join(map(sql.Identifier, keys)),
        "same_key": sql.SQL(" and ").join(
            sql.SQL("{} = {}").format(column("old", key), column("new", key)) for key in keys
        ),
        "differs": sql.SQL("({}) is distinct from ({})").format(
            join(column("old", name) for name in others),
            join(column("new", name) for name in others),
        )
        if others
        else sql.SQL("false"),
        "is_newer": _is_newer(table, same_source, latest),
        "is_lowered": sql.SQL("coalesce({1} < {0}, {0} is not null)").format(*versions)
        if versions
        else sql.SQL("false"),
        "old_key": _object((name, column("old", name)) for name in log_keys),
        "new_key": _object(
            (name, column("new" if name in given else "old", name)) for name in log_keys
        ),
    }


def _is_newer(table: Table, same_source: Sequence[int], latest: datetime | None) -> sql.Composable:
    if not table.version:
        return sql.SQL("true")
    old, new = column("old", table.version), column("new", table.version)
    condition = sql.SQL("coalesce({1} >= {0}, {0} is null)").format(old, new)
    if same_source:
        condition += sql.SQL(" or old._load_id = any({}::bigint[])").format(
            sql.Literal(list(same_source))
        )
    if latest:
        condition += sql.SQL(" or coalesce({} > {}, false)").format(old, sql.Literal(latest))
    return sql.SQL("({})").format(condition)


def column(side: str, name: str) -> sql.Identifier:
    return sql.Identifier(side, name)


def join(parts: Iterable[sql.Composable]) -> sql.Composed:
    return sql.SQL(", ").join(parts)


def _object(columns: Iterable[tuple[str, sql.Identifier]]) -> sql.Composed:
    pairs = (sql.SQL("{}, {}").format(sql.Literal(name), value) for name, value in columns)
    return sql.SQL("jsonb_build_object({})").format(join(pairs))
