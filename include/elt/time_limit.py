"""How long things may take: a task and its statements, and whatever an alert waits for.

A task's limit is one variable: Airflow ends it then, the server a bit before.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import psycopg2
from airflow.sdk import RetryDecision, RetryPolicy
from airflow.sdk.exceptions import AirflowTaskTimeout

log = logging.getLogger(__name__)

VARIABLE = "GREENERY_TASK_MINUTES"
USUAL_MINUTES = 30.0
# what the server is ahead of Airflow, which can't interrupt a task that waits for the server
AHEAD = timedelta(minutes=1)

Result = TypeVar("Result")


def task_limit() -> timedelta:
    """Return how long a task may take; a variable that is no such time is logged and left alone."""
    said = os.environ.get(VARIABLE)
    try:
        limit = timedelta(minutes=float(said or USUAL_MINUTES))
        if limit > timedelta(0):
            return limit
    except (ValueError, OverflowError):
        pass
    log.warning("%s=%s is no number of minutes above 0: it is %g.", VARIABLE, said, USUAL_MINUTES)
    return timedelta(minutes=USUAL_MINUTES)


def statement_limit() -> timedelta:
    """Return how long one statement of a task may take."""
    limit = task_limit()
    return limit - min(AHEAD, limit / 10)


def statement_timeout() -> str:
    """Return the same as the server's setting ``statement_timeout``."""
    return f"{max(1, round(statement_limit().total_seconds() * 1000))}ms"


def ran_for(context: Mapping[str, Any] | None) -> timedelta | None:
    """Return how long the task of a context has been at work, None where that is not known."""
    started_at = getattr((context or {}).get("ti"), "start_date", None)
    return datetime.now(UTC) - started_at if started_at else None


def is_out_of_time(error: Any, context: Mapping[str, Any] | None) -> bool:
    """Tell whether a task was stopped because it took too long.

    What a task calls may catch Airflow's signal and raise an error of its own, as dbt does.
    """
    if isinstance(error, AirflowTaskTimeout | psycopg2.errors.QueryCanceled):
        return True
    took = ran_for(context)
    limit = getattr((context or {}).get("task"), "execution_timeout", None)
    return took is not None and limit is not None and took >= limit


class NotAfterItsTimeLimit(RetryPolicy):
    """What took too long once would do so again; all else is tried as often as its task says."""

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Any = None
    ) -> RetryDecision:
        """Decide whether a task that failed is tried again.

        Args:
            exception: what it failed with.
            try_number: Airflow's count of its tries; it decides nothing here.
            max_tries: how many Airflow allows it; that decides nothing here.
            context: Airflow's, of the task: since when it runs, and how long it may.
        """
        if not is_out_of_time(exception, context):
            return RetryDecision.default()
        return RetryDecision.fail(f"It would take as long again. {VARIABLE} says how long it may.")


def within(seconds: float, function: Callable[..., Result], *arguments: Any) -> Result:
    """Return what a function returns, or give up on it; it may still end later, unheard.

    Timeouts of sockets are not enough: they start anew with each byte, and none covers a name
    that is looked up.

    Raises:
        TimeoutError: if it takes longer.
    """
    outcome: list[Result] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(function(*arguments))
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run, name="greenery-alert", daemon=True)
    thread.start()
    thread.join(seconds)
    if failure:
        raise failure[0]
    if not outcome:
        raise TimeoutError(f"no answer within {seconds:g} s")
    return outcome[0]


class Deadline:
    """How much of a time is left."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self, most: float = float("inf")) -> float:
        """Return the seconds that are left, at most so many, never less than 0."""
        return max(0.0, min(most, self._end - time.monotonic()))

    def sleep(self, seconds: float) -> None:
        """Wait, but not beyond the deadline."""
        time.sleep(self.left(seconds))
