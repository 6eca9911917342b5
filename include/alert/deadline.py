"""A run that takes too long: what Airflow's Deadline alert does about it, at the minute.

It is a hint as any callback is. In Airflow 3.3 it has only connections of its environment, and
those that are kept in Airflow's database are refused: then ``reconcile`` tells, some minutes later.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from airflow.sdk import DeadlineAlert, DeadlineReference, SyncCallback
from airflow.sdk.configuration import conf

from include.alert import incident_store
from include.alert.collect import in_words
from include.alert.hint import Hint
from include.alert.tell import CONNECT_SECONDS, PATIENCE, Patience, tell
from include.alert.watchdog import most_time
from include.transform.manifest import newest_manifest
from include.warehouse.connection import transaction

log = logging.getLogger(__name__)


def run_deadline() -> DeadlineAlert:
    """Return the deadline of a run, counted from when it was asked for.

    Its callback runs in the executor, as a task does, so no triggerer is needed.
    """
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=most_time(),
        callback=SyncCallback(tell_of_slow_run),
        name="The run takes too long",
    )


def tell_of_slow_run(
    context: Mapping[str, Any], *, manifest: Path | None = None, patience: Patience = PATIENCE
) -> None:
    """Say in Slack that a run takes too long. Never raises.

    Args:
        context: Airflow's: the run as its REST API shows it, and its deadline.
        manifest: dbt's manifest; by default the newest one beside the dbt project.
    """
    try:
        about = _hint(context["dag_run"])
        # a deadline outlives a run that failed before it, and the callback may come late
        if context["dag_run"]["state"] in ("queued", "running") and not _is_told_to_be_over(about):
            tell(about, manifest or newest_manifest(), patience)
    except Exception as error:
        log.error("Slack was not told that the run takes too long: %s", in_words(error))


def _hint(run: Mapping[str, Any]) -> Hint:
    started_at = run.get("start_date")
    return Hint(
        dag_id=run["dag_id"],
        run_id=run["dag_run_id"],
        base_url=conf.get("api", "base_url", fallback=""),
        state="running",
        started_at=datetime.fromisoformat(started_at) if started_at else None,
        longer_than=most_time(),
    )


def _is_told_to_be_over(about: Hint) -> bool:
    try:
        with transaction("loader", timeout_seconds=CONNECT_SECONDS) as cursor:
            return incident_store.told(cursor).get(about.run_id) in ("success", "failed")
    except Exception as error:
        log.warning("It is not known whether people know that the run is over: %s", in_words(error))
        return False
