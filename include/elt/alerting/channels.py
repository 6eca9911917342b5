"""All the ways to people: Slack, mail and webhooks, each an Airflow connection.

Messages are planned for each of them, and built once. A way that is not Slack's is named by its
connection, so its routes name connections: none of its addresses is kept.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException

from elt.alerting.senders import sender
from elt.alerting.slack.outcome import Outcome
from elt.alerting.slack.settings import Channel, ChannelError, find_channel, routes
from elt.time_limit import within

log = logging.getLogger(__name__)

MAIL_ID, WEBHOOK_ID = "greenery_mail", "greenery_webhook"


def find_channels() -> list[Channel]:
    """Return all ways to people. One that can't be used is logged, and the others are used.

    Raises:
        ChannelError: if there are some, and none can be used.
    """
    found, refused = [], []
    for find in (find_channel, lambda: _find(MAIL_ID), lambda: _find(WEBHOOK_ID)):
        try:
            found.append(find())
        except ChannelError as error:
            refused.append(error)
    channels = [channel for channel in found if channel]
    if refused and not channels:
        raise refused[0]
    for reason in refused:
        log.error("One way to people can't be used: %s.", reason)
    return channels


def find_slack(channels: Iterable[Channel]) -> Channel | None:
    """Return Slack's among the ways to people."""
    return next((channel for channel in channels if channel.is_slack), None)


def somebody_is_told() -> bool:
    """Tell whether there is any way to people at all, be it that it can't be used."""
    try:
        return bool(find_channels())
    except ChannelError:
        return True


def _find(connection_id: str) -> Channel | None:
    try:
        connection = Connection.get(connection_id)
    except AirflowNotFoundException:
        return None
    sender(connection)
    extra = connection.extra_dejson
    return Channel(
        "mail" if connection.conn_type == "smtp" else "webhook",
        connection_id,
        routes=routes(extra, connection_id),
        runbook_url=extra.get("runbook_url"),
        warnings_name=extra.get("warnings_connection"),
        morning_name=extra.get("morning_connection"),
    )


def send(connection_id: str, payload: Mapping[str, Any], seconds: float) -> Outcome:
    """Send a message by a connection other than Slack's. Never raises.

    Args:
        connection_id: Airflow's name of the connection.
        payload: the message as it was built.
        seconds: how long that may take.
    """
    if seconds <= 0:
        return Outcome("There was no time left.", again_after=1)
    try:
        deliver = sender(Connection.get(connection_id))
        return within(seconds, deliver, payload, seconds)
    except AirflowNotFoundException:
        return Outcome(f"Airflow has no connection `{connection_id}`, which a route names.")
    except ChannelError as error:
        return Outcome(f"A message can't be sent: {error}.")
    except TimeoutError:
        said = f"`{connection_id}` did not answer in time; the message may have arrived."
        return Outcome(said, is_unclear=True)
    except Exception as error:
        # what it says may repeat an address or a password
        return Outcome(f"`{connection_id}` failed: {type(error).__name__}.", is_unclear=True)
