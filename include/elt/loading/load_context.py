"""What a load needs from outside, and the time it may take: tests can give it something else."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from psycopg2.extensions import cursor as Cursor

from elt.errors import NOTHING_LOADED, RefusedFileError
from elt.loading.contract import IN_CONTRACT
from elt.loading.files.landing import Landing, Readable, SourceFile
from elt.time_limit import statement_limit

Transaction = Callable[[], AbstractContextManager[Cursor]]


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Clock:
    """The time functions of the edge. ``now`` is in UTC, ``sleep`` takes seconds."""

    now: Callable[[], datetime] = _now
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class Loader:
    """What a load needs from outside. ``transaction`` yields a cursor as the role loader.

    A file younger than ``settle_seconds`` is watched until it is that old. ``confirm_shrunk`` names
    tables whose snapshot may lose more than half of its rows.
    """

    landing: Landing
    transaction: Transaction
    run_id: str
    confirm_shrunk: Collection[str] = ()
    settle_seconds: float = 2.0
    clock: Clock = field(default_factory=Clock)


class Deadline:
    """When the load of a file must be over. Without ``minutes`` it never is.

    The task has a limit of its own (``GREENERY_TASK_MINUTES``), for all files of a table.
    """

    def __init__(self, now: Callable[[], datetime], minutes: float | None = None) -> None:
        self._now = now
        self._minutes = minutes
        self._ends_at: datetime | None = None

    def start(self, cursor: Cursor) -> None:
        """Begin to count, once what was to be waited for is there."""
        if self._minutes is not None:
            self._ends_at = self._now() + timedelta(minutes=self._minutes)
            self.limit_statements(cursor)

    def limit_statements(self, cursor: Cursor) -> None:
        """Let no statement of the transaction take longer than what is left.

        Raises:
            RefusedFileError: if nothing is.
        """
        self.check()
        if self._ends_at is not None:
            left = min(self._ends_at - self._now(), statement_limit())
            cursor.execute(
                "select set_config('statement_timeout', %s, true)",
                (f"{max(1, math.ceil(left.total_seconds() * 1000))}ms",),
            )

    def check(self) -> None:
        """Raise RefusedFileError if it is over."""
        if self.is_over():
            raise self.refusal()

    def is_over(self) -> bool:
        """Tell whether the time is up."""
        return self._ends_at is not None and self._now() >= self._ends_at

    def refusal(self) -> RefusedFileError:
        """Return the refusal of a file that takes too long."""
        return RefusedFileError(
            "time",
            f"took more than {self._minutes:g} minutes to load, its limit",
            remedy=f"{NOTHING_LOADED} Deliver it in parts, or raise `max_minutes` {IN_CONTRACT}.",
        )

    def landing(self, landing: Landing) -> Landing:
        """Return the landing folder with files that can be read until it is over."""
        return _TimedLanding(landing.root, landing.url, self)


@dataclass(frozen=True)
class _TimedLanding(Landing):
    deadline: Deadline

    @contextlib.contextmanager
    def opened(self, file: SourceFile) -> Iterator[Readable]:
        with super().opened(file) as raw:
            yield _Timed(raw, self.deadline)


class _Timed:
    def __init__(self, raw: Readable, deadline: Deadline) -> None:
        self._raw = raw
        self._deadline = deadline

    def read(self, size: int, /) -> bytes:
        self._deadline.check()
        return self._raw.read(size)
