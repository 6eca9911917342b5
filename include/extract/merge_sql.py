"""The statements of a merge: ``old`` is the row in raw, ``new`` the row of the file."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from psycopg2 import sql

from include.extract import raw_table
from include.extract.contracts import Table
from include.extract.staging import NEW

INSERT_ALL = sql.SQL(
    "insert into {raw} ({columns}, _load_id) select {values}, {load_id} from {new} as new"
)
LOG_CHANGES = sql.SQL(
    "insert into raw.change_log (load_id, table_name, change, old_key, new_key) "
    "select {load_id}, {table}, case when old._deleted_at is null then 'update' else 'revive' end, "
    "{old_key}, case when {is_newer} then {new_key} else {old_key} end "
    "from {raw} as old inner join {new} as new on {same_key} "
    "where old._deleted_at is not null or ({is_newer} and {differs})"
)
DELETE = sql.SQL(
    "with gone as ("
    "update {raw} as old set _deleted_at = now(), _load_id = {load_id}, _loaded_at = now() "
    "where _deleted_at is null and not exists (select from {new} as new where {same_key}) "
    "returning {old_key} as old_key) "
    "insert into raw.change_log (load_id, table_name, change, old_key) "
    "select {load_id}, {table}, 'delete', old_key from gone"
)


MERGE = sql.SQL(
    "merge into {raw} as old using {new} as new on {same_key} "
    "when matched and {is_newer} and (old._deleted_at is not null or {differs}) then "
    "update set {assignments}_load_id = {load_id}, _loaded_at = now(), _deleted_at = null "
    # it is there again, though with less than we know of it
    "when matched and old._deleted_at is not null then "
    "update set _load_id = {load_id}, _loaded_at = now(), _deleted_at = null "
    "when not matched then insert ({columns}, _load_id) values ({values}, {load_id})"
)


def parts_of(
    table: Table, load_id: int, given: Collection[str] | None = None
) -> dict[str, sql.Composable]:
    """Return what the statements are made of. Columns that were not ``given`` stay as they are."""
    keys = table.primary_key
    given = table.column_names if given is None else given
    others = [name for name in table.other_columns if name in given]
    log_keys = dict.fromkeys((*table.change_key, *keys))
    version = table.version and (column("old", table.version), column("new", table.version))
    return {
        "raw": raw_table.name_of(table),
        "new": NEW,
        "table": sql.Literal(table.name),
        "load_id": sql.Literal(load_id),
        "columns": join(map(sql.Identifier, table.column_names)),
        "values": join(column("new", name) for name in table.column_names),
        "assignments": sql.SQL("").join(
            sql.SQL("{} = {}, ").format(sql.Identifier(name), column("new", name))
            for name in others
        ),
        "same_key": sql.SQL(" and ").join(
            sql.SQL("{} = {}").format(column("old", key), column("new", key)) for key in keys
        ),
        "differs": sql.SQL("({}) is distinct from ({})").format(
            join(column("old", name) for name in others),
            join(column("new", name) for name in others),
        )
        if others
        else sql.SQL("false"),
        "is_newer": sql.SQL("coalesce({1} >= {0}, {0} is null)").format(*version)
        if version
        else sql.SQL("true"),
        "old_key": _object((name, column("old", name)) for name in log_keys),
        "new_key": _object(
            (name, column("new" if name in given else "old", name)) for name in log_keys
        ),
    }


def column(side: str, name: str) -> sql.Identifier:
    return sql.Identifier(side, name)


def join(parts: Iterable[sql.Composable]) -> sql.Composed:
    return sql.SQL(", ").join(parts)


def _object(columns: Iterable[tuple[str, sql.Identifier]]) -> sql.Composed:
    pairs = (sql.SQL("{}, {}").format(sql.Literal(name), value) for name, value in columns)
    return sql.SQL("jsonb_build_object({})").format(join(pairs))
