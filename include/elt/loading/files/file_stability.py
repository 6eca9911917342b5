"""A file that is still being written is left alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from elt.loading.files.landing import SourceFile


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Clock:
    """The time functions of the edge. ``now`` is in UTC, ``sleep`` takes seconds."""

    now: Callable[[], datetime] = _now
    sleep: Callable[[float], None] = time.sleep


def wait_until_settled(
    look: Callable[[], SourceFile], clock: Clock, settle_seconds: float, looks: int = 4
) -> SourceFile | None:
    """Return the file once it has been still for ``settle_seconds``, or None if it keeps changing.

    A file that is old enough is returned at once, and so is one of a store that keeps no time. A
    file from the future (a clock is wrong somewhere) only has to stay as it is for that long.
    """
    file = look()
    for _ in range(looks):
        wait = seconds_to_wait(file, clock.now(), settle_seconds)
        if wait <= 0:
            return file
        clock.sleep(wait)
        again = look()
        if again == file:
            return file
        file = again
    return None


def seconds_to_wait(file: SourceFile, now: datetime, settle_seconds: float) -> float:
    """Return how many seconds a file must still lie unchanged; 0 or less means none."""
    if file.modified_at is None:
        return 0
    age = (now - file.modified_at).total_seconds()
    return settle_seconds - max(age, 0)
