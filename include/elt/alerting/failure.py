"""One thing that failed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Kind = Literal["late", "run", "load", "task", "model", "test"]


@dataclass(frozen=True)
class Failure:
    """One thing that failed. ``key`` says what, whatever the run and the numbers."""

    kind: Kind
    key: str
    sentence: str
    task_id: str | None = None
    unique_id: str | None = None
    owner: str | None = None
    tags: tuple[str, ...] = ()
    failures: int | None = None
    seen_at: datetime | None = None
    # how it went in the runs before, in words
    history: str | None = None
