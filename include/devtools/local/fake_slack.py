"""The fake Slack of this checkout: ``make slack``, ``make run SLACK=local``."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from devtools.fake_slack.server import PORT
from devtools.local import machine, processes
from devtools.local.postgres import free_port
from devtools.local.processes import Started
from devtools.local.services import SLACK as VARIABLE
from devtools.local.state_folder import Home, port_is_taken
from elt.docker.environment import FAKE_CHANNEL, local_connection, write_private
from elt.errors import EltError

START_TIMEOUT = 20


class SlackError(EltError):
    """The fake Slack can't be started or used; the message says what to do."""


def start(home: Home) -> str:
    """Start the fake Slack unless it runs, and return its address.

    Raises:
        SlackError: if it does not come up; its log's end is in the message.
    """
    if address := running(home):
        return address
    machine.require_loopback()
    # the usual port if it is free: of two checkouts one has another
    port = home.remembered("slack_port", lambda: free_port() if port_is_taken(PORT) else PORT)
    if port_is_taken(port):
        port = home.remembered("slack_port", free_port, anew=True)
    command = [sys.executable, "-m", "devtools.fake_slack", "--port", str(port)]
    born = processes.spawn(command, home.root, _log(home), {**os.environ, "PYTHONUNBUFFERED": "1"})
    write_private(_file(home), json.dumps({"process": born, "port": port}))
    deadline = time.monotonic() + START_TIMEOUT
    while not port_is_taken(port):
        if not processes.alive(born) or time.monotonic() > deadline:
            raise SlackError(
                f"The fake Slack does not start. Its log ends:\n{processes.last_lines(_log(home))}"
            )
        time.sleep(0.05)
    return f"127.0.0.1:{port}"


def running(home: Home) -> str | None:
    """Return the address of the fake Slack, or None if it does not run."""
    known = _known(home)
    return f"127.0.0.1:{known[1]}" if known and processes.alive(known[0]) else None


def stop(home: Home) -> bool:
    """Stop the fake Slack. Return whether it was running."""
    known = _known(home)
    was_alive = bool(known) and processes.end([known[0]])
    _file(home).unlink(missing_ok=True)
    return was_alive


def use(home: Home, asked: str | None) -> str | None:
    """Have Airflow, started by this process, tell the fake Slack. Return its address, if it does.

    Args:
        asked: `local` starts it. Without it, it is used if it runs and no other Slack is known.

    Raises:
        SlackError: if something else is asked for, or it does not come up.
    """
    if asked and asked != "local":
        raise SlackError(
            f"SLACK={asked} is not known. SLACK=local tells the fake Slack; for a real one set "
            f"{VARIABLE} as docs/alerts.md says."
        )
    if not asked and os.environ.get(VARIABLE):
        return None
    address = start(home) if asked else running(home)
    if address:
        os.environ[VARIABLE] = local_connection(address)
    return address


def describe(home: Home, address: str, airflow_is_up: bool) -> str:
    """Return what a person is told about the fake Slack that runs."""
    lines = [
        f"Slack is up: http://{address} (a fake one, it shows what {FAKE_CHANNEL} would).",
        "`make run` and `make up` tell it from now on; `make down` stops it. By hand:",
        f"  export {VARIABLE}='{local_connection(address)}'",
    ]
    if os.environ.get(VARIABLE):
        lines.append(f"{VARIABLE} is set here and goes before it: use SLACK=local.")
    if airflow_is_up:
        lines.append("Airflow is up and keeps to what it was started with until then.")
    return "\n".join(lines)


def _known(home: Home) -> tuple[Started, int] | None:
    if not _file(home).exists():
        return None
    known = json.loads(_file(home).read_text())
    return Started(*known["process"]), known["port"]


def _file(home: Home) -> Path:
    return home.state / "slack.json"


def _log(home: Home) -> Path:
    return home.state / "slack.log"
