"""A message to people is in ``ops.notification`` before it is sent, and sent by one at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import Json

from include.warehouse.connection import transaction


class Claim:
    """The right to send one message. ``take`` it, send, and ``settle`` it.

    It is a lock on the message's row, so it goes with its holder: if that dies while sending, the
    message is pending and free again, whatever the clock says.
    """

    def __init__(
        self,
        key: str,
        run_id: str,
        channel: str | None,
        payload: Mapping[str, Any],
        timeout_seconds: int,
    ) -> None:
        self._row = (key, run_id, channel, Json(payload))
        self._key = key
        self._timeout = timeout_seconds
        self._stack = contextlib.ExitStack()
        self._cursor: Cursor | None = None

    def take(self) -> bool:
        """Keep the message; return whether it is ours to send: not sent, nor being sent."""
        with contextlib.ExitStack() as first:
            self._open(first).execute(
                """
                insert into ops.notification (notification_key, run_id, channel, payload, state)
                values (%s, %s, %s, %s, 'pending')
                on conflict (notification_key) do nothing
                """,
                self._row,
            )
        self._cursor = self._open(self._stack)
        self._cursor.execute(
            """
            select from ops.notification
            where notification_key = %s and state <> 'sent'
            for update skip locked
            """,
            (self._key,),
        )
        is_ours = self._cursor.rowcount == 1
        if not is_ours:
            self._stack.close()
        return is_ours

    def settle(self, error: str | None) -> None:
        """Say how sending went, and let go: sent, or failed with the error."""
        with self._stack:
            self._cursor.execute(
                """
                update ops.notification
                set state = case when %(error)s is null then 'sent' else 'failed' end,
                    sent_at = case when %(error)s is null then clock_timestamp() end,
                    error = %(error)s
                where notification_key = %(key)s
                """,
                {"key": self._key, "error": error},
            )

    def _open(self, stack: contextlib.ExitStack) -> Cursor:
        cursor = stack.enter_context(transaction("loader", timeout_seconds=self._timeout))
        cursor.execute("select set_config('statement_timeout', %s, true)", (f"{self._timeout}s",))
        return cursor
