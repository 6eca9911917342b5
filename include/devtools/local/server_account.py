"""As whom the local Postgres runs: itself, or nobody, since it refuses to run as root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from elt.errors import EltError

ORPHAN_SECONDS = 10


class PostgresError(EltError):
    """The local server can't do what was asked; the message says what to do."""


def server_account() -> pwd.struct_passwd | None:
    """Return whom the server runs as when we are root, which Postgres refuses to be."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("nobody")
    except KeyError:
        raise PostgresError(
            "Postgres refuses to run as root and this machine has no user `nobody`. "
            "Run make as a normal user."
        ) from None


def run_as_server(
    folder: Path, *command: str, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder as the server's account; its two outputs come back as one.

    Raises:
        PostgresError: if it fails and ``check`` is set.
    """
    account = server_account()
    identity = (
        {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
    )
    environment = {"PATH": os.environ["PATH"], "TZ": "UTC", "LC_ALL": "C"}
    with tempfile.TemporaryFile("w+") as output:
        # a file, not a pipe: the server inherits it and would hold a pipe open for ever
        done = subprocess.run(
            command, cwd=folder, env=environment, stdout=output, stderr=output, **identity
        )
        output.seek(0)
        text = output.read()
    if check and done.returncode != 0:
        raise PostgresError(f"{Path(command[0]).name} failed:\n{text.strip()}")
    return subprocess.CompletedProcess(command, done.returncode, text)


def is_reachable(path: Path) -> bool:
    """Tell whether the server's account can get at a path, through all the folders above it."""
    try:
        return run_as_server(Path("/"), "test", "-x", str(path), check=False).returncode == 0
    except PermissionError:
        return False


def remove_folder(folder: Path) -> None:
    """Delete a folder of the server's account.

    A program whose starter was killed may write there still, until it finds nothing any more.
    """
    end = time.monotonic() + ORPHAN_SECONDS
    shutil.rmtree(folder, ignore_errors=True)
    while folder.exists() and time.monotonic() < end:
        time.sleep(0.05)
        shutil.rmtree(folder, ignore_errors=True)
