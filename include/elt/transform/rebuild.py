"""From a day or a key to marks, once somebody has seen what that costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from elt.loading.contract import Table, declared_tables
from elt.transform.lineage import Lineage
from elt.transform.project import business_timezone
from elt.transform.rebuild_marks import mark
from elt.transform.rebuild_plan import Cost, Plan, RebuildError, cost, plan_day, plan_key
from elt.warehouse import lease
from elt.warehouse.connection import transaction


def have_rebuilt(
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
        raise RebuildError(
            "Say what to build: DAY=2026-11-20, or MODEL=fct_orders KEY=…. Nothing was done."
        )
    tables = declared_tables()
    run_id = f"rebuild {datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"
    with transaction("transformer") as cursor:
        plan = (
            plan_day(cursor, lineage, tables, day, business_timezone().key)
            if day
            else plan_key(lineage, model, key)
        )
        costs = cost(cursor, lineage, plan)
    if not confirm(in_words(plan, costs)):
        return None
    return _mark(lineage, tables, plan, run_id)


def _mark(lineage: Lineage, tables: Mapping[str, Table], plan: Plan, run_id: str) -> str:
    with lease.held(run_id), transaction("loader") as cursor:
        marked = mark(cursor, lineage, tables, plan, run_id)
    rows = [f"{count:,} rows of {table}" for table, count in marked.items()]
    if not (plan.keys or any(marked.values())):
        return f"Nothing in raw belongs to {plan.words}, so nothing was marked."
    told = ", ".join([*rows, *(f"a key of {model}" for model in plan.keys)])
    return f"Marked: {told}. The next run builds and publishes what comes out otherwise."


def in_words(plan: Plan, costs: list[Cost]) -> str:
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
