"""Who is answered: by the name that is called, and later and later while passwords are guessed."""

from __future__ import annotations

import asyncio
import time

import pytest

from elt import web
from elt.web import (
    FORGIVEN_SECONDS,
    MOST_WAITING,
    KnownHostsAlone,
    SlowLogIn,
    of_airflow,
    on_loopback,
    refusal,
)

# DNS rebinding: a page's own name leads to loopback, and only the name tells
KNOWN = on_loopback(8080) | {"elt.example.com", "10.0.0.5:8080"}
TRY = {"type": "http", "method": "POST", "path": "/auth/token"}


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1:8080", "localhost:8080", "LOCALHOST:8080", "[::1]:8080", "10.0.0.5:8080"),
        *("elt.example.com", "elt.example.com:443", "ELT.example.com"),
    ],
)
def test_known_names_are_answered_and_their_pages_too(host):
    assert refusal([host], [], KNOWN) is None
    assert refusal([host], [f"http://{host}"], KNOWN) is None


@pytest.mark.parametrize(
    "hosts",
    [
        *(["evil.example"], ["evil.example:8080"], ["localhost"], ["127.0.0.1"], ["[::1]"]),
        *(["localhost:9090"], ["127.0.0.1:80"], ["127.0.0.1.evil.example:8080"], ["::1"]),
        *(["localhost.evil.example:8080"], ["evil.example@localhost:8080"], ["127.0.0.2:8080"]),
        *(["localhost:8080@evil"], [], [""], [":8080"], ["localhost:8080", "evil.example"]),
        *(["xelt.example.com"], ["elt.example.com.evil.example"], ["10.0.0.5"]),
        *(["localhost:08080"], ["localhost:8080,evil.example"]),
    ],
    ids=str,
)
def test_every_other_name_is_refused(hosts):
    assert refusal(hosts, [], KNOWN)[0] == 400


@pytest.mark.parametrize(
    "origin",
    [
        *("http://evil.example", "https://evil.example:8080", "null", "", "http://localhost:3000"),
        *(
            "file://",
            "localhost:8080",
            "ftp://localhost:8080",
            "http://localhost:8080.evil.example",
        ),
        "chrome-extension://localhost:8080",
    ],
)
def test_a_page_of_somebody_elses_is_refused_though_it_knows_the_name(origin):
    assert refusal(["localhost:8080"], [origin], KNOWN)[0] == 403


def test_the_names_of_an_airflow_come_from_its_settings():
    local = of_airflow(
        {
            "AIRFLOW__API__PORT": "4711",
            "AIRFLOW__API__BASE_URL": "http://127.0.0.1:4711",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "http://127.0.0.1:4711/execution/",
        }
    )
    assert local == on_loopback(4711)
    docker = of_airflow(
        {
            "AIRFLOW__API__BASE_URL": "http://localhost:8081",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "http://api-server:8080/execution/",
            "GREENERY_BIND": "192.168.1.20",
            "GREENERY_HOSTS": "Elt.example.com, 10.1.1.1:80 ,",
        }
    )
    expected = {"api-server:8080", "192.168.1.20:8080", "192.168.1.20:8081"}
    named = {"elt.example.com", "10.1.1.1:80"}
    assert docker == on_loopback(8080) | on_loopback(8081) | expected | named
    one_of_two = of_airflow({"GREENERY_PORTS": "8090-8091", "GREENERY_BIND": "10.1.1.1"})
    bound = {"10.1.1.1:8090", "10.1.1.1:8091"}
    assert one_of_two == on_loopback(8080) | on_loopback(8090) | on_loopback(8091) | bound
    assert of_airflow({"GREENERY_PORTS": "8090"}) == on_loopback(8080) | on_loopback(8090) | {
        "127.0.0.1:8090"
    }
    behind_a_proxy = of_airflow({"AIRFLOW__API__BASE_URL": "https://elt.example.com/airflow"})
    assert behind_a_proxy == on_loopback(8080) | {"elt.example.com"}


def answers_of(scope: dict) -> tuple[list[dict], bool]:
    """Return what the middleware sends, and whether it handed the request on."""
    sent, reached = [], []

    async def app(*_: object) -> None:
        reached.append(True)

    async def send(message: dict) -> None:
        sent.append(message)

    asyncio.run(KnownHostsAlone(app, KNOWN)(scope, None, send))
    return sent, bool(reached)


def test_nothing_of_a_refused_request_reaches_the_application():
    evil = [(b"Host", b"evil.example")]
    sent, reached = answers_of({"type": "http", "headers": evil})
    assert (sent[0]["status"], reached) == (400, False)
    assert b"GREENERY_HOSTS" in sent[1]["body"]
    assert answers_of({"type": "websocket", "headers": evil})[0][0]["type"] == "websocket.close"
    assert answers_of({"type": "http", "headers": [(b"host", b"localhost:8080")]}) == ([], True)
    assert answers_of({"type": "lifespan"}) == ([], True)


@pytest.fixture
def waits(monkeypatch):
    """The waits before each try, which cost nothing here."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(web.asyncio, "sleep", sleep)
    return waits


def log_in(middleware_of: list, statuses: list[int], scope: dict = TRY) -> list[int]:
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
    assert log_in([], [401] * 10) == [401] * 10
    assert waits == [0, 0, 0, 0.5, 1, 2, 4, 8, 10, 10]


def test_the_right_password_makes_it_quick_again(waits):
    log_in([], [401, 401, 401, 401, 201, 201])
    assert waits == [0, 0, 0, 0.5, 1, 0]


def test_wrong_ones_are_forgiven_after_a_while(waits, monkeypatch):
    made: list[SlowLogIn] = []
    log_in(made, [401] * 4)
    assert made[0].wait() == 1
    later = made[0]._last_wrong + FORGIVEN_SECONDS + 1
    monkeypatch.setattr(web.time, "monotonic", lambda: later)
    assert made[0].wait() == 0


@pytest.mark.parametrize(
    "path", ["/auth/token", "/auth/token/cli", "/auth/token/", "/a/auth/token"]
)
def test_every_way_to_log_in_is_slowed(waits, path):
    log_in([], [401] * 4, TRY | {"path": path})
    assert len(waits) == 4


def test_nothing_else_waits(waits):
    log_in([], [401] * 9, TRY | {"path": "/api/v2/dags"})
    log_in([], [401] * 9, TRY | {"method": "GET"})
    assert waits == []


def test_a_try_that_is_never_sent_to_its_end_keeps_nobody_waiting(monkeypatch):
    monkeypatch.setattr(web, "TRY_SECONDS", 0.05)
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
        many = [slow(TRY, None, send) for _ in range(MOST_WAITING + 5)]
        await asyncio.gather(*many)

    asyncio.run(main())
    assert sorted(sent) == [401] * MOST_WAITING + [429] * 5
