"""The tasks of the DAGs by which an operator decides what marts show."""

from __future__ import annotations

import logging
from typing import Any

from airflow.sdk import get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

from elt.airflow.dbt_tasks import manifest_path
from elt.airflow.run_tasks import executor_with_the_report, final
from elt.publishing import rollback
from elt.publishing.rollback import roll_back
from elt.reporting.write import refresh_report
from elt.transform import overrides, rebuild
from elt.transform.lineage import Lineage
from elt.warehouse.connection import transaction
from elt.warehouse.migrate import migrate

log = logging.getLogger(__name__)


@task(executor=executor_with_the_report())
@final
def roll_back_marts() -> str:
    """Show the publication before the last one again, once that is confirmed."""
    migrate()
    params = get_current_context()["params"]
    if not params["confirm"]:
        raise AirflowFailException(
            "Nothing was done: set the parameter `confirm`. Marts will then show the publication "
            "before the last one, and nothing is published until the DAG `release` is triggered."
        )
    outcome = roll_back(_by(), params["reason"])
    refresh_report()
    return outcome


@task(executor=executor_with_the_report())
@final
def release_marts() -> str:
    """Let the next run publish again."""
    migrate()
    outcome = rollback.release(_by())
    refresh_report()
    log.info("%s", outcome)
    return outcome


@task
@final
def decide_on_test() -> str:
    """Let a failing test through for a while, or no longer, or list what is let through."""
    migrate()
    params = get_current_context()["params"]
    with transaction("loader") as cursor:
        outcome = overrides.decide(
            cursor,
            Lineage.read(manifest_path()) if params["test"] else None,
            params["test"],
            reason=params["reason"],
            by=_by(),
            day=params["until"],
            is_over=params["end"],
        )
    log.info("%s", outcome)
    return outcome


@task
@final
def mark_for_rebuild() -> str:
    """Have the next run build a day, or a key of a model, anew, once that is confirmed."""
    migrate()
    params = get_current_context()["params"]

    def confirm(cost: str) -> bool:
        log.info("%s", cost)
        return bool(params["confirm"])

    outcome = rebuild.request_rebuild(
        Lineage.read(manifest_path()),
        day=params["day"],
        model=params["model"],
        key=params["key"],
        confirm=confirm,
    )
    return outcome or "Nothing was done: the log says what it costs; set `confirm` to have it done."


def _by() -> str | None:
    """Return who asks: the name given, else the user who triggered the run."""
    context: Any = get_current_context()
    return context["params"]["by"] or getattr(context["dag_run"], "triggering_user_name", None)
