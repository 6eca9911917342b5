"""The server's own process: found by what it is and where it works, not by a number in a file."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from devtools.local.server_account import PostgresError

# after a crash the server first replays what it had written
READY_TIMEOUT = 60
# the server writes what it has in memory before it ends
STOP_TIMEOUT = 60
# without their parent they end by themselves, as soon as they notice
ORPHAN_TIMEOUT = 20
PORT_LINE, STATUS_LINE = 3, 7


def at_work(data: Path) -> list[psutil.Process]:
    """Return every process of a server of this data folder, be its parent alive or not."""
    return [process for process in psutil.process_iter() if _is_of(process, data)]


def running(data: Path) -> psutil.Process | None:
    """Return the server of a data folder, or None. One that is starting or stopping is running."""
    try:
        process = psutil.Process(int(_lines(data)[0]))
    except (ValueError, psutil.NoSuchProcess):
        return None
    return process if _is_of(process, data) else None


def _is_of(process: psutil.Process, data: Path) -> bool:
    """Tell whether a process is of the server of a data folder.

    Postgres works in its data folder, and all its processes have its name. After a crash the number
    in its file may have been given to somebody else's process, which does not make that one ours.
    """
    with contextlib.suppress(psutil.Error, OSError):
        return process.name() == "postgres" and Path(process.cwd()) == data.resolve()
    return False


def _lines(data: Path) -> list[str]:
    with contextlib.suppress(OSError):
        return (data / "postmaster.pid").read_text().split("\n")
    return [""]


def wait_until_ready(server: psutil.Process, data: Path) -> bool:
    """Wait until a server that is being started takes connections. Return False if it ends."""
    deadline = time.monotonic() + READY_TIMEOUT
    while time.monotonic() < deadline:
        if not running(data):
            return False
        if _lines(data)[STATUS_LINE:] and _lines(data)[STATUS_LINE].strip() == "ready":
            return True
        time.sleep(0.05)
    raise PostgresError(
        f"The local Postgres (process {server.pid}) is neither ready nor ended after "
        f"{READY_TIMEOUT} s. Its log is {data.parent / 'log'}."
    )


def port(data: Path) -> int:
    """Return the port of a server that is ready."""
    return int(_lines(data)[PORT_LINE])


def stop(server: psutil.Process, data: Path) -> None:
    """End a server; its clients are sent away. By force after 60 s, which costs a recovery.

    Raises:
        PostgresError: if it does not end even so.
    """
    for number in (signal.SIGINT, signal.SIGQUIT):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
            server.send_signal(number)
            server.wait(STOP_TIMEOUT)
            break
    else:
        if running(data):
            raise _endless([server])
    clear(data)


def clear(data: Path) -> None:
    """Take away what a server that was killed has left: processes without parent, and its file.

    The file names a process. If that number belongs to another program by now, Postgres would
    not start; but only when nobody works in the folder is the file not needed.

    Raises:
        PostgresError: if one does not even end when it is killed.
    """
    if running(data):
        return
    deadline = time.monotonic() + ORPHAN_TIMEOUT
    while orphans := at_work(data):
        if time.monotonic() > deadline + ORPHAN_TIMEOUT:
            raise _endless(orphans)
        if time.monotonic() > deadline:
            for process in orphans:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        time.sleep(0.05)
    (data / "postmaster.pid").unlink(missing_ok=True)


def _endless(processes: Sequence[psutil.Process]) -> PostgresError:
    numbers = ", ".join(str(process.pid) for process in processes)
    return PostgresError(
        f"Postgres' processes {numbers} do not end, though they were killed: they mostly wait for "
        "a disk that does not answer. Look at that, and repeat the command."
    )
