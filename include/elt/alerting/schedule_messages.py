"""From a report on a run to what each message is to show. Writes to ``ops``, asks nobody else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from psycopg2.extensions import cursor as Cursor

from elt.alerting import incident_store, incidents
from elt.alerting.incidents import Incident
from elt.alerting.messages import message, thread
from elt.alerting.messages.blocks import line
from elt.alerting.messages.message import Story
from elt.alerting.messages.phrases import count, duration
from elt.alerting.report import SLOW_RUN, Failure, Report
from elt.alerting.slack import outbox
from elt.alerting.slack.settings import Channel

REMIND_AFTER = timedelta(days=1)


def alert_key(run_id: str, channel: str | None) -> str:
    """Return the key of the message about what a run found: the same however often it is told."""
    return f"alert:{run_id}:{channel or 'webhook'}"


def plan(
    cursor: Cursor, report: Report, channel: Channel, mentions: Mapping[str, str]
) -> list[Incident]:
    """Bring incidents up to date and say what messages are to show. Return what changed."""
    run_id = report.hint.run_id
    incident_store.one_at_a_time(cursor)
    known = incident_store.known(cursor, run_id)
    changed = incidents.after(report, known)
    incident_store.keep(cursor, changed)
    touched = {incident.first_run_id for incident in changed}
    touched |= {incident.first_run_id for incident in known if run_id in incident.run_ids}
    together = incident_store.with_first_run(cursor, touched)
    for first_run_id in sorted(touched):
        for name in _channels(channel, [i for i in together if i.first_run_id == first_run_id]):
            ours = [i for i in together if name in channel.channels(i.owner, i.tags)]
            story = Story(
                report,
                tuple(i for i in ours if i.first_run_id == first_run_id),
                tuple(i for i in ours if i.first_run_id != first_run_id),
                mentions,
                channel.runbook_url,
            )
            if channel.is_bot:
                _wish(cursor, first_run_id, name, story)
            else:
                _wish_of_webhook(cursor, first_run_id, story)
    return changed


def story_without_memory(report: Report, channel: Channel) -> Story:
    """Return the story of a run where the warehouse can't be asked what was told before."""
    return Story(
        report,
        tuple(incidents.after(report, [])) or (_ended(report),),
        runbook_url=channel.runbook_url,
    )


def _ended(report: Report) -> Incident:
    unknown = Failure("run", "run:failed", "What failed is not known")
    return incidents.new(unknown, report.hint.run_id, report.at)


def _channels(channel: Channel, together: list[Incident]) -> list[str | None]:
    names = [name for i in together for name in channel.channels(i.owner, i.tags)]
    return list(dict.fromkeys(names))


def _wish(cursor: Cursor, first_run_id: str, name: str | None, story: Story) -> None:
    key = alert_key(first_run_id, name)
    outbox.wish(cursor, key, first_run_id, name, message.build(story))
    facts = story.report.facts
    results = {result.unique_id: result for _, _, result in (facts.results if facts else ())}
    for incident in message.by_weight(story.incidents)[: thread.MOST_REPLIES]:
        if incident.first_run_id == story.report.hint.run_id and incident.is_open:
            reply = thread.build(incident, story.report, results.get(incident.unique_id or ""))
            _reply(cursor, key, first_run_id, name, "reply", incident.fingerprint, reply)
    rest = len(story.incidents) - thread.MOST_REPLIES
    if rest > 0 and story.open and story.report.hint.state != "running":
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
    _reply(cursor, key, run_id, name, "reminder", str(age.days), {"text": said})


def _reply(
    cursor: Cursor, key: str, run_id: str, name: str | None, kind: str, what: str, payload: Mapping
) -> None:
    reply_key = f"{kind}:{run_id}:{name}:{what}"
    outbox.wish(cursor, reply_key, run_id, name, payload, kind=kind, parent_key=key, change=False)


def _wish_of_webhook(cursor: Cursor, first_run_id: str, story: Story) -> None:
    """A webhook can't change what it sent: one message at the end, one when all is mended.

    That a run takes too long can't wait for its end, and is a message of its own.
    """
    slow = tuple(i for i in story.incidents if i.fingerprint == SLOW_RUN)
    others = tuple(i for i in story.incidents if i.fingerprint != SLOW_RUN)
    if slow:
        _wish_once(cursor, first_run_id, "slow_", replace(story, incidents=slow))
    if others and story.report.hint.state != "running":
        _wish_once(cursor, first_run_id, "", replace(story, incidents=others))


def _wish_once(cursor: Cursor, first_run_id: str, about: str, story: Story) -> None:
    key, payload = f"{about}{alert_key(first_run_id, None)}", message.build(story)
    cursor.execute(
        "select from ops.notification where notification_key = %s and sent_version is not null",
        (key,),
    )
    was_told = cursor.rowcount == 1
    if not was_told:
        outbox.wish(cursor, key, first_run_id, None, payload, change=False)
    elif not story.open:
        resolved = f"{about}resolved:{first_run_id}:webhook"
        outbox.wish(cursor, resolved, first_run_id, None, payload, kind="resolved", change=False)
