"""The secrets of an installation: made at its first start, one file each, in a volume."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from elt.errors import EltError

FOLDER = Path(os.environ.get("GREENERY_SECRETS", "/run/greenery"))


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
}
# what can be new at any start, since nothing is encrypted with it
ROTATED = tuple(name for name in MAKERS if name != "fernet_key")


def make_missing(folder: Path = FOLDER) -> list[str]:
    """Make the secrets that are not there yet, and return their names."""
    folder.mkdir(parents=True, exist_ok=True)
    made = [name for name in MAKERS if not _content(folder / name)]
    for name in made:
        write(name, MAKERS[name](), folder)
    return made


def write(name: str, value: str, folder: Path = FOLDER) -> None:
    """Write a secret's file, whole or not at all, readable by its owner alone."""
    temporary = folder / f".{name}.new"
    with open(os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as out:
        out.write(value)
    temporary.replace(folder / name)


def read(name: str, folder: Path = FOLDER) -> str:
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
