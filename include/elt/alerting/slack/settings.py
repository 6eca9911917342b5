"""Where messages go: the Airflow connection ``greenery_slack``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict

from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException

from elt.errors import FinalError

CONNECTION_ID = "greenery_slack"


class Address(TypedDict):
    """By which Airflow connection a message is sent, and in which channel; None: not Slack's."""

    connection_id: str
    channel: str | None


@dataclass(frozen=True)
class Channel:
    """Where messages go: a bot's channel; Slack's webhook, which has its own (name None); or mail
    or another webhook, named by its Airflow connection.
    """

    kind: str
    name: str | None
    # owner or tag of a dbt node → channels, of others than Slack connections
    routes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    # owner of a dbt node → Slack user id, group id, group handle or e-mail address
    owners: Mapping[str, str] = field(default_factory=dict)
    runbook_url: str | None = None
    # None: the same as for failures
    warnings_name: str | None = None
    # where the numbers of the morning go; None: nobody wants them
    morning_name: str | None = None

    @property
    def for_warnings(self) -> str | None:
        """Where the daily digest of warnings goes."""
        return self.warnings_name or self.name

    @property
    def is_bot(self) -> bool:
        """Whether messages can be updated, looked up and answered in a thread."""
        return self.kind == "slack"

    @property
    def is_slack(self) -> bool:
        """Whether it is Slack, by a bot or a webhook."""
        return self.kind in ("slack", "slackwebhook")

    def address(self, name: str | None) -> Address:
        """Return by which connection, and in which channel of it, what goes to a name is sent."""
        if self.is_slack or name is None:
            return {"connection_id": CONNECTION_ID, "channel": name}
        return {"connection_id": name, "channel": None}

    def with_event(self, payload: Mapping[str, Any], action: str, key: str) -> dict[str, Any]:
        """Return a message with what it does to an incident; Slack takes no such thing.

        Args:
            payload: the message.
            action: trigger, acknowledge or resolve.
            key: of the message that told of the incident first.
        """
        return {**payload, **({} if self.is_slack else {"event": {"action": action, "key": key}})}

    def channels(self, owner: str | None, tags: Iterable[str]) -> tuple[str | None, ...]:
        """Return where a failure is told: what its owner and its tags say, else the default."""
        if self.kind == "slackwebhook":
            return (self.name,)
        found = [c for key in (owner, *tags) for c in self.routes.get(key or "", ())]
        return tuple(dict.fromkeys(found)) or (self.name,)


class ChannelError(FinalError):
    """The connection can't be used; the message says what to do."""


def find_channel() -> Channel | None:
    """Return where to send, or None without a connection.

    Raises:
        ChannelError: if the connection is there but can't be used.
    """
    try:
        connection = Connection.get(CONNECTION_ID)
    except AirflowNotFoundException:
        return None
    if connection.conn_type not in ("slack", "slackwebhook"):
        raise ChannelError(
            f"the connection `{CONNECTION_ID}` has the type {connection.conn_type}; "
            "make it `slack` (a bot) or `slackwebhook`"
        )
    if not connection.password:
        raise ChannelError(
            f"the connection `{CONNECTION_ID}` has no password; "
            "it holds the bot's token or the webhook's"
        )
    extra = connection.extra_dejson
    if connection.conn_type == "slackwebhook":
        return Channel("slackwebhook", None, runbook_url=extra.get("runbook_url"))
    if not extra.get("channel"):
        raise ChannelError(
            f"the connection `{CONNECTION_ID}` names no channel; "
            'put {"channel": "#data-alerts"} into its extra'
        )
    return Channel(
        "slack",
        extra["channel"],
        routes=routes(extra, CONNECTION_ID),
        owners={key: str(value) for key, value in _table(extra, "owners", CONNECTION_ID).items()},
        runbook_url=extra.get("runbook_url"),
        warnings_name=extra.get("warnings_channel"),
        morning_name=extra.get("morning_channel"),
    )


def routes(extra: Mapping[str, object], connection_id: str) -> dict[str, tuple[str, ...]]:
    """Return what the extra of a connection says: owner or tag → where that goes.

    Raises:
        ChannelError: if its `routes` are no table.
    """
    return {key: names(value) for key, value in _table(extra, "routes", connection_id).items()}


def _table(extra: Mapping[str, object], name: str, connection_id: str) -> Mapping[str, object]:
    table = extra.get(name) or {}
    if not isinstance(table, dict):
        raise ChannelError(
            f"`{name}` in the extra of the connection `{connection_id}` is no table; "
            f'write {{"{name}": {{"analytics-core": "…"}}}}'
        )
    return table


def names(value: object) -> tuple[str, ...]:
    """Return the names in a setting that holds one, or a list of them."""
    return tuple(map(str, value)) if isinstance(value, list) else (str(value),)
