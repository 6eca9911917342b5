"""What is built anew on request: models as a whole, or what belongs to a day or a key.

Nothing is built here. A model is built whole when its definition is not remembered; a day or a key
is marked in the change logs that models read anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import Json

from elt.errors import FinalError
from elt.loading.contract import Table
from elt.loading.sources_yaml import declared_tables
from elt.shop import SHOP
from elt.transform.lineage import Lineage
from elt.transform.project import business_timezone
from elt.transform.rebuild_plan import (
    Cost,
    Plan,
    RebuildError,
    built_by_key,
    cost,
    plan_day,
    plan_key,
)
from elt.warehouse import lease
from elt.warehouse.connection import transaction
from elt.warehouse.rows import one_value

ALL_MODELS = "all"


class UnknownModelError(FinalError):
    """There is no model of that name; the message names it."""


def request_full_refresh(cursor: Cursor, names: Sequence[str], lineage: Lineage) -> list[str]:
    """Have the named models built whole by their next build, and return which of them that is.

    dbt builds a model whole when it does not remember its definition, and so it does with what
    depends on it. A model that is a plain table or a view is made anew by every run in any case.

    Args:
        cursor: of a transaction as the role loader.
        names: of models, or ``all``.

    Raises:
        UnknownModelError: if the project has no such model.
    """
    known = {lineage.nodes[model]["name"] for model in lineage.of_type("model")}
    if unknown := sorted({*names} - known - {ALL_MODELS}):
        raise UnknownModelError(
            f"full_refresh names {', '.join(unknown)}, and the project has no such model. "
            f"Name models as in {SHOP.dbt_project}/models, or `{ALL_MODELS}`. Nothing was done."
        )
    cursor.execute(
        "update ops.model_state set definition_hash = null "
        "where model = any (%(models)s) returning model",
        {"models": [*lineage.built_by_changes] if ALL_MODELS in names else list(names)},
    )
    return sorted(model for (model,) in cursor.fetchall())


def request_rebuild(
    lineage: Lineage,
    *,
    day: str = "",
    model: str = "",
    key: str = "",
    confirm: Callable[[str], bool],
) -> str | None:
    """Mark a day, or a key of a model, for the next run; return what was done, None: nothing.

    Args:
        confirm: is told what it costs, and returns whether to go on.

    Raises:
        RebuildError: in words, if that day or key can't be built.
        LeaseHeldError: if a run is at work.
    """
    if bool(day) == bool(model and key):
        raise RebuildError("Say what to build: DAY=2026-11-20, or MODEL=… KEY=…. Nothing was done.")
    tables = declared_tables()
    run_id = f"rebuild {datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"
    with transaction("transformer") as cursor:
        plan = (
            plan_day(cursor, lineage, tables, day, business_timezone().key)
            if day
            else plan_key(lineage, model, key)
        )
        costs = cost(cursor, lineage, plan)
    if not confirm(describe_plan(plan, costs)):
        return None
    return _mark_with_lease(lineage, tables, plan, run_id)


def _mark_with_lease(lineage: Lineage, tables: Mapping[str, Table], plan: Plan, run_id: str) -> str:
    with lease.held(run_id), transaction("loader") as cursor:
        marked = mark(cursor, lineage, tables, plan, run_id)
    rows = [f"{count:,} rows of {table}" for table, count in marked.items()]
    if not (plan.keys or any(marked.values())):
        return f"Nothing in raw belongs to {plan.words}, so nothing was marked."
    done = ", ".join([*rows, *(f"a key of {model}" for model in plan.keys)])
    return f"Marked: {done}. The next run builds and publishes what comes out otherwise."


def describe_plan(plan: Plan, costs: list[Cost]) -> str:
    """Return what a plan will cost, one model in a line."""
    lines = [f"The next run builds {plan.words} anew:"]
    for one in costs:
        keys = "1 key" if one.keys == 1 else f"{one.keys:,} keys"
        lines.append(f"  {one.model:<34} {one.rows:>12,} of about {one.of:,} rows ({keys})")
    if not costs:
        lines.append("  no model has anything of it")
    lines.append("and in models after these what depends on rows that come out otherwise.")
    if plan.without_day:
        lines.append(
            f"Nothing of {', '.join(plan.without_day)} is among it: their contracts tell no day "
            "(config.meta.extract.day)."
        )
    return "\n".join(lines)


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
                load_id=sql.Literal(_log_load(cursor, name, plan, run_id)),
                table=sql.Literal(name),
                pairs=sql.SQL(", ").join(pairs),
                raw=sql.Identifier("raw", name),
                condition=condition,
            )
        )
        marked[name] = cursor.rowcount
    for model, key in plan.keys.items():
        _mark_key(cursor, built_by_key(lineage)[model], key, plan, run_id)
    return marked


def _mark_key(cursor: Cursor, build: Mapping[str, Any], key: str, plan: Plan, run_id: str) -> None:
    """Have a model hear of a key, by the first of what it reads that has it in a column."""
    entry = next(
        entry
        for entry in build["depends_on_changes_of"]
        # a history can't be told to have changed
        if "through" not in entry and "snapshot" not in entry
    )
    row_key = Json({entry.get("column", build["key"]): key})
    if "source" in entry:
        cursor.execute(
            "insert into raw.change_log (load_id, table_name, change, old_key)"
            " values (%s, %s, 'update', %s)",
            (_log_load(cursor, entry["source"], plan, run_id), entry["source"], row_key),
        )
        return
    cursor.execute("set local role transformer")
    cursor.execute(
        "with state as (update ops.model_state set version = version + 1 where model = %s"
        " returning model, version)"
        " insert into ops.model_change (model, version, key) select model, version, %s from state",
        (entry["model"], row_key),
    )
    cursor.execute("set local role loader")


def _log_load(cursor: Cursor, table: str, plan: Plan, run_id: str) -> int:
    cursor.execute(
        "insert into ops.load (run_id, table_name, source_file, started_at, finished_at, status,"
        " cause) values (%s, %s, %s, now(), now(), 'loaded', 'rebuild') returning load_id",
        (run_id, table, f"rebuild of {plan.words}"),
    )
    load_id: int = one_value(cursor)
    return load_id
