"""Sending what ``ops.notification`` says, by one process at a time, to whom Slack knows."""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from psycopg2.extensions import cursor as Cursor

from elt.alerting import channels
from elt.alerting.slack import outbox
from elt.alerting.slack.client import Slack
from elt.alerting.slack.outbox import PICTURE, Row
from elt.alerting.slack.outcome import Outcome
from elt.alerting.slack.settings import CONNECTION_ID, Channel
from elt.time_limit import Deadline
from elt.warehouse.rows import first_row

_CHANNEL_ID = re.compile(r"[CGD][A-Z0-9]{6,}")
_USER_ID = re.compile(r"[UW][A-Z0-9]{6,}")
_GROUP_ID = re.compile(r"S[A-Z0-9]{6,}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def channel_id(slack: Slack, name: str, cursor: Cursor | None) -> tuple[str | None, Outcome]:
    """Return the id of a channel by its name (#data-alerts), and how Slack was asked for it.

    None without an error: there is no such channel.
    """
    if _CHANNEL_ID.fullmatch(name):
        return name, Outcome()
    wanted, asked = name.lstrip("#"), Outcome()

    def ask() -> tuple[str | None, bool]:
        nonlocal asked
        query = {"types": "public_channel,private_channel", "exclude_archived": "true"}
        for page in slack.pages("conversations.list", {**query, "limit": 1000}):
            if page.error:
                asked = page
                return None, False
            for one in page.answer.get("channels") or []:
                if one.get("name") == wanted:
                    return one["id"], True
        # it may be made, or the bot be invited, at any time
        return None, False

    found = _remembered(f"#{wanted}", ask, cursor)
    if found:
        slack.names[found] = name
    return found, asked


def mentions(
    slack: Slack, channel: Channel, owners: Iterable[str], cursor: Cursor
) -> dict[str, str]:
    """Return how Slack calls owners: <@U…> or <!subteam^S…>; nobody it does not know.

    Args:
        slack: is asked for their ids.
        channel: its connection's extra may say who an owner is (`owners`).
        owners: each a Slack id, the handle of a group, or an e-mail address.
        cursor: of a transaction as the role loader; answers are kept for a day.
    """
    found = {}
    for owner in set(owners):
        called = _mention(slack, channel.owners.get(owner, owner), cursor)
        if called:
            found[owner] = called
    return found


def _mention(slack: Slack, name: str, cursor: Cursor) -> str | None:
    if _USER_ID.fullmatch(name):
        return f"<@{name}>"
    if _GROUP_ID.fullmatch(name):
        return f"<!subteam^{name}>"
    if _EMAIL.fullmatch(name):
        user = _remembered(name, lambda: _user(slack, name), cursor)
        return f"<@{user}>" if user else None
    handle = name.lstrip("@")
    group = _remembered(f"@{handle}", lambda: _group(slack, handle), cursor)
    return f"<!subteam^{group}>" if group else None


def _user(slack: Slack, email: str) -> tuple[str | None, bool]:
    outcome = slack.ask("users.lookupByEmail", email=email)
    user = (outcome.answer.get("user") or {}).get("id")
    return user, not outcome.error or outcome.code in ("users_not_found", "missing_scope")


def _group(slack: Slack, handle: str) -> tuple[str | None, bool]:
    # without any argument the client sends an empty body and calls it JSON
    outcome = slack.ask("usergroups.list", include_disabled="false")
    groups = outcome.answer.get("usergroups") or []
    found = next((group["id"] for group in groups if group.get("handle") == handle), None)
    return found, not outcome.error or outcome.code in ("missing_scope", "paid_teams_only")


def _remembered(
    name: str, ask: Callable[[], tuple[str | None, bool]], cursor: Cursor | None
) -> str | None:
    """Return an answer of the last day, or ask; keep it if it is sure."""
    if cursor is None:
        return ask()[0]
    cursor.execute(
        "select slack_id from ops.slack_name "
        "where name = %s and asked_at > now() - interval '1 day'",
        (name,),
    )
    if row := first_row(cursor, dict[str, Any]):
        known: str | None = row["slack_id"]
        return known
    answer, is_sure = ask()
    if is_sure:
        cursor.execute(
            "insert into ops.slack_name (name, slack_id) values (%s, %s) "
            "on conflict (name) do update set slack_id = excluded.slack_id, asked_at = now()",
            (name, answer),
        )
    return answer


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


def deliver(channel: Channel | None, deadline: Deadline, answer_seconds: float = 4) -> list[str]:
    """Send what is due until all is sent or the time is over. Return what was said against it.

    Args:
        channel: Slack's; None: there is no Slack, and what is meant for it waits.
        deadline: of all calls together.
        answer_seconds: how long one call may take.

    Raises:
        psycopg2.Error, WarehouseUnreachableError: if the warehouse can't be asked.
    """
    slack = Slack(channel, deadline, answer_seconds) if channel else None
    errors: list[str] = []
    with outbox.only_sender(deadline.left(WAIT_FOR_SENDER_SECONDS)):
        tried: set[tuple[str, int]] = set()
        shut = set() if channel else {CONNECTION_ID}
        # connection → seconds that it wants to be left alone, while others are served
        pauses: dict[str, float] = {}
        while deadline.left() > 0:
            row = outbox.next_due(tried, shut | pauses.keys())
            if row is None:
                if not pauses:
                    break
                deadline.sleep(pauses.pop(min(pauses, key=lambda one: pauses[one])))
                continue
            tried.add((row.key, row.version))
            if slack and channel and row.connection_id == CONNECTION_ID:
                outcome = _send(slack, channel, row)
            else:
                outbox.mark_attempt(row)
                seconds = deadline.left(answer_seconds)
                outcome = channels.send(row.connection_id, row.payload, seconds)
            _settle(channel, row, outcome)
            if outcome.error and outcome.error not in errors:
                errors.append(outcome.error)
            wait = outcome.again_after
            if wait is not None and wait < deadline.left() - 0.5:
                pauses[row.connection_id] = wait
                tried.discard((row.key, row.version))
            elif outcome.error and (wait is not None or outcome.is_about_us):
                # nothing else would get through either
                shut.add(row.connection_id)
    return errors


def _send(slack: Slack, channel: Channel, row: Row) -> Outcome:
    if row.slack_ts and row.slack_channel:
        return slack.update(row.slack_channel, row.slack_ts, row.payload, key=row.key)
    if PICTURE in row.payload:
        return _show_picture(slack, row)
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


def _show_picture(slack: Slack, row: Row) -> Outcome:
    """Show a picture after its message, in the channel itself: nobody opens a thread to see it."""
    outbox.mark_attempt(row)
    picture = base64.b64decode(row.payload[PICTURE])
    outcome = slack.upload(row.slack_channel or "", picture, "chart.png", row.payload["text"])
    if outcome.code == "missing_scope":
        lacks = "Slack shows no chart (missing_scope): give the app the scope files:write."
        return replace(outcome, error=lacks)
    return outcome


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


def _settle(channel: Channel | None, row: Row, outcome: Outcome) -> None:
    if not outcome.error:
        note = "Slack took the text alone: it refused the blocks." if outcome.is_plain else None
        outbox.settle_sent(row, outcome.answer.get("channel"), outcome.answer.get("ts"), note)
    elif row.slack_ts and outcome.code in GONE:
        # somebody deleted it, and does not want to see it again
        outbox.settle_sent(row, None, None, outcome.error)
    elif PICTURE in row.payload and outcome.code and outcome.again_after is None:
        # the numbers are there; who gives the scope later does not want the charts of a month
        outbox.settle_sent(row, None, None, outcome.error)
    elif channel and row.channel != channel.name and outcome.code in ABOUT_THE_CHANNEL:
        outbox.settle_failed(row, outcome.error, 0, channel.name)
    else:
        wait = outcome.again_after
        if wait is None:
            wait = min(UNCLEAR_SECONDS * 2 ** min(row.attempts, 4), LONGEST_WAIT_SECONDS)
        outbox.settle_failed(row, outcome.error, wait, row.channel)
