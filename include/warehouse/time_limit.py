"""How long a task may take, from one variable: Airflow ends it then, the server a bit before."""

from __future__ import annotations

import logging
import os
from datetime import timedelta

log = logging.getLogger(__name__)

VARIABLE = "GREENERY_TASK_MINUTES"
USUAL_MINUTES = 30.0
# what the server is ahead of Airflow, which can't interrupt a task that waits for the server
AHEAD = timedelta(minutes=1)


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
