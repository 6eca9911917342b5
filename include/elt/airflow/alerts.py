"""What Airflow calls so that people hear of runs: callbacks, a task for what they missed, a ping.

Callbacks are hints that a run should be looked at. The ping after each publication goes to a
dead-man switch: what notices that all of Airflow is dead. None of these does a task any harm.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

from airflow.sdk import Connection
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowNotFoundException

from elt.airflow.log_store import why_not_kept
from elt.airflow.views import VIEWS
from elt.alerting.channels import MAIL_ID, WEBHOOK_ID, find_channels, somebody_is_told
from elt.alerting.messages.blocks import is_url
from elt.alerting.notify import TIME_LIMITS, TimeLimits, notify_of_run
from elt.alerting.reconcile import RunSeen, reconcile
from elt.alerting.record_results import describe_error
from elt.alerting.run_facts import RunContext, RunState
from elt.alerting.slack.settings import CONNECTION_ID, ChannelError
from elt.errors import RetryLaterError
from elt.shop import SHOP
from elt.time_limit import within
from elt.transform.project import newest_manifest

log = logging.getLogger(__name__)

# a task that fails was held by its samples (2 s), its results (2 s) and its reason (1.5 s) before
TASK_TIME_LIMITS = TimeLimits(all=4)

NO_CONNECTION = (
    f"Airflow has no connection `{CONNECTION_ID}`. "
    "Make one of type Slack API (bot token) or Slack Incoming Webhook, "
    f"or `{MAIL_ID}` (SMTP) or `{WEBHOOK_ID}`."
)


def warn_without_slack(logger: logging.Logger = log) -> None:
    """Say in the log, once for a run, that a failure would reach nobody."""
    if not somebody_is_told():
        logger.warning("Nobody is told if this run fails: %s", NO_CONNECTION)


def notify_of_failed_run(
    context: Mapping[str, Any], *, manifest: Path | None = None, limits: TimeLimits = TIME_LIMITS
) -> None:
    """Bring Slack up to date on a run that failed. Never raises, and holds nobody over 10 s.

    Airflow calls this in the DAG processor when a run has failed, perhaps more than once, perhaps
    never.

    Args:
        manifest: dbt's manifest; by default the newest one beside the dbt project.
    """
    _notify(context, "failed", manifest, limits)


def notify_of_failed_task(
    context: Mapping[str, Any],
    *,
    manifest: Path | None = None,
    limits: TimeLimits = TASK_TIME_LIMITS,
) -> None:
    """The same for a task that failed for good, while its run goes on."""
    _notify(context, "running", manifest, limits)


def notify_of_good_run(
    context: Mapping[str, Any], *, manifest: Path | None = None, limits: TimeLimits = TIME_LIMITS
) -> None:
    """The same for a run that succeeded: what failed before is resolved."""
    _notify(context, "success", manifest, limits)


def _notify(
    context: Mapping[str, Any],
    state: RunState,
    manifest: Path | None,
    limits: TimeLimits,
) -> None:
    try:
        if not somebody_is_told():
            if state == "failed":
                log.warning("A run failed and nobody is told: %s", NO_CONNECTION)
            return
        about = read_context(context, state)
        notify_of_run(about, manifest or newest_manifest(), datetime.now(UTC), limits)
    except ChannelError as error:
        log.error("People were not told of the run: %s.", error)
    except Exception as error:
        log.error("People were not told of the run: %s", describe_error(error))


def read_context(context: Mapping[str, Any], state: RunState) -> RunContext:
    """Return what a callback is told; nothing but the run's id can be relied on.

    Args:
        state: of the run. While it runs, the callback is that of a task that has just failed.
    """
    ti = context.get("ti") or context.get("task_instance")
    dag_run = context.get("dag_run")
    run_id = str(
        context.get("run_id") or getattr(dag_run, "run_id", None) or getattr(ti, "run_id", "?")
    )
    dag_id = getattr(context.get("dag"), "dag_id", None) or getattr(ti, "dag_id", None) or "?"
    task_id = getattr(ti, "task_id", None)
    states = _task_states(ti, dag_id, run_id)
    if state == "running" and states is not None and task_id:
        # Airflow hears of it when its process has ended
        states = {**states, task_id: "failed"}
    return RunContext(
        dag_id=dag_id,
        run_id=run_id,
        reason=context.get("reason"),
        task_id=task_id if state != "success" else None,
        states=states,
        base_url=_base_url(ti),
        state=state,
        started_at=getattr(dag_run, "start_date", None),
    )


def _task_states(ti: Any, dag_id: str, run_id: str) -> dict[str, str] | None:
    """Return the state of each task of a run, or None where nobody answers."""
    try:
        states = ti.get_task_states(dag_id=dag_id, run_ids=[run_id])[run_id]
        return {task: str(state) for task, state in states.items()}
    except Exception as error:
        # `airflow dags test` runs the callback where nobody answers
        log.debug("Airflow can't be asked for the states of the tasks: %r", error)
        return None


def _base_url(ti: Any) -> str:
    """Return where people see Airflow, as its own log links have it."""
    before, dags, _ = str(getattr(ti, "log_url", "")).partition("/dags/")
    return before if dags else conf.get("api", "base_url", fallback="")


class RunsFromTask:
    """The runs of another DAG, asked for by a running task."""

    def __init__(self, ti: Any, dag_id: str, first_task: str) -> None:
        """``first_task``: a task that every run has; to ask for all of them would be much."""
        self._ti = ti
        self._dag_id = dag_id
        self._first_task = first_task

    def ids(self) -> list[str]:
        """Return the ids of all runs that Airflow remembers."""
        return list(self._ti.get_task_states(dag_id=self._dag_id, task_ids=[self._first_task]))

    def look(self, run_id: str) -> RunSeen | None:
        """Return a run, or None if it is gone meanwhile."""
        # Airflow offers tasks no public way to more than the state
        from airflow.sdk.execution_time.comms import DagRunResult, GetDagRun
        from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

        found = SUPERVISOR_COMMS.send(GetDagRun(dag_id=self._dag_id, run_id=run_id))
        if not isinstance(found, DagRunResult):
            return None
        is_scheduled = found.run_type == "scheduled"
        return RunSeen(
            run_id=run_id,
            state=str(getattr(found.state, "value", found.state)),
            started_at=found.start_date,
            ended_at=found.end_date,
            due_at=found.data_interval_end if is_scheduled else None,
        )

    def task_states(self, run_id: str) -> dict[str, str] | None:
        """Return task id → state of a run; None if it is gone meanwhile."""
        states = self._ti.get_task_states(dag_id=self._dag_id, run_ids=[run_id]).get(run_id)
        return None if states is None else {task: str(state) for task, state in states.items()}


FIRST_TASK = "begin_run"


def reconcile_runs(context: Mapping[str, Any]) -> list[str]:
    """Compare the runs with what was told, and tell the rest. Return the ids of the runs told."""
    ti, now, base_url = context["ti"], datetime.now(UTC), _base_url(context["ti"])
    manifest = newest_manifest()
    keep_numbers(now, base_url, manifest)
    return reconcile(
        SHOP.dag_id,
        RunsFromTask(ti, SHOP.dag_id, FIRST_TASK),
        now,
        base_url=base_url,
        manifest=manifest,
        why_logs_are_lost=why_not_kept,
    )


def keep_numbers(now: datetime, base_url: str, manifest: Path | None) -> None:
    """Say what the message of this morning is to show, where somebody wants it. Never raises."""
    # what a report is made of, which a file of DAGs does without
    from elt.reporting.morning import keep_morning

    try:
        channels = find_channels()
    except ChannelError:
        return  # said by whoever sends
    address = f"{base_url.rstrip('/')}{VIEWS[0].address}" if base_url else None
    keep_morning(channels, now, report_url=address, manifest=manifest)


DEAD_MAN_CONNECTION_ID = "greenery_dead_man"
PING_SECONDS = 2


def ping(seconds: float = PING_SECONDS) -> None:
    """Ask the URL in the connection's password, if there is one. Never raises, nor waits longer.

    Whoever knows the URL can keep the switch quiet, so no log has more of it than its host.
    """
    try:
        url = _dead_man_url()
        if url:
            log.info("%s", within(seconds, _request, url, seconds))
    except TimeoutError:
        log.warning("The dead-man switch did not answer within %g s.", seconds)
    except Exception as error:
        log.warning("The dead-man switch was not told: %s", describe_error(error))


def _dead_man_url() -> str | None:
    try:
        url: str | None = Connection.get(DEAD_MAN_CONNECTION_ID).password
    except AirflowNotFoundException:
        return None
    if not is_url(url):
        raise DeadManError(
            f"the password of the connection `{DEAD_MAN_CONNECTION_ID}` is no http(s) URL; "
            "put the whole address to ping there."
        )
    return url


class DeadManError(RetryLaterError):
    """The switch can't be told; the message says why, without the URL."""


def _request(url: str, seconds: float) -> str:
    try:
        host = urlsplit(url).hostname
    except ValueError:
        raise DeadManError("its URL can't be read.") from None
    try:
        with urlopen(url, timeout=seconds):
            return f"The dead-man switch at {host} knows of the publication."
    except HTTPError as error:
        with error:
            raise DeadManError(f"{host} answered HTTP {error.code}.") from None
    except URLError as error:
        if isinstance(error.reason, TimeoutError):
            raise error.reason from None
        raise DeadManError(f"{host} can't be reached: {error.reason}.") from None
    except (HTTPException, ValueError) as error:
        # what they say may repeat the URL
        raise DeadManError(f"{host} can't be asked: {type(error).__name__}.") from None
