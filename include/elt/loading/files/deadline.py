"""How long the load of one file may take: told to the server, and asked at each read of it."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import IO

from psycopg2.extensions import cursor as Cursor

from elt.loading.contract import IN_CONTRACT
from elt.loading.errors import NOTHING_LOADED, RefusedFileError
from elt.loading.files.landing import Landing, SourceFile
from elt.warehouse.time_limit import statement_limit


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
    def opened(self, file: SourceFile) -> Iterator[IO[bytes]]:
        with super().opened(file) as raw:
            yield _Timed(raw, self.deadline)


class _Timed:
    def __init__(self, raw: IO[bytes], deadline: Deadline) -> None:
        self._raw = raw
        self._deadline = deadline

    def read(self, size: int = -1, /) -> bytes:
        self._deadline.check()
        return self._raw.read(size)
