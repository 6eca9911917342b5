"""Airflow's callbacks: hints that a run should be looked at. They never do any harm."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from elt.alerting import run_facts
from elt.alerting.notify import TIME_LIMITS, TimeLimits, notify_of_run
from elt.alerting.record_results import describe_error
from elt.alerting.slack.settings import CONNECTION_ID, SlackSettingsError, slack_is_configured
from elt.transform.manifest import newest_manifest

log = logging.getLogger(__name__)

# a task that fails was held by its samples (2 s), its results (2 s) and its reason (1.5 s) before
TASK_PATIENCE = TimeLimits(all=4)

NO_CONNECTION = (
    f"Airflow has no connection `{CONNECTION_ID}`. "
    "Make one of type Slack API (bot token) or Slack Incoming Webhook."
)


def warn_if_nobody_is_told(logger: logging.Logger = log) -> None:
    """Say in the log, once for a run, that a failure would reach nobody."""
    if not slack_is_configured():
        logger.warning("Nobody is told if this run fails: %s", NO_CONNECTION)


def tell_of_failed_run(
    context: Mapping[str, Any], *, manifest: Path | None = None, patience: TimeLimits = TIME_LIMITS
) -> None:
    """Bring Slack up to date on a run that failed. Never raises, and holds nobody over 10 s.

    Airflow calls this in the DAG processor when a run has failed, perhaps more than once, perhaps
    never.

    Args:
        manifest: dbt's manifest; by default the newest one beside the dbt project.
    """
    _tell(context, "failed", manifest, patience)


def tell_of_failed_task(
    context: Mapping[str, Any],
    *,
    manifest: Path | None = None,
    patience: TimeLimits = TASK_PATIENCE,
) -> None:
    """The same for a task that failed for good, while its run goes on."""
    _tell(context, "running", manifest, patience)


def tell_of_good_run(
    context: Mapping[str, Any], *, manifest: Path | None = None, patience: TimeLimits = TIME_LIMITS
) -> None:
    """The same for a run that succeeded: what failed before is resolved."""
    _tell(context, "success", manifest, patience)


def _tell(
    context: Mapping[str, Any],
    state: run_facts.RunState,
    manifest: Path | None,
    patience: TimeLimits,
) -> None:
    try:
        if not slack_is_configured():
            if state == "failed":
                log.warning("A run failed and nobody is told: %s", NO_CONNECTION)
            return
        about = run_facts.read_context(context, state)
        notify_of_run(about, manifest or newest_manifest(), datetime.now(UTC), patience)
    except SlackSettingsError as error:
        log.error("Slack was not told of the run: %s.", error)
    except Exception as error:
        log.error("Slack was not told of the run: %s", describe_error(error))
