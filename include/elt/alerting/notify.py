"""The one way a message goes: a run is looked at, incidents and messages are kept, Slack gets them.

Callbacks come this way as it happens, and ``reconcile`` later for what they missed, each within a
few seconds and whatever is broken. Only a warehouse that is down has another (warehouse_down).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from psycopg2.extensions import cursor as Cursor

from elt.alerting import incidents, run_facts, warehouse_down
from elt.alerting.channels import find_channels, find_slack
from elt.alerting.incidents import Incident
from elt.alerting.messages import message, thread
from elt.alerting.messages.blocks import line
from elt.alerting.messages.message import Story
from elt.alerting.messages.phrases import count, duration
from elt.alerting.record_results import describe_error
from elt.alerting.report import SLOW_RUN, Report, report_on
from elt.alerting.run_facts import RunContext
from elt.alerting.slack import delivery, outbox
from elt.alerting.slack.client import Slack
from elt.alerting.slack.settings import Channel
from elt.time_limit import Deadline, within
from elt.transform.lineage import Lineage

log = logging.getLogger(__name__)

# what is left of the time for writing down what Slack answered
SETTLE_SECONDS = 0.7


@dataclass(frozen=True)
class TimeLimits:
    """How long Slack and the warehouse may hold us, in seconds."""

    all: float = 9.5
    # for each of two transactions
    warehouse: float = 2.5
    # to look up whom to mention
    names: float = 1.5
    # to one call of Slack
    answer: float = 4


TIME_LIMITS = TimeLimits()


def notify_of_run(
    about: RunContext, manifest: Path | None, at: datetime, limits: TimeLimits = TIME_LIMITS
) -> bool:
    """Bring Slack up to date on a run: record, plan into the outbox, deliver what can go at once.

    Args:
        about: the run, as Airflow tells of it.
        manifest: dbt's, for what rests on what failed.
        at: when what is told was so, UTC: now, or the end of a run that is told late.
        limits: how long all this may take.

    Returns:
        Whether nothing can get lost any more: it is kept, or Slack has it.

    Raises:
        ChannelError: if the connection can't be used.
    """
    channels = find_channels()
    if not channels:
        return False
    slack = find_slack(channels)
    deadline = Deadline(limits.all)
    # as much as is known without the warehouse
    report = report_on(about, None, None, at)
    try:
        facts = within(deadline.left(limits.warehouse), _read_facts, about)
        if facts is None:
            return True
        report = report_on(about, facts, _read_lineage(manifest), at)
        mentions = _mentions(slack, report, deadline, limits)
        within(deadline.left(limits.warehouse), _plan, report, channels, mentions)
    except Exception as error:
        log.warning("The warehouse does not help to tell of the run: %s", describe_error(error))
        errors = warehouse_down.send_reports(report, channels, deadline)
        if errors is None:
            return False
        _log(about, errors)
        return not errors
    try:
        # Slack's last answer must still be written down
        of_slack = Deadline(deadline.left() - SETTLE_SECONDS)
        answer = limits.answer
        _log(about, within(deadline.left(), delivery.deliver, slack, of_slack, answer))
    except Exception as error:
        log.warning("What was not sent is kept and sent later: %s", describe_error(error))
    return True


def _read_facts(about: RunContext) -> run_facts.Facts | None:
    """Return what ``ops`` knows of a run; None: there is nothing to tell."""
    with outbox.short_transaction() as cursor:
        if about.state == "success" and incidents.is_quiet(cursor, about.run_id):
            incidents.record_notified(cursor, about)
            return None
        return run_facts.read_facts(cursor, about.run_id)


def _plan(report: Report, channels: Sequence[Channel], mentions: Mapping[str, str]) -> None:
    with outbox.short_transaction() as cursor:
        plan_messages(cursor, report, channels, mentions)
        incidents.record_notified(cursor, report.run)


def _mentions(
    channel: Channel | None, report: Report, deadline: Deadline, limits: TimeLimits
) -> dict[str, str]:
    owners = {failure.owner for failure in report.failures if failure.owner}
    if channel is None or not channel.is_bot or not owners:
        return {}

    def look_up() -> dict[str, str]:
        slack = Slack(channel, Deadline(limits.names), limits.answer)
        with outbox.short_transaction() as cursor:
            return delivery.mentions(slack, channel, owners, cursor)

    try:
        return within(deadline.left(limits.names), look_up)
    except Exception as error:
        log.info("Owners are named but not mentioned: %s", describe_error(error))
        return {}


def _log(about: RunContext, errors: list[str]) -> None:
    for error in errors:
        log.error("People were not told all about the run %s: %s", about.run_id, error)
    if not errors:
        log.info("People are up to date on the run %s.", about.run_id)


def _read_lineage(manifest: Path | None) -> Lineage | None:
    try:
        return Lineage.read(manifest) if manifest else None
    except (OSError, ValueError, KeyError) as error:
        log.warning("dbt's manifest could not be read: %s", error)
        return None


REMIND_AFTER = timedelta(days=1)


def plan_messages(
    cursor: Cursor, report: Report, channels: Sequence[Channel], mentions: Mapping[str, str]
) -> list[Incident]:
    """Bring incidents up to date and say what messages are to show.

    Args:
        cursor: of a transaction as the role loader.
        report: what is known of a run, or what is late.
        channels: the ways to people, each with its default and its routes.
        mentions: owner → how Slack calls them.

    Returns:
        The incidents that are other than before.
    """
    run_id = report.run.run_id
    incidents.lock_incidents(cursor)
    known = incidents.known_incidents(cursor, run_id)
    changed = incidents.after(report, known)
    incidents.save(cursor, changed)
    concerned = {incident.first_run_id for incident in changed}
    concerned |= {incident.first_run_id for incident in known if run_id in incident.run_ids}
    together = incidents.with_first_run(cursor, concerned)
    for channel in channels:
        for first_run_id in sorted(concerned):
            _plan_for(cursor, report, channel, first_run_id, together, mentions)
    return changed


def _plan_for(
    cursor: Cursor,
    report: Report,
    channel: Channel,
    first_run_id: str,
    together: Sequence[Incident],
    mentions: Mapping[str, str],
) -> None:
    """Say what the messages about what one run found are to show in the channels of one way."""
    for name in _channels(channel, [i for i in together if i.first_run_id == first_run_id]):
        ours = [i for i in together if name in channel.channels(i.owner, i.tags)]
        story = Story(
            report,
            tuple(i for i in ours if i.first_run_id == first_run_id),
            tuple(i for i in ours if i.first_run_id != first_run_id),
            mentions if channel.is_bot else {},
            channel.runbook_url,
        )
        if channel.is_bot:
            _enqueue(cursor, first_run_id, name, story)
        else:
            _enqueue_unchanging(cursor, channel, first_run_id, name, story)


def _channels(channel: Channel, together: list[Incident]) -> list[str | None]:
    names = [name for i in together for name in channel.channels(i.owner, i.tags)]
    return list(dict.fromkeys(names))


def _enqueue(cursor: Cursor, first_run_id: str, name: str | None, story: Story) -> None:
    key = outbox.alert_key(first_run_id, name)
    outbox.upsert(cursor, key, first_run_id, name, message.build(story))
    facts = story.report.facts
    results = {result.unique_id: result for _, _, result in (facts.results if facts else ())}
    for incident in message.by_weight(story.incidents)[: thread.MOST_REPLIES]:
        if incident.first_run_id == story.report.run.run_id and incident.is_open:
            reply = thread.build(incident, story.report, results.get(incident.unique_id or ""))
            _reply(cursor, key, first_run_id, name, "reply", incident.fingerprint, reply)
    rest = len(story.incidents) - thread.MOST_REPLIES
    if rest > 0 and story.open and story.report.run.state != "running":
        _reply(cursor, key, first_run_id, name, "reply", "more", thread.rest(rest, story.report))
    _remind(cursor, key, first_run_id, name, story)


def _remind(cursor: Cursor, key: str, run_id: str, name: str | None, story: Story) -> None:
    """Say once a day, in the thread, that it is still failing."""
    if not story.open:
        return
    first: datetime = min(incident.first_seen for incident in story.open)
    age = max(incident.last_seen for incident in story.open) - first
    if age < REMIND_AFTER:
        return
    runs = max(len(incident.run_ids) for incident in story.open)
    said = f"Still failing after {duration(age.total_seconds())}, {count(runs, 'run')}: "
    said += line(story.open[0].sentence)
    if rest := len(story.open) - 1:
        said += f", and {rest:,} more"
    said = "\n".join(
        [said, *filter(None, map(thread.who_looks, story.open[: thread.MOST_REPLIES]))]
    )
    _reply(cursor, key, run_id, name, "reminder", str(age.days), {"text": said})


def _reply(
    cursor: Cursor,
    key: str,
    run_id: str,
    name: str | None,
    kind: str,
    what: str,
    payload: Mapping[str, Any],
) -> None:
    reply_key = f"{kind}:{run_id}:{name}:{what}"
    outbox.upsert(cursor, reply_key, run_id, name, payload, kind=kind, parent_key=key, change=False)


def _enqueue_unchanging(
    cursor: Cursor, channel: Channel, first_run_id: str, name: str | None, story: Story
) -> None:
    """What is sent can't be changed there: one message at the end, one when all is mended.

    That a run takes too long can't wait for its end, and is a message of its own.
    """
    slow = tuple(i for i in story.incidents if i.fingerprint == SLOW_RUN)
    others = tuple(i for i in story.incidents if i.fingerprint != SLOW_RUN)
    if slow:
        story_of_slow = replace(story, incidents=slow)
        _enqueue_once(cursor, channel, first_run_id, name, "slow_", story_of_slow)
    if others and story.report.run.state != "running":
        _enqueue_once(cursor, channel, first_run_id, name, "", replace(story, incidents=others))


def _enqueue_once(
    cursor: Cursor, channel: Channel, first_run_id: str, name: str | None, about: str, story: Story
) -> None:
    key, address = f"{about}{outbox.alert_key(first_run_id, name)}", channel.address(name)
    built, kind = message.build(story), "alert"
    payload = channel.with_event(built, "trigger", key)
    if outbox.is_sent(cursor, key):
        if story.open:
            return
        payload = channel.with_event(built, "resolve", key)
        key, kind = f"{about}resolved:{first_run_id}:{name or 'webhook'}", "resolved"
    outbox.upsert(cursor, key, first_run_id, payload=payload, **address, kind=kind, change=False)
