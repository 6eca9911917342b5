"""The incident that the logs of tasks can't be kept. It is of no run, and no run mends it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from elt.alerting import incidents
from elt.alerting.notify import plan_messages
from elt.alerting.report import LOST_LOGS, Failure, Report
from elt.alerting.run_facts import RunContext
from elt.alerting.slack import outbox
from elt.alerting.slack.settings import Channel


def plan(dag_id: str, channels: Sequence[Channel], reason: str | None, now: datetime) -> bool:
    """Say that logs can't be kept, or that they can again.

    Args:
        reason: why they can't, in a sentence; None if they can.
        now: UTC.

    Returns:
        Whether there was anything to say.
    """
    with outbox.short_transaction() as cursor:
        since = incidents.open_since_run(cursor, LOST_LOGS)
        if not reason and not since:
            return False
        failures = (Failure("logs", LOST_LOGS, reason, seen_at=now),) if reason else ()
        # the same as long as they are lost
        label = since or f"task logs since {now:%Y-%m-%dT%H:%M}"
        states = {} if reason else {LOST_LOGS: "success"}
        context = RunContext(dag_id, label, states=states, is_run=False)
        plan_messages(cursor, Report(context, now, failures, (), (), None), channels, {})
    return True
