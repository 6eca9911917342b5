"""Who guesses the password of the UI waits longer and longer."""

from __future__ import annotations

import asyncio
import time

import pytest

from elt.web import log_in
from elt.web.log_in import SlowLogIn

TRY = {"type": "http", "method": "POST", "path": "/auth/token"}


@pytest.fixture
def waits(monkeypatch):
    """The waits before each try, which cost nothing here."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(log_in.asyncio, "sleep", sleep)
    return waits


def ask(middleware_of: list, statuses: list[int], scope: dict = TRY) -> list[int]:
    """Return the statuses sent for requests that the application answers with these."""
    answers, sent = iter(statuses), []

    async def app(_scope, _receive, send) -> None:
        await send({"type": "http.response.start", "status": next(answers)})

    async def send(message: dict) -> None:
        sent.append(message["status"])

    async def main() -> None:
        slow = SlowLogIn(app)
        middleware_of.append(slow)
        for _ in statuses:
            await slow(scope, None, send)

    asyncio.run(main())
    return sent


def test_each_wrong_password_doubles_the_wait_up_to_a_limit(waits):
    assert ask([], [401] * 10) == [401] * 10
    assert waits == [0, 0, 0, 0.5, 1, 2, 4, 8, 10, 10]


def test_the_right_password_makes_it_quick_again(waits):
    ask([], [401, 401, 401, 401, 201, 201])
    assert waits == [0, 0, 0, 0.5, 1, 0]


def test_wrong_ones_are_forgiven_after_a_while(waits, monkeypatch):
    made: list[SlowLogIn] = []
    ask(made, [401] * 4)
    assert made[0].wait() == 1
    later = made[0]._last_wrong + log_in.FORGIVEN_SECONDS + 1
    monkeypatch.setattr(log_in.time, "monotonic", lambda: later)
    assert made[0].wait() == 0


@pytest.mark.parametrize(
    "path", ["/auth/token", "/auth/token/cli", "/auth/token/", "/a/auth/token"]
)
def test_every_way_to_log_in_is_slowed(waits, path):
    ask([], [401] * 4, TRY | {"path": path})
    assert len(waits) == 4


def test_nothing_else_waits(waits):
    ask([], [401] * 9, TRY | {"path": "/api/v2/dags"})
    ask([], [401] * 9, TRY | {"method": "GET"})
    assert waits == []


def test_a_try_that_is_never_sent_to_its_end_keeps_nobody_waiting(monkeypatch):
    monkeypatch.setattr(log_in, "TRY_SECONDS", 0.05)
    sent = []

    async def app(_scope, receive, send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 201})

    async def never() -> None:
        await asyncio.Event().wait()

    async def at_once() -> None:
        pass

    async def send(message: dict) -> None:
        if "status" in message:
            sent.append(message["status"])

    async def main() -> None:
        slow = SlowLogIn(app)
        async with asyncio.timeout(10):
            await asyncio.gather(slow(TRY, never, send), slow(TRY, at_once, send))

    asyncio.run(main())
    assert sent == [408, 201]


def test_many_at_once_are_sent_away():
    sent = []

    async def app(_scope, _receive, send) -> None:
        await asyncio.sleep(0.05)
        await send({"type": "http.response.start", "status": 401})

    async def send(message: dict) -> None:
        if "status" in message:
            sent.append(message["status"])

    async def main() -> None:
        slow = SlowLogIn(app)
        # no waits, and not so long ago that it would be forgiven
        slow._wrong, slow._last_wrong = -100, time.monotonic()
        many = [slow(TRY, None, send) for _ in range(log_in.MOST_WAITING + 5)]
        await asyncio.gather(*many)

    asyncio.run(main())
    assert sorted(sent) == [401] * log_in.MOST_WAITING + [429] * 5
