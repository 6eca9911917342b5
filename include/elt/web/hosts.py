"""By which names a server may be called, since a page of anybody's can lead its own name to us.

A browser lets the page of `evil.example` read what `evil.example` answers, and who owns that name
may have it point to 127.0.0.1 a moment later. Only the name tells: `Host`, and `Origin` of a page
that sends something. Pure, but for the ASGI class that asks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any
from urllib.parse import urlsplit

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
OWN_PORT = "8080"
Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Any, Send], Awaitable[None]]


def on_loopback(port: int | str) -> frozenset[str]:
    return frozenset(f"{name}:{port}" for name in LOOPBACK)


def of_airflow(variables: Mapping[str, str]) -> frozenset[str]:
    """Return by which names an Airflow with this environment may be called.

    Those are loopback, with its own port and with that of a base URL there; its base URL, and the
    one that tasks call; the address that it is bound to; and what GREENERY_HOSTS names, parted by
    commas. A name without a port serves with each.
    """
    known = set(on_loopback(variables.get("AIRFLOW__API__PORT") or OWN_PORT))
    for name in ("API__BASE_URL", "CORE__EXECUTION_API_SERVER_URL"):
        url = urlsplit(variables.get(f"AIRFLOW__{name}", ""))
        known |= {url.netloc.lower()}
        if url.port:
            bound = variables.get("GREENERY_BIND") or LOOPBACK[0]
            known |= {f"{bound}:{url.port}"}
            known |= on_loopback(url.port) if is_known(url.netloc, LOOPBACK) else set()
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
