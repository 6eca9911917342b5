"""What Airflow must know to tell the fake Slack: its connection, as JSON. Pure."""

from __future__ import annotations

import json
from typing import Any

TOKEN = "xoxb-fake-token"
WEBHOOK = "T0/B0/X"
CHANNEL = "#data-alerts"
WARNINGS_CHANNEL = "#data-warnings"


def bot_connection(address: str, token: str = TOKEN, channel: str = CHANNEL, **extra: Any) -> str:
    """Return the connection of a bot; ``address`` is host and port as Airflow sees them."""
    extra |= {"channel": channel, "base_url": f"http://{address}/api/"}
    return json.dumps({"conn_type": "slack", "password": token, "extra": extra})


def local_connection(address: str) -> str:
    """Return what `make` and docker compose tell the fake Slack by: warnings apart."""
    return bot_connection(address, warnings_channel=WARNINGS_CHANNEL)


def webhook_connection(address: str, token: str = WEBHOOK) -> str:
    """Return the connection of an incoming webhook."""
    return json.dumps(
        {
            "conn_type": "slackwebhook",
            "schema": "http",
            "host": f"{address}/services",
            "password": token,
        }
    )
