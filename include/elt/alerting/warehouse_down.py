"""The one other way of a message: while the warehouse is down, nothing can be kept in it.

What Airflow knows is sent at once then, under the key that the message has anyhow. So a bot finds
it in its channel instead of sending it again, and goes on with it as soon as the warehouse is back.
A webhook can't look; so Airflow remembers the runs that people know.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import Variable

from elt.alerting import incidents
from elt.alerting.channels import send
from elt.alerting.messages import message
from elt.alerting.messages.message import Story
from elt.alerting.report import Failure, Report
from elt.alerting.slack import delivery, outbox
from elt.alerting.slack.client import Slack
from elt.alerting.slack.settings import Channel
from elt.time_limit import Deadline

NOTIFIED_VARIABLE = "greenery_alert_told"
MOST_RUNS = 100
# for one way to people
ANSWER_SECONDS = 4
UNKNOWN = Failure("run", "run:failed", "What failed is not known")


def send_reports(
    report: Report, channels: Sequence[Channel], deadline: Deadline
) -> list[str] | None:
    """Tell of a run that fails by each way to people, unless it is known there already.

    Args:
        report: as much as could be learned of the run.
        channels: the ways.
        deadline: of all calls together.

    Returns:
        What was said against it; None: the run is none to tell of now.
    """
    told = [_send_report(report, channel, deadline) for channel in channels]
    errors = [said for said in told if said is not None]
    return [error for error in errors if error] if errors else None


def _send_report(report: Report, channel: Channel, deadline: Deadline) -> str | None:
    about = report.run
    if about.state == "success":
        return None
    has_news = about.longer_than or (about.failed_tasks and channel.is_bot)
    if about.state == "running" and not has_news:
        return None
    # nobody knows what was told before
    found = incidents.after(report, []) or [incidents.new(UNKNOWN, about.run_id, report.at)]
    key = outbox.alert_key(about.run_id, channel.name)
    payload = message.build(Story(report, tuple(found), runbook_url=channel.runbook_url))
    return send_unkept(channel, key, channel.with_event(payload, "trigger", key), deadline)


def send_unkept(channel: Channel, key: str, payload: Mapping[str, Any], deadline: Deadline) -> str:
    """Send a message that can't be kept, unless Slack shows it already. Return the error, or "".

    Args:
        channel: where it goes.
        key: the message's; a bot looks for it among those of the last two days.
        payload: the message as it was built.
        deadline: of all calls together.
    """
    if not channel.is_slack and channel.name:
        return send(channel.name, payload, deadline.left(ANSWER_SECONDS)).error or ""
    slack = Slack(channel, deadline)
    if channel.is_bot and channel.name:
        slack_channel, _ = delivery.channel_id(slack, channel.name, None)
        if slack_channel:
            found = slack.find(slack_channel, key, time.time() - delivery.LOOK_BACK_SECONDS)
            if found.answer:
                return ""
    return slack.post(channel.name, payload, key=key).error or ""


def remembered_states() -> dict[str, str]:
    """Return run id → the state in which people know it."""
    states: dict[str, str] = json.loads(Variable.get(NOTIFIED_VARIABLE, default="{}"))
    return states


def remember_states(notified: Mapping[str, str]) -> None:
    """Have Airflow remember the runs that people know, the last ones of a mapping in their order.

    Args:
        notified: run id → state, those that people heard of last at its end.
    """
    newest = dict(list(notified.items())[-MOST_RUNS:])
    if newest != remembered_states():
        Variable.set(
            NOTIFIED_VARIABLE, json.dumps(newest), description="Runs that people were told of."
        )
