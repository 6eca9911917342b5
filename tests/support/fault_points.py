"""Places where a load can die: each statement, each read or write of a COPY, around each commit."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from unittest import mock

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

KILLED = 137
# how far from one fault point that is tried to the next: a sample before each landing, all at night
STEPS = pytest.mark.parametrize(
    # a prime, so that it does not always fall on the same one of a pair
    "step",
    [pytest.param(7, id="sample"), pytest.param(1, id="each", marks=pytest.mark.rare)],
)


@dataclass
class FaultPoints:
    """Counts the places that are passed, and does something at one of them."""

    fatal: int
    strike: Callable[[], None]
    passed: int = 0

    def step(self) -> None:
        self.passed += 1
        if self.passed == self.fatal:
            self.strike()

    @contextlib.contextmanager
    def armed(self) -> Iterator[None]:
        """Watch all connections that are opened in this process meanwhile."""
        step = self.step

        class WatchedFile:
            def __init__(self, file: Any) -> None:
                self.file = file

            def read(self, size: int) -> bytes:
                step()
                return self.file.read(size)

            def write(self, data: bytes) -> int:
                step()
                return self.file.write(data)

        class WatchedCursor(Cursor):
            def execute(self, query: Any, values: Any = None) -> None:
                step()
                super().execute(query, values)

            def copy_expert(self, query: Any, file: Any, size: int = 8192) -> None:
                step()
                super().copy_expert(query, WatchedFile(file), size)

        class WatchedConnection(Connection):
            def commit(self) -> None:
                step()
                super().commit()
                step()

        connect = psycopg2.connect

        def watched(*arguments: Any, **named: Any) -> Connection:
            opened = connect(*arguments, connection_factory=WatchedConnection, **named)
            opened.cursor_factory = WatchedCursor
            return opened

        with mock.patch("psycopg2.connect", watched):
            yield


def killed_at(fatal: int, action: Callable[[], object]) -> bool:
    """Do something in a process of its own that is killed at one of its fault points.

    Return whether it was: an action with fewer points ends well.
    """
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with FaultPoints(fatal, lambda: os._exit(KILLED)).armed():
                action()
            code = 0
        except BaseException:
            traceback.print_exc(file=sys.__stderr__)
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, KILLED), f"the load failed on its own before its fault point {fatal}"
    return code == KILLED
