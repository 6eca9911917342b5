"""Who looks at what fails: kept with the incident, told in the thread of its message.

A command writes it down. What tells it looks for what was not told, so that a Slack that is down,
or a command that knows of none, loses nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg2.extensions import cursor as Cursor

from elt.alerting import incidents
from elt.alerting.channels import find_channels, find_slack
from elt.alerting.incidents import Incident
from elt.alerting.messages import thread
from elt.alerting.messages.blocks import instant
from elt.alerting.messages.phrases import listed
from elt.alerting.record_results import describe_error
from elt.alerting.redact import shorten
from elt.alerting.slack import delivery, outbox
from elt.alerting.slack.settings import Channel, ChannelError
from elt.errors import FinalError
from elt.time_limit import Deadline, within
from elt.warehouse.connection import transaction
from elt.warehouse.rows import first_row

log = logging.getLogger(__name__)

# what was acknowledged longer ago was told
LOOK_BACK = timedelta(days=2)
SLACK_SECONDS = 8
NAME_LIMIT, NOTE_LIMIT = 80, 300
LATER = "Its thread says so within five minutes."


class AcknowledgeError(FinalError):
    """There is no such incident to look at; the message says which there are."""


@dataclass(frozen=True)
class _Known:
    sentence: str
    acknowledged_by: str | None
    resolved_at: datetime | None


def acknowledge(number: int, by: str, note: str = "") -> str:
    """Write down who looks at an incident, in the place of who did before.

    Args:
        number: of the incident, as its message calls it.
        by: a name, for everybody to read.
        note: what that person says of it.

    Returns:
        In words, who looks at what.

    Raises:
        AcknowledgeError: if nothing of that number fails.
    """
    by, note = (" ".join(text.split()) for text in (by, note))
    with transaction("loader") as cursor:
        # who looks at a run at this moment does not miss it
        incidents.lock_incidents(cursor)
        cursor.execute(
            "select sentence, acknowledged_by, resolved_at from ops.incident where number = %s",
            (number,),
        )
        known = first_row(cursor, _Known)
        if known is None or known.resolved_at is not None:
            raise AcknowledgeError(_refusal(number, known, incidents.open_incidents(cursor)))
        cursor.execute(
            "update ops.incident set acknowledged_by = %s, note = %s, "
            "acknowledged_at = clock_timestamp() where number = %s",
            (shorten(by, NAME_LIMIT), shorten(note, NOTE_LIMIT) or None, number),
        )
    before = known.acknowledged_by
    instead = f", and {before} no longer" if before and before != by else ""
    return f"{by} looks at #{number}{instead}: {known.sentence}"


def _refusal(number: int, known: _Known | None, still_open: list[Incident]) -> str:
    what = f"There is no incident {number}"
    if known and known.resolved_at:
        what = f"Incident {number} was mended on {instant(known.resolved_at)}"
    if not still_open:
        return f"{what}, and nothing fails now."
    others = listed([f"#{one.number} ({one.sentence})" for one in still_open], 10)
    verb = "is" if len(still_open) == 1 else "are"
    return f"{what}; open {verb} {others}."


def tell() -> str:
    """Tell people at once, if they can be told from here, and return in words how that went."""
    try:
        channels = find_channels()
        if not channels:
            return LATER
        with outbox.short_transaction() as cursor:
            plan_replies(cursor, channels)
        slack = find_slack(channels)
        # of its own: the last answer must still be written down
        errors = within(
            SLACK_SECONDS + 1, delivery.deliver, slack, Deadline(SLACK_SECONDS), SLACK_SECONDS / 2
        )
    except ChannelError as error:
        return f"Nobody was told: {error}."
    except Exception as error:
        log.info("People are told later: %s", describe_error(error))
        return LATER
    return f"The thread says so later: {errors[0]}" if errors else "Its thread says so."


def plan_replies(cursor: Cursor, channels: Sequence[Channel]) -> None:
    """Say what the threads of messages are to show of who looks at them. Safe to repeat.

    Args:
        cursor: of a transaction as the role loader.
        channels: the ways to people; their routes say where an incident is told.
    """
    for incident in incidents.acknowledged_since(cursor, LOOK_BACK):
        reply = thread.acknowledged(incident)
        for channel in channels:
            for name in channel.channels(incident.owner, incident.tags):
                message = outbox.alert_key(incident.first_run_id, name)
                if outbox.is_kept(cursor, message):
                    outbox.upsert(
                        cursor,
                        f"ack:{incident.number}:{incident.acknowledged_at:%Y-%m-%dT%H:%M:%S.%f}"
                        f":{name}",
                        incident.first_run_id,
                        payload=channel.with_event(reply, "acknowledge", message),
                        **channel.address(name),
                        kind="reply",
                        # others have no threads
                        parent_key=message if channel.is_bot else None,
                        change=False,
                    )
