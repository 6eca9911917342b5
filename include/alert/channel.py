"""Where messages go: the Airflow connection ``greenery_slack``."""

from __future__ import annotations

from dataclasses import dataclass

from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException

CONNECTION_ID = "greenery_slack"


@dataclass(frozen=True)
class Channel:
    """Where messages go: a channel of a bot, or a webhook, which has its own (name None)."""

    kind: str
    name: str | None


class SlackSettingsError(Exception):
    """The connection can't be used; the message says what to do."""


def find_channel() -> Channel | None:
    """Return where to send, or None without a connection.

    Raises:
        SlackSettingsError: if the connection is there but can't be used.
    """
    try:
        connection = Connection.get(CONNECTION_ID)
    except AirflowNotFoundException:
        return None
    if connection.conn_type not in ("slack", "slackwebhook"):
        raise SlackSettingsError(
            f"the connection `{CONNECTION_ID}` has the type {connection.conn_type}; "
            "make it `slack` (a bot) or `slackwebhook`"
        )
    if not connection.password:
        raise SlackSettingsError(
            f"the connection `{CONNECTION_ID}` has no password; "
            "it holds the bot's token or the webhook's"
        )
    if connection.conn_type == "slackwebhook":
        return Channel("slackwebhook", None)
    name = connection.extra_dejson.get("channel")
    if not name:
        raise SlackSettingsError(
            f"the connection `{CONNECTION_ID}` names no channel; "
            'put {"channel": "#data-alerts"} into its extra'
        )
    return Channel("slack", name)


def slack_is_configured() -> bool:
    """Tell whether there is a connection to Slack at all."""
    try:
        return find_channel() is not None
    except SlackSettingsError:
        return True
