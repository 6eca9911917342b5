"""The tasks of the DAGs that look after alerts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from elt.airflow.dag_runs import RunsFromTask
from elt.alerting import run_facts
from elt.alerting.reconcile import reconcile
from elt.shop import SHOP
from elt.transform.manifest import newest_manifest

FIRST_TASK = "begin_run"


def tell_what_was_not_told(context: Mapping[str, Any]) -> list[str]:
    """Compare the runs with what was told, and tell the rest. Return the ids of the runs told."""
    ti = context["ti"]
    return reconcile(
        SHOP.dag_id,
        RunsFromTask(ti, SHOP.dag_id, FIRST_TASK),
        datetime.now(UTC),
        base_url=run_facts.base_url(ti),
        manifest=newest_manifest(),
    )
