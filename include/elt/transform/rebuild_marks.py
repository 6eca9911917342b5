"""Mark rows and keys as touched, so that the next run builds what depends on them anew.

The marks are entries of the change logs that models read anyway; nothing is built here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import Json

from elt.loading.contract import Table
from elt.transform.lineage import Lineage
from elt.transform.rebuild_plan import Plan, built_by_key
from elt.warehouse import lease


def mark(
    cursor: Cursor, lineage: Lineage, tables: Mapping[str, Table], plan: Plan, run_id: str
) -> dict[str, int]:
    """Mark what a plan names, and return how many rows of each source table.

    Args:
        cursor: of a transaction as the role loader, which has the lease for ``run_id``.
    """
    lease.hold(cursor, run_id)
    marked = {}
    for name, condition in plan.rows.items():
        keys = dict.fromkeys((*tables[name].change_key, *tables[name].primary_key))
        pairs = [sql.SQL("{}, old.{}").format(sql.Literal(k), sql.Identifier(k)) for k in keys]
        cursor.execute(
            sql.SQL(
                "insert into raw.change_log (load_id, table_name, change, old_key)"
                " select {load_id}, {table}, 'update', jsonb_build_object({pairs})"
                " from {raw} as old where {condition}"
            ).format(
                load_id=sql.Literal(_load(cursor, name, plan, run_id)),
                table=sql.Literal(name),
                pairs=sql.SQL(", ").join(pairs),
                raw=sql.Identifier("raw", name),
                condition=condition,
            )
        )
        marked[name] = cursor.rowcount
    for model, key in plan.keys.items():
        _touch(cursor, built_by_key(lineage)[model], key, plan, run_id)
    return marked


def _touch(cursor: Cursor, build: Mapping[str, Any], key: str, plan: Plan, run_id: str) -> None:
    """Have a model hear of a key, by the first of what it reads that has it in a column."""
    entry = next(
        entry
        for entry in build["touched_by"]
        # a history can't be told to have changed
        if "through" not in entry and "snapshot" not in entry
    )
    told = Json({entry.get("column", build["key"]): key})
    if "source" in entry:
        cursor.execute(
            "insert into raw.change_log (load_id, table_name, change, old_key)"
            " values (%s, %s, 'update', %s)",
            (_load(cursor, entry["source"], plan, run_id), entry["source"], told),
        )
        return
    cursor.execute("set local role transformer")
    cursor.execute(
        "with state as (update ops.model_state set version = version + 1 where model = %s"
        " returning model, version)"
        " insert into ops.model_change (model, version, key) select model, version, %s from state",
        (entry["model"], told),
    )
    cursor.execute("set local role loader")


def _load(cursor: Cursor, table: str, plan: Plan, run_id: str) -> int:
    cursor.execute(
        "insert into ops.load (run_id, table_name, source_file, started_at, finished_at, status,"
        " cause) values (%s, %s, %s, now(), now(), 'loaded', 'rebuild') returning load_id",
        (run_id, table, f"rebuild of {plan.words}"),
    )
    return cursor.fetchone()[0]
