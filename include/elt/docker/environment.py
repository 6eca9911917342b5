"""What Airflow needs to know beyond docker-compose.yml: connections, the log-in, secrets.

Secrets are made at an installation's first start, one file each, in a volume.
"""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import json
import os
import re
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from elt.errors import EltError, SourceError

SECRETS_FOLDER = Path(os.environ.get("GREENERY_SECRETS", "/run/greenery"))


class LostSecretError(EltError):
    """A secret file is not there or empty; the message says how to get a new one."""


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def _token() -> str:
    return secrets.token_urlsafe(48)


MAKERS: dict[str, Callable[[], str]] = {
    "fernet_key": _fernet_key,
    "jwt_secret": _token,
    "api_secret_key": _token,
    "ui_password": lambda: secrets.token_urlsafe(12),
    "metadata_password": _token,
    "warehouse_password": _token,
    "analyst_password": _token,
    "broker_password": _token,
}
# what can be new at any start, since nothing is encrypted with it
ROTATED = tuple(name for name in MAKERS if name != "fernet_key")


def make_missing_secrets(folder: Path = SECRETS_FOLDER) -> list[str]:
    """Make the secrets that are not there yet, and return their names."""
    folder.mkdir(parents=True, exist_ok=True)
    made = [name for name in MAKERS if not _content(folder / name)]
    for name in made:
        write_secret(name, MAKERS[name](), folder)
    return made


def write_private(file: Path, text: str) -> None:
    """Put a text in the place of a file, whole or not at all, readable by its owner alone."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.new")
    with open(os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as out:
        out.write(text)
    temporary.replace(file)


def write_secret(name: str, value: str, folder: Path = SECRETS_FOLDER) -> None:
    """Write a secret's file."""
    write_private(folder / name, value)


def read_secret(name: str, folder: Path = SECRETS_FOLDER) -> str:
    """Return a secret.

    Raises:
        LostSecretError: if its file is missing or empty.
    """
    value = _content(folder / name)
    if not value:
        raise LostSecretError(
            f"The secret {folder / name} is missing. `docker compose up --force-recreate` makes "
            "a new one and tells it to the databases."
        )
    return value


def _content(file: Path) -> str:
    return file.read_text().strip() if file.exists() else ""


FAKE_TOKEN = "xoxb-fake-token"
FAKE_WEBHOOK = "T0/B0/X"
FAKE_CHANNEL = "#data-alerts"
FAKE_WARNINGS_CHANNEL = "#data-warnings"


def bot_connection(
    address: str, token: str = FAKE_TOKEN, channel: str = FAKE_CHANNEL, **extra: Any
) -> str:
    """Return the connection of a bot, in the JSON that Airflow reads.

    Args:
        address: host and port of the fake Slack as Airflow sees them.
        token: the bot's, xoxb-….
        channel: the name of the channel for failures, with its #.
        extra: more of the connection's extra, such as ``warnings_channel``.
    """
    extra |= {"channel": channel, "base_url": f"http://{address}/api/"}
    return json.dumps({"conn_type": "slack", "password": token, "extra": extra})


def local_connection(address: str) -> str:
    """Return what `make` and docker compose tell the fake Slack by: warnings apart."""
    return bot_connection(address, warnings_channel=FAKE_WARNINGS_CHANNEL)


def webhook_connection(address: str, token: str = FAKE_WEBHOOK) -> str:
    """Return the connection of an incoming webhook."""
    return json.dumps(
        {
            "conn_type": "slackwebhook",
            "schema": "http",
            "host": f"{address}/services",
            "password": token,
        }
    )


DEMO_LANDING = "/landing/demo"
# the service `slack` of docker-compose.yml
FAKE_SLACK = "slack:8065"
UI_PASSWORDS = Path("/tmp/greenery-ui-passwords.json")
WAREHOUSE = {"conn_type": "postgres", "host": "warehouse", "port": 5432, "schema": "greenery"}


class SettingsError(EltError):
    """A variable can't be used; the message says what it should be."""


def component_environment(variables: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return what a component of Airflow needs to know beyond docker-compose.yml.

    Raises:
        SettingsError: if a variable can't be used.
        LostSecretError: if a secret is missing.
    """
    made = {
        "AIRFLOW_CONN_GREENERY_WAREHOUSE": warehouse(read_secret("warehouse_password", folder)),
        "AIRFLOW_CONN_GREENERY_SOURCE": source(
            variables.get("GREENERY_SOURCE", "").strip(),
            variables.get("GREENERY_SOURCE_PATH") or DEMO_LANDING,
        ),
        **log_in(variables.get("GREENERY_BIND", "")),
    }
    if slack := variables.get("GREENERY_SLACK", "").strip():
        made["AIRFLOW_CONN_GREENERY_SLACK"] = slack_connection(slack)
    for name, schemes in SECRET_URLS.items():
        if url := variables.get(f"GREENERY_{name}", "").strip():
            made[f"AIRFLOW_CONN_GREENERY_{name}"] = secret_url(f"GREENERY_{name}", url, schemes)
    if logs := variables.get("GREENERY_LOGS", "").strip():
        made |= remote_logs(logs)
    # what the user has set by hand wins
    return {name: value for name, value in made.items() if not variables.get(name)}


def warehouse(password: str) -> str:
    """Return the connection of the warehouse, as JSON."""
    return json.dumps({**WAREHOUSE, "login": "greenery", "password": password})


def source(url: str, path: str = DEMO_LANDING) -> str:
    """Return the connection of the shop's data, as JSON: a URL if there is one, else a folder.

    Raises:
        SettingsError: if both are given, or the URL can't be used. The message does not repeat it:
            it may hold a password.
    """
    if not url:
        return json.dumps({"conn_type": "fs", "extra": {"path": path}})
    if path != DEMO_LANDING:
        raise SettingsError("Set GREENERY_LANDING or GREENERY_SOURCE, not both: a shop has one.")
    if url.startswith("{"):
        return _json("GREENERY_SOURCE", url)
    if re.match(r"postgres(ql)?://", url):
        return json.dumps(_database(url))
    if re.match(r"[a-z][a-z0-9+]+://", url):
        return json.dumps({"conn_type": "fs", "extra": {"path": url}})
    raise SettingsError(
        "GREENERY_SOURCE is neither a URL (postgresql://user:password@host/database, "
        "s3://bucket/folder …) nor an Airflow connection as JSON. "
        "A folder of this machine goes into GREENERY_LANDING."
    )


def _database(url: str) -> dict[str, Any]:
    # they import Airflow, 2 s of CPU at the start of a container: nothing else here needs it
    from elt.loading.database.source import database_at

    try:
        database = database_at(url)
    except SourceError:
        raise SettingsError(
            "GREENERY_SOURCE should be postgresql://user:password@host:5432/database, with "
            "what is special in user and password as %XX (@ is %40, / is %2F)."
        ) from None
    if _is_loopback(database.host):
        raise SettingsError(
            f"GREENERY_SOURCE names the host {database.host}, but in a container that is the "
            "container itself. For a server on this machine write host.docker.internal."
        )
    return database.as_connection()


def _json(name: str, text: str) -> str:
    try:
        json.loads(text)
    except ValueError:
        raise SettingsError(f"{name} begins with {{ but is not JSON.") from None
    return text


def slack_connection(text: str) -> str:
    """Return the connection to Slack from a webhook's URL, a bot's token with a channel, or JSON.

    `local` is the fake Slack.

    Raises:
        SettingsError: if it is none of these. The message does not repeat it: it holds a secret.
    """
    if text == "local":
        return local_connection(FAKE_SLACK)
    if text.startswith("{"):
        return _json("GREENERY_SLACK", text)
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
        "bot's token and a channel (xoxb-… #data-alerts) nor an Airflow connection as JSON, "
        "nor `local`, the fake Slack."
    )


SECRET_URLS = {"DEAD_MAN": "https?", "MAIL": "smtp", "WEBHOOK": "https?"}


def secret_url(name: str, text: str, schemes: str) -> str:
    """Return the connection to a URL that holds a secret, or what is said of it as JSON.

    Raises:
        SettingsError: if it is neither. The message does not repeat it, only the variable's name.
    """
    if text.startswith("{"):
        return _json(name, text)
    if not re.fullmatch(rf"{schemes}://\S+", text):
        scheme = schemes.replace("?", "")
        raise SettingsError(f"{name} is neither a URL ({scheme}://…) nor a connection as JSON.")
    # a mail server's is read by Airflow itself
    is_mail = text.startswith("smtp:")
    return text if is_mail else json.dumps({"conn_type": "generic", "password": text})


def remote_logs(url: str) -> dict[str, str]:
    """Return the settings of task logs that are kept in a store, and nowhere else.

    Raises:
        SettingsError: if it is no URL.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]+://\S+", url):
        raise SettingsError(f"GREENERY_LOGS is {url}, which is no URL (s3://bucket/logs).")
    return {
        "AIRFLOW__LOGGING__REMOTE_LOGGING": "True",
        "AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER": url,
        "AIRFLOW__LOGGING__DELETE_LOCAL_LOGS": "True",
    }


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
