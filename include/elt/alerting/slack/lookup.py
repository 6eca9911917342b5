"""Whom Slack knows under which id: people, groups and channels. Answers are kept for a day."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from psycopg2.extensions import cursor as Cursor

from elt.alerting.slack.client import Slack
from elt.alerting.slack.result import Outcome
from elt.alerting.slack.settings import Channel

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

    found = _kept(f"#{wanted}", ask, cursor)
    if found:
        slack.names[found] = name
    return found, asked


def mentions(
    slack: Slack, channel: Channel, owners: Iterable[str], cursor: Cursor
) -> dict[str, str]:
    """Return how Slack calls owners: <@U…> or <!subteam^S…>; nobody it does not know.

    An owner is a Slack id, the handle of a group, or an e-mail address; the connection's extra may
    say which (`owners`).
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
        user = _kept(name, lambda: _user(slack, name), cursor)
        return f"<@{user}>" if user else None
    handle = name.lstrip("@")
    group = _kept(f"@{handle}", lambda: _group(slack, handle), cursor)
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


def _kept(
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
    if row := cursor.fetchone():
        return row[0]
    answer, is_sure = ask()
    if is_sure:
        cursor.execute(
            "insert into ops.slack_name (name, slack_id) values (%s, %s) "
            "on conflict (name) do update set slack_id = excluded.slack_id, asked_at = now()",
            (name, answer),
        )
    return answer
