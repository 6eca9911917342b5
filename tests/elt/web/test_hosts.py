"""DNS rebinding: a page's own name leads to loopback, and only the name tells."""

from __future__ import annotations

import asyncio

import pytest

from elt.web.hosts import KnownHostsAlone, of_airflow, on_loopback, refusal

KNOWN = on_loopback(8080) | {"elt.example.com", "10.0.0.5:8080"}


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
    behind_a_proxy = of_airflow({"AIRFLOW__API__BASE_URL": "https://elt.example.com/airflow"})
    assert behind_a_proxy == on_loopback(8080) | {"elt.example.com"}


def ask(scope: dict) -> tuple[list[dict], bool]:
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
    sent, reached = ask({"type": "http", "headers": evil})
    assert (sent[0]["status"], reached) == (400, False)
    assert b"GREENERY_HOSTS" in sent[1]["body"]
    assert ask({"type": "websocket", "headers": evil})[0][0]["type"] == "websocket.close"
    assert ask({"type": "http", "headers": [(b"host", b"localhost:8080")]}) == ([], True)
    assert ask({"type": "lifespan"}) == ([], True)
