"""What a machine may lack for the local commands, in one sentence each."""

from __future__ import annotations

import contextlib
import errno
import getpass
import os
import pwd
import socket
from pathlib import Path

from elt.errors import EltError

LOOPBACK = "127.0.0.1"
FULL = (errno.ENOSPC, errno.EDQUOT)
CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS)
NO_FOLDER = (errno.ENOTDIR, errno.EEXIST)
CONNECT_SECONDS = 5


class LoopbackError(EltError):
    """Programs on this machine can't reach each other; the message says what to do."""


def require_loopback(address: str = LOOPBACK) -> None:
    """Make sure that a server of ours, which listens on loopback alone, could be reached.

    Raises:
        LoopbackError: if nothing can listen or be reached there.
    """
    try:
        with socket.socket() as server, socket.socket() as client:
            server.bind((address, 0))
            server.listen()
            client.settimeout(CONNECT_SECONDS)
            client.connect(server.getsockname())
    except OSError as error:
        raise LoopbackError(
            f"This machine has no working {address} ({error.strerror or error}), and the local "
            "Postgres, Airflow and fake Slack are reached there alone, not by IPv6. Bring it up, "
            f"for example: ip address add {address}/8 dev lo; ip link set lo up"
        ) from None


def file_trouble(error: OSError, state: Path) -> str | None:
    """Return in a sentence why a file can't be used and what to do, or None if it is not that.

    Args:
        state: the folder in which the checkout keeps its state.
    """
    if error.filename is None:
        return None
    what = os.fsdecode(error.filename)
    if error.errno in FULL:
        return f"{what} can't be written, the disk is full. Free some space and repeat the command."
    if error.errno in NO_FOLDER:
        return f"{what} can't be used: {error.strerror}. Move what is in its place out of the way."
    if error.errno not in CLOSED:
        return None
    return (
        f"{_us()} can't use {what} ({error.strerror}){_owner(Path(what))}. Keep the state in a "
        "folder of your own with GREENERY_STATE=/its/path before the command, or use a checkout "
        f"of your own. It is {state} now."
    )


def _us() -> str:
    with contextlib.suppress(OSError, KeyError):  # a user without a name
        return f"The user {getpass.getuser()}"
    return f"The user {os.geteuid()}"


def _owner(path: Path) -> str:
    """Return whose the file is, or the nearest folder above it, if not ours."""
    for one in (path, *path.parents):
        with contextlib.suppress(OSError):
            owner = one.stat().st_uid
            if owner == os.geteuid():
                return ""
            with contextlib.suppress(KeyError):
                return f": {one} is of {pwd.getpwuid(owner).pw_name}"
            return f": {one} is of the user {owner}"
    return ""
