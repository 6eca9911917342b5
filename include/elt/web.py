"""Who is answered by the pages that people open: Airflow's UI and API, and the fake Slack.

A browser lets the page of `evil.example` read what `evil.example` answers, and who owns that name
may have it point to 127.0.0.1 a moment later. Only the name tells: `Host`, and `Origin` of a page
that sends something. And a log-in answers later and later while wrong passwords come.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any
from urllib.parse import urlsplit

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
OWN_PORT = "8080"
Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Any, Send], Awaitable[None]]
# of Airflow's simple auth manager
LOG_IN_PATHS = ("/auth/token", "/auth/token/cli", "/auth/token/login", "/auth/login")
FREE_TRIES = 3
FIRST_WAIT, LONGEST_WAIT = 0.5, 10.0
# after so long without a wrong one all is forgotten
FORGIVEN_SECONDS = 300
# more are sent away
MOST_WAITING = 20
# of one try: whoever never sends all of it must not keep the others waiting
TRY_SECONDS = 10.0


def on_loopback(port: int | str) -> frozenset[str]:
    """Return the names by which a server of this machine is called, with its port."""
    return frozenset(f"{name}:{port}" for name in LOOPBACK)


def of_airflow(variables: Mapping[str, str]) -> frozenset[str]:
    """Return by which names an Airflow with this environment may be called.

    Those are loopback, with its own port and with that of a base URL there; its base URL, and the
    one that tasks call; the address that it is bound to; both with each port of the range
    GREENERY_PORTS, one of which is its; and what GREENERY_HOSTS names, parted by commas. A name
    without a port serves with each.
    """
    bound = variables.get("GREENERY_BIND") or LOOPBACK[0]
    known = set(on_loopback(variables.get("AIRFLOW__API__PORT") or OWN_PORT))
    for name in ("API__BASE_URL", "CORE__EXECUTION_API_SERVER_URL"):
        url = urlsplit(variables.get(f"AIRFLOW__{name}", ""))
        known |= {url.netloc.lower()}
        if url.port:
            known |= {f"{bound}:{url.port}"}
            known |= on_loopback(url.port) if is_known(url.netloc, LOOPBACK) else set()
    if ports := variables.get("GREENERY_PORTS"):
        first, _, last = ports.partition("-")
        for port in range(int(first), int(last or first) + 1):
            known |= {f"{bound}:{port}"} | on_loopback(port)
    named = variables.get("GREENERY_HOSTS", "").lower().split(",")
    return frozenset({*known, *(name.strip() for name in named)} - {""})


def is_known(netloc: str, known: Iterable[str]) -> bool:
    """Tell whether a host, with or without a port, is among those known."""
    name, colon, port = netloc.lower().rpartition(":")
    if not colon or not port.isdigit():
        name = netloc.lower()
    return bool(name) and not {name, netloc.lower()}.isdisjoint(known)


def refusal(hosts: list[str], origins: list[str], known: Iterable[str]) -> tuple[int, str] | None:
    """Return with which status and words a request is refused, or None.

    Args:
        hosts: the values of its header Host: one, or it is refused.
        origins: those of its header Origin: none if no page sent it.
    """
    if len(hosts) != 1 or not is_known(hosts[0], known):
        return 400, (
            "This name does not lead here. On this machine use http://localhost and the port. "
            "Behind a proxy or beyond this machine, name the host in GREENERY_HOSTS.\n"
        )
    for origin in origins:
        scheme, _, netloc = origin.partition("://")
        if scheme not in ("http", "https") or not is_known(netloc, known):
            return 403, "A page of somebody else's may not ask here.\n"
    return None


class KnownHostsAlone:
    """An ASGI middleware that lets nothing through that is called by another name."""

    def __init__(self, app: App, known: Iterable[str]) -> None:
        self._app = app
        self._known = frozenset(known)

    async def __call__(self, scope: Message, receive: Any, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        refused = refusal(_values(scope, b"host"), _values(scope, b"origin"), self._known)
        if not refused:
            return await self._app(scope, receive, send)
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": 1008})
        status, words = refused
        headers = [(b"content-type", b"text/plain; charset=utf-8")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": words.encode()})


def _values(scope: Message, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name]


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
        return min(FIRST_WAIT * 2.0 ** min(self._wrong - FREE_TRIES, 10), LONGEST_WAIT)

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
    return path.rstrip("/").endswith(LOG_IN_PATHS)
