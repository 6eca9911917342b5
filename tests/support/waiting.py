"""Waiting for what happens in another process or thread, no longer than it takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def wait_until(condition: Callable[[], Found], what: str, seconds: float = 60) -> Found:
    """Return what a condition gives as soon as it gives something.

    Raises:
        AssertionError: if it gives nothing within so many seconds.
    """
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"Waited in vain for {what}."
        time.sleep(0.05)
    return found
