"""The fake Slack itself: what it shows, and how it is made to misbehave."""

from __future__ import annotations

import re
import subprocess
import sys

import httpx
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from devtools.fake_slack import server
from devtools.fake_slack.handler import MODES
from elt.docker.environment import FAKE_CHANNEL, FAKE_TOKEN


@pytest.fixture
def slack():
    with server.running() as running:
        yield running


@pytest.fixture
def page(slack):
    with httpx.Client(base_url=f"http://{slack.address}", trust_env=False) as client:
        yield client


@pytest.fixture
def bot(slack):
    return WebClient(FAKE_TOKEN, base_url=f"http://{slack.address}/api/", retry_handlers=[])


def test_the_page_shows_channel_message_thread_and_update(page, bot):
    first = bot.chat_postMessage(channel=FAKE_CHANNEL, text="*1 test* failed, `a < b`")
    bot.chat_postMessage(channel=FAKE_CHANNEL, text="the SQL", thread_ts=first["ts"])
    shown = page.get("/").text
    assert FAKE_CHANNEL in shown
    assert "<b>1 test</b> failed, <code>a &lt; b</code>" in shown
    assert "1 reply" in shown
    assert "(edited)" not in shown
    bot.chat_update(channel=first["channel"], ts=first["ts"], text="resolved")
    shown = page.get("/").text
    assert "resolved" in shown
    assert "1 test" not in shown
    assert "(edited)" in shown


def test_the_page_asks_nobody_else_for_anything(page, bot):
    bot.chat_postMessage(channel=FAKE_CHANNEL, text="hello")
    assert not re.findall(
        r"(?:src|href|url|action)=?[\"'(]*(?:https?:)?//[^\"')]*", page.get("/").text
    )


def test_data_cannot_become_markup_of_the_page(page, bot):
    bot.chat_postMessage(channel=FAKE_CHANNEL, text="<script>alert(1)</script> &lt;img src=x&gt;")
    shown = page.get("/").text
    assert "<script>" not in shown
    assert "<img" not in shown


@pytest.mark.parametrize("mode", MODES)
def test_the_page_has_a_button_for_each_way_to_misbehave(slack, page, mode):
    form = {"mode": mode, "seconds": "0"}
    assert f'value="{mode}"' in page.get("/").text
    assert page.post("/behave", data=form).headers["Location"] == "/"
    assert slack.mode == mode
    assert re.search(rf'value="{mode}"[^>]*class="now"', page.get("/").text)


def test_an_unknown_way_is_refused_and_changes_nothing(slack, page):
    refused = page.post("/behave", json={"mode": "asleep"})
    assert refused.status_code == 400
    assert "no such mode: asleep" in refused.json()["error"]
    assert slack.mode == "fine"


def test_it_can_refuse_the_token(slack, page, bot):
    page.post("/behave", json={"mode": "knows_no_token"})
    with pytest.raises(SlackApiError, match="invalid_auth"):
        bot.chat_postMessage(channel=FAKE_CHANNEL, text="hello")


def test_the_page_forgets_when_asked(slack, page, bot):
    bot.chat_postMessage(channel=FAKE_CHANNEL, text="hello")
    page.post("/forget", data={})
    assert slack.everything == []
    assert "No message yet" in page.get("/").text


def test_it_listens_on_loopback_alone_unless_told_otherwise(slack):
    assert slack._server.server_address[0] == "127.0.0.1"


def test_a_taken_port_is_said_in_one_sentence(slack):
    done = subprocess.run(
        [sys.executable, "-m", "devtools.fake_slack", "--port", str(slack.port)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.strip() == f"Port {slack.port} can't be listened on: Address already in use."


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "HEAD"])
@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("Host", "evil.example", 400),
        ("Host", "localhost", 400),
        ("Origin", "http://evil.example", 403),
        ("Origin", "null", 403),
    ],
)
def test_a_page_of_somebody_elses_reads_and_changes_nothing(
    slack, page, bot, method, header, value, status
):
    bot.chat_postMessage(channel=FAKE_CHANNEL, text="who is affected")
    for path in ("/", "/messages", "/requests", "/behave", "/forget", "/api/chat.postMessage"):
        refused = page.request(
            method, path, headers={header: value}, data={"mode": "broken", "channel": FAKE_CHANNEL}
        )
        assert refused.status_code == status
        assert "affected" not in refused.text
    assert len(slack.everything) == 1
    assert slack.mode == "fine"


def test_it_is_called_by_each_name_of_loopback_and_those_it_was_given(slack, page):
    slack.hosts |= {"slack:8065"}
    for host in (f"localhost:{slack.port}", f"[::1]:{slack.port}", "slack:8065"):
        assert page.get("/messages", headers={"Host": host}).status_code == 200
    same_page = {"Origin": f"http://127.0.0.1:{slack.port}"}
    assert page.post("/behave", data={"mode": "fine"}, headers=same_page).status_code == 303
