"""Compare what Airflow says of runs with what people were notified of, and notify them of the rest.

Airflow's callbacks get lost, and do not come at all when a process was killed. So they are hints;
this is what can be relied on. It works while the warehouse is down, too: Airflow itself remembers
the runs that people were notified of.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from elt.alerting import acknowledge, incidents, lost_logs, warehouse_down
from elt.alerting.channels import find_channels, find_slack
from elt.alerting.daily_digest import keep_digest
from elt.alerting.messages.phrases import duration
from elt.alerting.notify import TIME_LIMITS, notify_of_run, plan_messages
from elt.alerting.record_results import describe_error
from elt.alerting.report import Failure, Report
from elt.alerting.run_facts import RunContext
from elt.alerting.slack import delivery, outbox
from elt.alerting.slack.settings import Channel
from elt.time_limit import Deadline
from elt.warehouse.rows import value_or_none

log = logging.getLogger(__name__)

# the DAG runs daily; a run takes minutes
EVERY = timedelta(days=1)
GRACE = timedelta(minutes=30)
MOST_AGE = EVERY + timedelta(hours=2)
# of a run
MOST_TIME = timedelta(hours=2)


def _hours(name: str, default: timedelta) -> timedelta:
    """Return a time that an environment variable gives in hours; what is no such time is logged."""
    said = os.environ.get(name)
    try:
        hours = timedelta(hours=float(said)) if said else default
        if hours > timedelta(0):
            return hours
    except (ValueError, OverflowError):
        pass
    usual = duration(default.total_seconds())
    log.warning("%s=%s is no number of hours above 0, so it is %s.", name, said, usual)
    return default


def most_age() -> timedelta:
    """Return how old the last publication may become."""
    return _hours("GREENERY_LATE_HOURS", MOST_AGE)


def most_time() -> timedelta:
    """Return how long a run may take."""
    return _hours("GREENERY_RUN_HOURS", MOST_TIME)


def late(
    now: datetime,
    published_at: datetime | None,
    newest_due_at: datetime | None,
    at_work: bool,
    most_age: timedelta = MOST_AGE,
) -> list[Failure]:
    """Return what is late at a moment; times are UTC.

    Args:
        published_at: of the last publication; None: nothing was ever published, so nobody waits.
        newest_due_at: when the newest scheduled run was due; None: no run was ever scheduled.
        at_work: whether a run is at work or waits to begin.
        most_age: how old the last publication may become.
    """
    found = []
    if newest_due_at and now > newest_due_at + EVERY + GRACE and not at_work:
        due = newest_due_at + EVERY
        sentence = (
            f"The run that was due on {due:%-d %b %Y at %H:%M} UTC has not begun. "
            "Is the DAG paused, or the scheduler down?"
        )
        found.append(Failure("late", "late:begin", sentence, seen_at=now))
    if published_at and now - published_at > most_age:
        age = duration((now - published_at).total_seconds())
        limit = duration(most_age.total_seconds())
        sentence = f"Nothing was published for {age}; {limit} is the most it may be"
        found.append(Failure("late", "late:publication", sentence, seen_at=now))
    return found


# what ended longer ago was told, or nobody wants to hear of it any more
LOOK_BACK = timedelta(days=2)
# a run that was told may be cleared, and end otherwise
NEWEST = 14
# all of it; a task has time, but must come to an end
SECONDS = 120
FINAL = ("success", "failed")


@dataclass(frozen=True)
class RunSeen:
    """A run as Airflow knows it. Times are UTC."""

    run_id: str
    # queued, running, success, failed
    state: str
    started_at: datetime | None
    ended_at: datetime | None
    # when a scheduled run was due; None for a run that somebody started
    due_at: datetime | None = None


class Runs(Protocol):
    """The runs of one DAG."""

    def ids(self) -> list[str]:
        """Return the ids of all runs that Airflow remembers."""

    def look(self, run_id: str) -> RunSeen | None:
        """Return a run, or None if it is gone meanwhile."""

    def task_states(self, run_id: str) -> dict[str, str] | None:
        """Return task id → state of a run."""


def reconcile(
    dag_id: str,
    runs: Runs,
    now: datetime,
    *,
    base_url: str = "",
    manifest: Path | None = None,
    why_logs_are_lost: Callable[[], str | None] = lambda: None,
) -> list[str]:
    """Notify people of what they missed, and send what was not sent. Return the runs' ids.

    Args:
        now: UTC.
        base_url: where people see Airflow.
        manifest: dbt's.
        why_logs_are_lost: says in a sentence why the logs of tasks can't be kept, or None if they
            can. It is asked when all runs were told, since it may take long.
    """
    channels = find_channels()
    if not channels:
        return []
    notified, has_warehouse = _notified_states()
    seen = _look(runs, notified)
    to_notify = order(seen, notified, now)
    contexts = {run.run_id: _context(dag_id, run, runs, base_url, now) for run in to_notify}
    known = [
        run
        for run in to_notify
        if notify_of_run(contexts[run.run_id], manifest, run.ended_at or now, TIME_LIMITS)
    ]
    warehouse_down.remember_states({**notified, **{run.run_id: run.state for run in known}})
    if has_warehouse:
        _skip_old(dag_id, seen, notified, to_notify)
        _plan_lateness(dag_id, channels, seen, now)
        _plan_acknowledgements(channels)
        _keep_digest(dag_id, channels, now, base_url, manifest)
        _deliver(channels)
        if lost_logs.plan(dag_id, channels, why_logs_are_lost(), now):
            _deliver(channels)
    return [run.run_id for run in to_notify]


def order(seen: Iterable[RunSeen], notified: Mapping[str, str], now: datetime) -> list[RunSeen]:
    """Return the runs to tell, oldest first.

    A run that is told late is followed by all later ones, for they may have mended it. A run that
    was never told and ended long ago is left alone.
    """
    in_turn = sorted(seen, key=lambda run: (run.started_at or now, run.run_id))
    found: list[RunSeen] = []
    for run in in_turn:
        if run.state == "running":
            found.append(run)
        elif run.state in FINAL:
            is_known = notified.get(run.run_id) == run.state
            is_old = run.run_id not in notified and now - (run.ended_at or now) > LOOK_BACK
            if (not is_known and not is_old) or (is_known and found):
                found.append(run)
    return found


def _look(runs: Runs, notified: Mapping[str, str]) -> list[RunSeen]:
    """Return the newest runs, and those that nobody was ever told of."""
    ids = sorted(runs.ids(), key=start_in_id)
    wanted = dict.fromkeys([*(run_id for run_id in ids if run_id not in notified), *ids[-NEWEST:]])
    seen = [runs.look(run_id) for run_id in wanted]
    return [run for run in seen if run]


def _context(dag_id: str, run: RunSeen, runs: Runs, base_url: str, now: datetime) -> RunContext:
    most = most_time()
    is_slow = run.state == "running" and run.started_at and now - run.started_at > most
    return RunContext(
        dag_id=dag_id,
        run_id=run.run_id,
        states=runs.task_states(run.run_id),
        base_url=base_url,
        state=run.state,  # type: ignore[arg-type]  # of one to tell: never "queued"
        started_at=run.started_at,
        longer_than=most if is_slow else None,
    )


def _notified_states() -> tuple[dict[str, str], bool]:
    """Return run id → state that people know, and whether the warehouse could be asked."""
    try:
        with outbox.short_transaction() as cursor:
            return incidents.notified_states(cursor), True
    except Exception as error:
        log.warning("Only what was remembered is known to be told: %s", describe_error(error))
        return warehouse_down.remembered_states(), False


def _skip_old(
    dag_id: str, seen: list[RunSeen], notified: Mapping[str, str], to_notify: list[RunSeen]
) -> None:
    """Have runs that ended before all this was there not looked at each time."""
    old = [r for r in seen if r.state in FINAL and r.run_id not in notified and r not in to_notify]
    with outbox.short_transaction() as cursor:
        for run in old:
            context = RunContext(
                dag_id,
                run.run_id,
                state=run.state,  # type: ignore[arg-type]  # one of FINAL
                started_at=run.started_at,
            )
            incidents.record_notified(cursor, context)


def _plan_lateness(
    dag_id: str, channels: Sequence[Channel], seen: list[RunSeen], now: datetime
) -> None:
    with outbox.short_transaction() as cursor:
        # while an older publication is pinned nobody waits for a newer one
        cursor.execute(
            "select published_at from ops.publication "
            "where not exists (select from ops.pin where released_at is null) "
            "order by publication_id desc limit 1"
        )
        published_at = value_or_none(cursor, datetime)
        failures = late(
            now,
            published_at,
            max((run.due_at for run in seen if run.due_at), default=None),
            any(run.state in ("queued", "running") for run in seen),
            most_age(),
        )
        if failures:
            # the same as long as nothing is published
            since = f"{published_at:%Y-%m-%dT%H:%M:%S}" if published_at else "ever"
            context = RunContext(dag_id, f"late since {since}", is_run=False)
            plan_messages(cursor, Report(context, now, tuple(failures), (), (), None), channels, {})


def _deliver(channels: Sequence[Channel]) -> None:
    for error in delivery.deliver(find_slack(channels), Deadline(SECONDS)):
        log.error("Somebody was not told: %s", error)


def _plan_acknowledgements(channels: Sequence[Channel]) -> None:
    with outbox.short_transaction() as cursor:
        acknowledge.plan_replies(cursor, channels)


def _keep_digest(
    dag_id: str, channels: Sequence[Channel], now: datetime, base_url: str, manifest: Path | None
) -> None:
    runs_url = f"{base_url}/dags/{dag_id}/runs" if base_url else None
    try:
        for channel in channels:
            keep_digest(channel, now, runs_url=runs_url, manifest=manifest)
    except Exception as error:
        # failures wait to be sent, and weigh more
        log.error("The daily digest of warnings is not made: %s", describe_error(error))


def start_in_id(run_id: str) -> str:
    """Return the time in a run's id (manual__2026-…): later ids sort later."""
    return run_id.partition("__")[2]
