"""The tasks of the DAG that asks a person whether to publish all the same."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Param, XComArg, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

from elt.airflow.assets import QUESTION
from elt.airflow.dbt_tasks import manifest_path
from elt.airflow.run_tasks import final
from elt.alerting import question
from elt.shop import SHOP
from elt.transform.lineage import Lineage

log = logging.getLogger(__name__)

YES, NO = "Yes", "No"


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
