"""A log-in that answers later and later while wrong passwords come."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from elt.web.hosts import App, Message, Send

# of Airflow's simple auth manager
PATHS = ("/auth/token", "/auth/token/cli", "/auth/token/login", "/auth/login")
FREE_TRIES = 3
FIRST_WAIT, LONGEST_WAIT = 0.5, 10.0
# after so long without a wrong one all is forgotten
FORGIVEN_SECONDS = 300
# more are sent away
MOST_WAITING = 20
# of one try: whoever never sends all of it must not keep the others waiting
TRY_SECONDS = 10.0


class SlowLogIn:
    """An ASGI middleware: one try at a time, each after a wait that doubles with every wrong one.

    The tries of all are counted together: who guesses may come from many addresses. So while
    somebody guesses the right one waits as well; a proxy that counts by address is better.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._one_at_a_time = asyncio.Lock()
        self._waiting = 0
        self._wrong = 0
        self._last_wrong = 0.0

    async def __call__(self, scope: Message, receive: Any, send: Send) -> None:
        """Answer a try to log in after its wait; hand everything else on."""
        is_try = scope["type"] == "http" and scope["method"] == "POST" and _is_log_in(scope["path"])
        if not is_try:
            return await self._app(scope, receive, send)

        is_answered = False

        async def note(message: Message) -> None:
            nonlocal is_answered
            if message["type"] == "http.response.start":
                is_answered = True
                self._note(message["status"])
            await send(message)

        if self._waiting >= MOST_WAITING:
            return await _send_away(send, 429, b"Too many try to log in.\n")
        self._waiting += 1
        try:
            async with self._one_at_a_time:
                await asyncio.sleep(self.wait())
                async with asyncio.timeout(TRY_SECONDS):
                    await self._app(scope, receive, note)
        except TimeoutError:
            if not is_answered:
                await _send_away(send, 408, b"This try to log in took too long.\n")
        finally:
            self._waiting -= 1

    def wait(self) -> float:
        """Return for how many seconds the next try has to wait."""
        if time.monotonic() - self._last_wrong > FORGIVEN_SECONDS:
            self._wrong = 0
        if self._wrong < FREE_TRIES:
            return 0.0
        return min(FIRST_WAIT * 2 ** min(self._wrong - FREE_TRIES, 10), LONGEST_WAIT)

    def _note(self, status: int) -> None:
        if status in (401, 403):
            self._wrong += 1
            self._last_wrong = time.monotonic()
        elif status < 400:
            self._wrong = 0


async def _send_away(send: Send, status: int, words: bytes) -> None:
    headers = [(b"retry-after", b"60"), (b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": words})


def _is_log_in(path: str) -> bool:
    return path.rstrip("/").endswith(PATHS)
