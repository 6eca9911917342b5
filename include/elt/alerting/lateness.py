"""Is anything late? Times in, failures out."""

from __future__ import annotations

import logging
import os
from datetime import datetime, timedelta

from elt.alerting.messages.phrases import duration
from elt.alerting.report import Failure

log = logging.getLogger(__name__)

# the DAG runs daily; a run takes minutes
EVERY = timedelta(days=1)
GRACE = timedelta(minutes=30)
MOST_AGE = EVERY + timedelta(hours=2)
# of a run
MOST_TIME = timedelta(hours=2)


def _hours(name: str, default: timedelta) -> timedelta:
    """Return a time that an environment variable gives in hours; what is no such time is logged."""
    said = os.environ.get(name)
    try:
        hours = timedelta(hours=float(said)) if said else default
        if hours > timedelta(0):
            return hours
    except (ValueError, OverflowError):
        pass
    usual = duration(default.total_seconds())
    log.warning("%s=%s is no number of hours above 0, so it is %s.", name, said, usual)
    return default


def most_age() -> timedelta:
    """Return how old the last publication may become."""
    return _hours("GREENERY_LATE_HOURS", MOST_AGE)


def most_time() -> timedelta:
    """Return how long a run may take."""
    return _hours("GREENERY_RUN_HOURS", MOST_TIME)


def late(
    now: datetime,
    published_at: datetime | None,
    newest_due_at: datetime | None,
    at_work: bool,
    most_age: timedelta = MOST_AGE,
) -> list[Failure]:
    """Return what is late at a moment; times are UTC.

    Args:
        published_at: of the last publication; None: nothing was ever published, so nobody waits.
        newest_due_at: when the newest scheduled run was due; None: no run was ever scheduled.
        at_work: whether a run is at work or waits to begin.
        most_age: how old the last publication may become.
    """
    found = []
    if newest_due_at and now > newest_due_at + EVERY + GRACE and not at_work:
        due = newest_due_at + EVERY
        sentence = (
            f"The run that was due on {due:%-d %b %Y at %H:%M} UTC has not begun. "
            "Is the DAG paused, or the scheduler down?"
        )
        found.append(Failure("late", "late:begin", sentence, seen_at=now))
    if published_at and now - published_at > most_age:
        age = duration((now - published_at).total_seconds())
        limit = duration(most_age.total_seconds())
        sentence = f"Nothing was published for {age}; {limit} is the most it may be"
        found.append(Failure("late", "late:publication", sentence, seen_at=now))
    return found
