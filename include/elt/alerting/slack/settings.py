"""Where messages go: the Airflow connection ``greenery_slack``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException

from elt.errors import FinalError

CONNECTION_ID = "greenery_slack"


@dataclass(frozen=True)
class Channel:
    """Where messages go: a channel of a bot, or a webhook, which has its own (name None)."""

    kind: str
    name: str | None
    # owner or tag of a dbt node → channels
    routes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    # owner of a dbt node → Slack user id, group id, group handle or e-mail address
    owners: Mapping[str, str] = field(default_factory=dict)
    runbook_url: str | None = None
    # of a bot; None: the same as for failures
    warnings_name: str | None = None

    @property
    def for_warnings(self) -> str | None:
        """Where the daily digest of warnings goes."""
        return self.warnings_name or self.name

    @property
    def is_bot(self) -> bool:
        """Whether messages can be updated, looked up and answered in a thread."""
        return self.kind == "slack"

    def channels(self, owner: str | None, tags: Iterable[str]) -> tuple[str | None, ...]:
        """Return where a failure is told: what its owner and its tags say, else the default."""
        if not self.is_bot:
            return (self.name,)
        found = [c for key in (owner, *tags) for c in self.routes.get(key or "", ())]
        return tuple(dict.fromkeys(found)) or (self.name,)


class SlackSettingsError(FinalError):
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
    extra = connection.extra_dejson
    if connection.conn_type == "slackwebhook":
        return Channel("slackwebhook", None, runbook_url=extra.get("runbook_url"))
    if not extra.get("channel"):
        raise SlackSettingsError(
            f"the connection `{CONNECTION_ID}` names no channel; "
            'put {"channel": "#data-alerts"} into its extra'
        )
    return Channel(
        "slack",
        extra["channel"],
        routes={key: _names(value) for key, value in _table(extra, "routes").items()},
        owners={key: str(value) for key, value in _table(extra, "owners").items()},
        runbook_url=extra.get("runbook_url"),
        warnings_name=extra.get("warnings_channel"),
    )


def _table(extra: Mapping[str, object], name: str) -> Mapping[str, object]:
    table = extra.get(name) or {}
    if not isinstance(table, dict):
        raise SlackSettingsError(
            f"`{name}` in the extra of the connection `{CONNECTION_ID}` is no table; "
            f'write {{"{name}": {{"analytics-core": "…"}}}}'
        )
    return table


def _names(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else (str(value),)


def slack_is_configured() -> bool:
    """Tell whether there is a connection to Slack at all."""
    try:
        return find_channel() is not None
    except SlackSettingsError:
        return True
