"""Rows straight from one Postgres into another: binary COPY out, through a pipe, binary COPY in."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import IO, cast

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from elt.errors import EltError

BUFFER_BYTES = 1 << 18


def copy_through(
    source: Cursor,
    select: sql.Composable,
    target: Cursor,
    into: sql.Composable,
    *,
    is_made_here: bool = False,
) -> int:
    """Copy the rows of a query on one server into a table on another, and return how many.

    The source's transaction, and with it its snapshot, outlives a failure of either side.

    Args:
        source: a cursor on the server that is read.
        select: the query.
        target: a cursor on the server that is written.
        into: a table with its list of columns, of exactly the types that ``select`` returns.
        is_made_here: the table was made in the target's transaction; then it costs less.

    Raises:
        SourceSideError: with what the source said.
        psycopg2.Error: what the target said. The words of both may quote the data.
    """
    copy_out = sql.SQL("copy ({}) to stdout (format binary)").format(select).as_string(source)
    copy_in = sql.SQL("copy {} from stdin (format binary, freeze {})").format(
        into, sql.SQL("true" if is_made_here else "false")
    )
    try:
        source.execute("savepoint before_copy")
    except psycopg2.Error as error:
        raise SourceSideError(error) from None
    flow = _Flow(source, copy_out)
    try:
        # psycopg2 calls nothing but read()
        target.copy_expert(copy_in.as_string(target), cast(IO[bytes], flow), size=BUFFER_BYTES)
    except BaseException:
        flow.stop()
        if flow.error is None:
            raise
    finally:
        flow.close()
        with contextlib.suppress(psycopg2.Error):  # a lost connection has said so already
            source.execute("rollback to savepoint before_copy")
    if flow.error is not None:
        raise SourceSideError(flow.error)
    return target.rowcount


class SourceSideError(EltError):
    """The source failed while it was read; ``cause`` is what it said."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(type(cause).__name__)
        self.cause = cause


class _Flow:
    """The pipe, and the thread that copies the source into it."""

    def __init__(self, source: Cursor, copy_out: str) -> None:
        self.error: Exception | None = None
        self._is_whole = False
        self._source = source
        self._is_stopped = False
        self._reading_end, writing_end = os.pipe()
        self._sender = threading.Thread(
            target=self._send, args=(copy_out, writing_end), daemon=True
        )
        self._sender.start()

    def read(self, size: int) -> bytes:
        """Return what has come, and nothing at the end of a copy that is whole."""
        data = os.read(self._reading_end, size)
        # half a copy must not look like a whole one; the true error is told outside
        if not data and not self._is_whole:
            raise BrokenPipeError("the source failed")
        return data

    def stop(self) -> None:
        """End the copy early; what is still in the pipe is thrown away."""
        self._is_stopped = True
        if self._sender.is_alive():
            with contextlib.suppress(psycopg2.Error):
                self._source.connection.cancel()
        while os.read(self._reading_end, BUFFER_BYTES):
            pass

    def close(self) -> None:
        self._sender.join()
        os.close(self._reading_end)

    def _send(self, copy_out: str, writing_end: int) -> None:
        with open(writing_end, "wb", buffering=BUFFER_BYTES) as pipe:
            try:
                self._source.copy_expert(copy_out, pipe)
                self._is_whole = True
            except Exception as error:
                if not self._is_stopped:
                    self.error = error
