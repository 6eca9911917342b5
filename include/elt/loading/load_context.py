"""What a load needs from outside, so that tests can give it something else."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from psycopg2.extensions import cursor as Cursor

from elt.loading.files.file_stability import Clock
from elt.loading.files.landing import Landing

Transaction = Callable[[], AbstractContextManager[Cursor]]


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
