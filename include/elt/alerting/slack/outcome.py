"""How a call to Slack, or to another way to people, went; a refusal in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from elt.alerting.slack.settings import CONNECTION_ID

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


def describe_refusal(status: int, code: str, channel: str | None, connection_id: str) -> str:
    """Return why Slack refused and what to do, without any secret.

    Args:
        status: of HTTP.
        code: Slack's word for the error, of a webhook the whole answer.
        channel: the name of the channel; None: the webhook's.
        connection_id: Airflow's connection to Slack.
    """
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


def retry_after(status: int, headers: Mapping[str, Any]) -> float | None:
    """Return after how many seconds Slack wants to be asked again; None: not at all."""
    if status != 429:
        return None
    values = {name.lower(): value for name, value in headers.items()}
    try:
        return float(values.get("retry-after", 1))
    except (TypeError, ValueError):
        return 1


@dataclass(frozen=True)
class Outcome:
    """How a call went: no error means that Slack did it."""

    error: str | None = None
    # Slack's own word for the error
    code: str = ""
    # Slack surely did not do it, and may after so many seconds
    again_after: float | None = None
    # it may have been done all the same
    is_unclear: bool = False
    # what was sent had to be plain text
    is_plain: bool = False
    answer: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_about_blocks(self) -> bool:
        """Whether Slack refused how the message is laid out; its text alone may go through."""
        return self.code in ABOUT_THE_BLOCKS

    @property
    def is_about_us(self) -> bool:
        """Whether nothing else will get through either, until that is mended."""
        no_word = bool(self.error) and not self.code
        return no_word or self.code in ABOUT_THE_TOKEN | ABOUT_THE_WEBHOOK


def refused(status: int, code: str, headers: Mapping[str, Any], name: str | None) -> Outcome:
    """Return how it went from what Slack answered.

    Args:
        status: of HTTP.
        code: Slack's word for it, or what a webhook's answer says.
        headers: of the answer; they may say when to try again.
        name: of the channel; None: a webhook's.
    """
    return Outcome(
        describe_refusal(status, code, name, CONNECTION_ID),
        code=code if code.isidentifier() else "",
        again_after=retry_after(status, headers),
        is_unclear=status >= 500,
    )
