"""The tasks of the DAGs by which a person decides what marts show: by hand, or when asked."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Param, XComArg, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from elt.airflow.assets import QUESTION
from elt.airflow.dbt_tasks import manifest_path
from elt.airflow.run_tasks import executor_with_the_report, final
from elt.alerting import question
from elt.publishing import rollback
from elt.publishing.rollback import roll_back
from elt.reporting.write import refresh_report
from elt.shop import SHOP
from elt.transform import overrides, rebuild
from elt.transform.lineage import Lineage
from elt.warehouse.connection import transaction
from elt.warehouse.migrate import migrate

log = logging.getLogger(__name__)

YES, NO = "Yes", "No"


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


def ask_person() -> HITLOperator:
    """Return the task that waits for an answer. It holds no worker meanwhile."""
    event = f"triggering_asset_events.for_asset(name={QUESTION.name!r})[-1]"
    return HITLOperator(
        task_id="ask",
        subject="Publish all the same?",
        body=f"{{{{ {event}.extra.facts }}}}",
        options=[NO, YES],
        # what silence means
        defaults=NO,
        params={"note": Param("", type="string", description="Why, for everybody to read.")},
        # this is read where nobody is to be asked, too
        response_timeout=question.time_to_answer() or timedelta(hours=1),
    )


@task
@final
def take_answer(said: dict[str, Any]) -> dict[str, list[str]]:
    """Write down what was answered, and return with which parameters a yes starts a run."""
    asked = get_current_context()["triggering_asset_events"][QUESTION][-1].extra
    answered = question.answer(
        asked["question_id"],
        Lineage.read(manifest_path()),
        is_yes=said["chosen_options"] == [YES],
        by=(said["responded_by_user"] or {}).get("name"),
        note=said["params_input"].get("note", ""),
    )
    if not answered.is_yes:
        raise AirflowSkipException("The answer is no: all stays as it is.")
    return {"confirm_shrunk": answered.tables}


def run_again(params: XComArg) -> TriggerDagRunOperator:
    """Return the task that starts a daily run with parameters."""
    return TriggerDagRunOperator(
        task_id="run_again",
        trigger_dag_id=SHOP.dag_id,
        logical_date=None,
        conf=params,  # type: ignore[arg-type]  # a field that may be another task's output
    )


def _by() -> str | None:
    """Return who asks: the name given, else the user who triggered the run."""
    context: Any = get_current_context()
    return context["params"]["by"] or getattr(context["dag_run"], "triggering_user_name", None)
