"""Waiting no longer than one wants to, whatever one waits for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

Result = TypeVar("Result")


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
