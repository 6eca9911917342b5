"""What has ended while a run was waited for, where an error says only that nobody answers."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import httpx
import psycopg2

from devtools.local import postgres, services
from devtools.local.services import ServicesError
from devtools.local.state_folder import Home

# who is being ended may have stopped answering before
NOTICE_SECONDS = 10
AFTER = "The next `make run` ends that run as failed, and starts anew."


@contextlib.contextmanager
def deaths_in_words(home: Home) -> Iterator[None]:
    """Turn what comes of a death of Airflow or Postgres into a ServicesError that names it."""
    try:
        yield
    except (ServicesError, httpx.HTTPError, psycopg2.Error) as error:
        found = _what_ended(home, error)
        if not found:
            raise
        raise ServicesError(f"{found}\n{AFTER}") from error


def watch(home: Home) -> None:
    """Look whether all that a run needs goes on.

    Raises:
        ServicesError: if something has ended; the message names it.
    """
    if not home.state.exists():
        raise ServicesError(f"{home.state} was deleted meanwhile (`make reset`?).")
    if not postgres.is_running(home.state):
        raise ServicesError(
            "The local Postgres has ended meanwhile (`make down`, or it was killed or died). "
            f"Its log: {postgres.log(home.state)}"
        )
    services.watch(home)


def _what_ended(home: Home, error: Exception) -> str | None:
    deadline = time.monotonic() + NOTICE_SECONDS
    while True:
        try:
            watch(home)
        except ServicesError as ended:
            return str(ended)
        if not isinstance(error, httpx.HTTPError) or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    if isinstance(error, httpx.HTTPError):
        return f"Airflow does not answer as it should: {error}. Its logs are in {home.logs}."
    return None
