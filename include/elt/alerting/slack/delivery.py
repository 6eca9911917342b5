"""Sending what ``ops.notification`` says, by one process at a time.

A message that Slack has is changed in place. One whose answer was lost is looked up by its key
before it is sent again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from elt.alerting.slack import outbox
from elt.alerting.slack.client import Slack
from elt.alerting.slack.lookup import channel_id
from elt.alerting.slack.outbox import Row
from elt.alerting.slack.result import Outcome
from elt.alerting.slack.settings import Channel
from elt.alerting.time_limit import Deadline

log = logging.getLogger(__name__)

# how long to wait for another process that sends: it sees our messages too
WAIT_FOR_SENDER_SECONDS = 3
# a call whose answer was lost may still be at work in Slack
UNCLEAR_SECONDS = 60
LONGEST_WAIT_SECONDS = 900
# a message that Slack has may be older than its row: sent while the warehouse was down
LOOK_BACK_SECONDS = 2 * 86_400
# nothing can be written there, whatever it is
ABOUT_THE_CHANNEL = {"channel_not_found", "not_in_channel", "is_archived", "channel_is_archived"}
# the app lacks a scope: then a message is sent rather than lost
MAY_NOT_LOOK = {"missing_scope", "not_allowed_token_type", "method_not_supported_for_channel_type"}
GONE = {"message_not_found", "cant_update_message"}


def deliver(channel: Channel, deadline: Deadline, answer_seconds: float = 4) -> list[str]:
    """Send what is due until all is sent or the time is over. Return what Slack said against it.

    Raises:
        psycopg2.Error, WarehouseUnreachableError: if the warehouse can't be asked.
    """
    slack = Slack(channel, deadline, answer_seconds)
    errors: list[str] = []
    with outbox.only_sender(deadline.left(WAIT_FOR_SENDER_SECONDS)):
        tried: set[tuple[str, int]] = set()
        while row := outbox.next_due(tried):
            if deadline.left() <= 0:
                break
            tried.add((row.key, row.version))
            outcome = _send(slack, channel, row)
            _settle(channel, row, outcome)
            if outcome.error and outcome.error not in errors:
                errors.append(outcome.error)
            wait = outcome.again_after
            if wait is not None and wait < deadline.left() - 0.5:
                # nothing else would get through either
                deadline.sleep(wait)
                tried.discard((row.key, row.version))
            elif outcome.error and (wait is not None or outcome.is_about_us):
                break
    return errors


def send_unkept(channel: Channel, key: str, payload: Mapping[str, Any], deadline: Deadline) -> str:
    """Send a message that can't be kept, unless Slack shows it already. Return the error, or ""."""
    slack = Slack(channel, deadline)
    if channel.is_bot and channel.name:
        slack_channel, _ = channel_id(slack, channel.name, None)
        if slack_channel:
            found = slack.find(slack_channel, key, time.time() - LOOK_BACK_SECONDS)
            if found.answer:
                return ""
    return slack.post(channel.name, payload, key=key).error or ""


def _send(slack: Slack, channel: Channel, row: Row) -> Outcome:
    if row.slack_ts and row.slack_channel:
        return slack.update(row.slack_channel, row.slack_ts, row.payload, key=row.key)
    if not channel.is_bot:
        outbox.mark_attempt(row)
        return slack.post(None, row.payload)
    slack_channel, asked = row.slack_channel, Outcome()
    if not slack_channel:
        slack_channel, asked = _channel_id(slack, row)
    if asked.error and asked.code not in MAY_NOT_LOOK:
        return asked
    # a reply is never sent without its row, so one that was not tried is not there
    if slack_channel and (row.attempts or not row.parent_key):
        found = _find(slack, row, slack_channel)
        if found.answer:
            return slack.update(slack_channel, found.answer["ts"], row.payload, key=row.key)
        if found.error and found.code not in MAY_NOT_LOOK:
            return found
    outbox.mark_attempt(row)
    return slack.post(
        slack_channel or row.channel, row.payload, key=row.key, thread_ts=row.thread_ts
    )


def _find(slack: Slack, row: Row, slack_channel: str) -> Outcome:
    since = row.created_at - LOOK_BACK_SECONDS
    found = slack.find(slack_channel, row.key, since, row.thread_ts)
    if found.code in MAY_NOT_LOOK:
        log.warning(
            "Slack does not let the bot read its channel (%s), so a message whose answer was lost "
            "may come twice: give the app the scopes channels:history and groups:history.",
            found.code,
        )
    return found


def _channel_id(slack: Slack, row: Row) -> tuple[str | None, Outcome]:
    with outbox.short_transaction() as cursor:
        return channel_id(slack, row.channel or "", cursor)


def _settle(channel: Channel, row: Row, outcome: Outcome) -> None:
    if not outcome.error:
        note = "Slack took the text alone: it refused the blocks." if outcome.is_plain else None
        outbox.settle_sent(row, outcome.answer.get("channel"), outcome.answer.get("ts"), note)
    elif row.slack_ts and outcome.code in GONE:
        # somebody deleted it, and does not want to see it again
        outbox.settle_sent(row, None, None, outcome.error)
    elif row.channel != channel.name and outcome.code in ABOUT_THE_CHANNEL:
        outbox.settle_failed(row, outcome.error, 0, channel.name)
    else:
        wait = outcome.again_after
        if wait is None:
            wait = min(UNCLEAR_SECONDS * 2 ** min(row.attempts, 4), LONGEST_WAIT_SECONDS)
        outbox.settle_failed(row, outcome.error, wait, row.channel)
