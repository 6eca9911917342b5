"""Airflow's connections and log-in, from docker-compose.yml's variables and the secrets."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import re
from collections.abc import Mapping
from pathlib import Path

from include.docker import keys

UI_PASSWORDS = Path("/tmp/greenery-ui-passwords.json")
WAREHOUSE = {"conn_type": "postgres", "host": "warehouse", "port": 5432, "schema": "greenery"}


class SettingsError(Exception):
    """A variable can't be used; the message says what it should be."""


def environment(variables: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return what a component of Airflow needs to know beyond docker-compose.yml.

    Raises:
        SettingsError: if a variable can't be used.
        keys.LostSecretError: if a secret is missing.
    """
    made = {
        "AIRFLOW_CONN_GREENERY_WAREHOUSE": warehouse(keys.read("warehouse_password", folder)),
        "AIRFLOW_CONN_GREENERY_SOURCE": source(variables.get("GREENERY_SOURCE_PATH", "")),
        **log_in(variables.get("GREENERY_BIND", "")),
    }
    if slack := variables.get("GREENERY_SLACK", "").strip():
        made["AIRFLOW_CONN_GREENERY_SLACK"] = slack_connection(slack)
    # what the user has set by hand wins
    return {name: value for name, value in made.items() if not variables.get(name)}


def warehouse(password: str) -> str:
    """Return the connection of the warehouse, as JSON."""
    return json.dumps({**WAREHOUSE, "login": "greenery", "password": password})


def source(path: str) -> str:
    """Return the connection of the landing folder, as JSON."""
    return json.dumps({"conn_type": "fs", "extra": {"path": path or "/landing/demo"}})


def slack_connection(text: str) -> str:
    """Return the connection to Slack from a webhook's URL, a bot's token with a channel, or JSON.

    Raises:
        SettingsError: if it is none of these. The message does not repeat it: it holds a secret.
    """
    if text.startswith("{"):
        try:
            json.loads(text)
        except ValueError:
            raise SettingsError("GREENERY_SLACK begins with { but is not JSON.") from None
        return text
    if webhook := re.fullmatch(r"(https?)://([^/]+(?:/.*)?/services)/([^/]+/[^/]+/[^/]+)/?", text):
        scheme, host, token = webhook.groups()
        return json.dumps(
            {"conn_type": "slackwebhook", "schema": scheme, "host": host, "password": token}
        )
    if bot := re.fullmatch(r"(xox\S+)\s+(\S+)", text):
        token, channel = bot.groups()
        return json.dumps({"conn_type": "slack", "password": token, "extra": {"channel": channel}})
    raise SettingsError(
        "GREENERY_SLACK is neither a webhook (https://hooks.slack.com/services/T…/B…/…) nor a "
        "bot's token and a channel (xoxb-… #data-alerts) nor an Airflow connection as JSON."
    )


def log_in(address: str) -> dict[str, str]:
    """Return the settings of the log-in: none on loopback, a password everywhere else."""
    if _is_loopback(address):
        return {"AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True"}
    return {
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(UI_PASSWORDS),
    }


def _is_loopback(address: str) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    return address in ("", "localhost")
