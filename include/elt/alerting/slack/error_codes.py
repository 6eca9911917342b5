"""Slack's error codes, and what to do about them, in plain sentences. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ABOUT_THE_BLOCKS = {"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"}
ABOUT_THE_TOKEN = {
    "invalid_auth",
    "not_authed",
    "account_inactive",
    "token_revoked",
    "token_expired",
}
ABOUT_THE_WEBHOOK = {
    "invalid_token",
    "no_active_hooks",
    "no_service",
    "no_service_id",
    "no_team",
    "team_disabled",
}


def in_words(status: int, code: str, channel: str | None, connection_id: str) -> str:
    """Return why Slack refused and what to do, without any secret."""
    where = f"the channel {channel}" if channel else "the webhook's channel"
    if code in ABOUT_THE_TOKEN:
        return (
            f"Slack does not accept the token of the connection `{connection_id}` ({code}): "
            "put the app's bot token (xoxb-…) into its password."
        )
    if code in ABOUT_THE_WEBHOOK:
        return (
            f"Slack does not know the webhook of the connection `{connection_id}` ({code}): "
            "make a new one and put it into the connection."
        )
    match code:
        case "channel_not_found":
            return (
                f"Slack has no channel for us called {channel or 'as the webhook says'} ({code}): "
                f"correct it in the extra of `{connection_id}`, or invite the bot to it."
            )
        case "not_in_channel":
            return f"The bot is not in {where} ({code}): type `/invite @its-name` there."
        case "is_archived" | "channel_is_archived":
            return f"Slack has put {where} away ({code}): restore it or name another one."
        case "missing_scope":
            return f"The bot may not write ({code}): give the app the scope chat:write."
    if status == 429:
        return "Slack takes no more messages for now (rate limited)."
    short = code if code.isidentifier() else f"HTTP {status}"
    return f"Slack refused the message ({short})."


def again_after(status: int, headers: Mapping[str, Any]) -> float | None:
    """Return after how many seconds Slack wants to be asked again; None: not at all."""
    if status != 429:
        return None
    values = {name.lower(): value for name, value in headers.items()}
    try:
        return float(values.get("retry-after", 1))
    except (TypeError, ValueError):
        return 1
