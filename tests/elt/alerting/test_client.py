from __future__ import annotations

import json
import logging
import time

import pytest
from slack_sdk import WebClient, WebhookClient

from devtools.fake_slack.server import FakeSlack
from elt.alerting.channels import somebody_is_told
from elt.alerting.slack.client import Slack
from elt.alerting.slack.settings import (
    Channel,
    ChannelError,
    find_channel,
)
from elt.docker.environment import FAKE_CHANNEL, FAKE_TOKEN
from elt.time_limit import Deadline
from tests.support.waiting import wait_until

BOT = Channel("slack", FAKE_CHANNEL)
WEBHOOK = Channel("slackwebhook", None)
TEXT = {"type": "mrkdwn", "text": "• 12 rows"}
PAYLOAD = {"text": "Greenery run failed", "blocks": [{"type": "section", "text": TEXT}]}


@pytest.fixture(params=["bot", "webhook"])
def channel(request: pytest.FixtureRequest, slack: FakeSlack, monkeypatch) -> Channel:
    if request.param == "bot":
        return BOT
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_SLACK", slack.webhook_connection())
    return WEBHOOK


def send(channel: Channel, answer_seconds: float = 2, seconds: float = 4):
    slack = Slack(channel, Deadline(seconds), answer_seconds)
    return slack.post(channel.name, PAYLOAD, key="k")


def test_a_message_arrives_whole(slack, channel):
    assert find_channel() == channel
    assert send(channel).error is None
    (message,) = slack.messages
    assert (message["text"], message["blocks"]) == (PAYLOAD["text"], PAYLOAD["blocks"])
    assert message["channel"] == channel.name


def test_a_proxy_in_the_environment_is_not_asked_for_a_host_it_is_not_for(
    slack, channel, monkeypatch
):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert send(channel).error is None


def test_a_slack_that_is_down_surely_did_not_take_it(slack, channel):
    slack.go_down()
    outcome = send(channel)
    assert "can't be reached" in outcome.error
    assert outcome.again_after == 1
    assert not outcome.is_unclear


@pytest.mark.parametrize(("mode", "seconds"), [("slow", 1.5), ("trickling", 0.2)])
def test_a_slow_slack_is_not_waited_for_and_not_asked_again(slack, channel, mode, seconds):
    slack.behave(mode, seconds)
    before = time.monotonic()
    outcome = send(channel, answer_seconds=0.3)
    assert "may have arrived" in outcome.error
    assert outcome.is_unclear
    assert time.monotonic() - before < 1.4
    # on a busy machine it hears of the request only after it was given up
    assert len(wait_until(lambda: slack.requests, "the request")) == 1


def test_a_message_whose_reply_is_lost_may_have_arrived(slack, channel):
    slack.behave("drops_the_reply")
    outcome = send(channel)
    assert "may have arrived" in outcome.error
    assert outcome.is_unclear
    assert len(slack.messages) == 1


def test_a_rate_limit_says_when_to_come_again(slack, channel):
    slack.behave("rate_limited", 30)
    outcome = send(channel)
    assert "rate limited" in outcome.error
    assert outcome.again_after == 30


def test_without_time_nothing_is_asked(slack, channel):
    assert "no time left" in send(channel, seconds=0).error
    assert slack.requests == []


def test_a_message_is_found_by_its_key_wherever_it_is_in_the_history(slack, monkeypatch):
    bot = Slack(BOT, Deadline(20))
    first = bot.post(FAKE_CHANNEL, PAYLOAD, key="ours")
    for _ in range(5):
        bot.post(FAKE_CHANNEL, PAYLOAD, key="another")
    slack.page = 2
    channel_id, ts = first.answer["channel"], first.answer["ts"]
    assert bot.find(channel_id, "ours", 0).answer["ts"] == ts
    assert bot.find(channel_id, "nobody's", 0).answer == {}
    assert bot.find(channel_id, "ours", time.time() + 60).answer == {}
    reply = bot.post(FAKE_CHANNEL, PAYLOAD, key="a reply", thread_ts=ts)
    assert bot.find(channel_id, "a reply", 0).answer == {}
    assert bot.find(channel_id, "a reply", 0, ts).answer["ts"] == reply.answer["ts"]


def test_an_update_leaves_nothing_of_what_was_shown(slack):
    bot = Slack(BOT, Deadline(20))
    answer = bot.post(FAKE_CHANNEL, PAYLOAD, key="k").answer
    assert bot.update(answer["channel"], answer["ts"], {"text": "mended"}, key="k").error is None
    (message,) = slack.messages
    assert (message["text"], message["blocks"]) == ("mended", None)
    assert message["metadata"]["event_payload"] == {"key": "k"}


def test_blocks_that_slack_refuses_are_left_out(slack, channel):
    slack.behave("hates_blocks")
    outcome = send(channel)
    assert (outcome.error, outcome.is_plain) == (None, True)
    (message,) = slack.messages
    assert message["blocks"] is None
    assert message["text"] == PAYLOAD["text"]


def test_a_broken_slack_is_told_without_its_page(slack, channel):
    slack.behave("broken")
    assert send(channel).error == "Slack refused the message (HTTP 503)."


@pytest.mark.parametrize(
    ("token", "name", "says"),
    [
        ("xoxb-wrong", FAKE_CHANNEL, "does not accept the token"),
        (FAKE_TOKEN, "#nowhere", "correct it in the extra"),
        (FAKE_TOKEN, "#elsewhere", "type `/invite @its-name` there"),
    ],
    ids=["token", "channel", "without-the-bot"],
)
def test_a_bots_refusal_says_what_to_do(slack, monkeypatch, token, name, says):
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_SLACK", slack.bot_connection(token, name))
    outcome = send(Channel("slack", name))
    assert says in outcome.error
    assert token not in outcome.error
    assert len(slack.requests) == 1


def test_a_webhooks_refusal_says_what_to_do(slack, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_SLACK", slack.webhook_connection("T0/B0/GONE"))
    outcome = send(WEBHOOK)
    assert "make a new one" in outcome.error
    assert "GONE" not in outcome.error


@pytest.mark.parametrize(
    ("channel", "client", "method"),
    [(BOT, WebClient, "api_call"), (WEBHOOK, WebhookClient, "send_dict")],
    ids=["bot", "webhook"],
)
def test_slacks_own_client_logs_nothing_for_it_would_log_the_secret_url(
    slack, monkeypatch, channel, client, method
):
    monkeypatch.setenv(
        "AIRFLOW_CONN_GREENERY_SLACK",
        slack.bot_connection() if channel == BOT else slack.webhook_connection(),
    )
    seen = []
    monkeypatch.setattr(client, method, lambda self, *_, **__: seen.append(self.logger) or 1 / 0)
    send(channel)
    assert [logger.isEnabledFor(logging.CRITICAL) for logger in seen] == [False]


def test_no_secret_is_logged(slack, channel, caplog, capfd):
    caplog.set_level("DEBUG")
    send(channel)
    slack.go_down()
    send(channel, seconds=1)
    logged = caplog.text + "".join(capfd.readouterr())
    assert FAKE_TOKEN not in logged
    assert "T0/B0/X" not in logged


@pytest.mark.parametrize(
    ("connection", "says"),
    [
        ({"conn_type": "http", "password": "x"}, "has the type http"),
        ({"conn_type": "slack", "extra": {"channel": "#x"}}, "has no password"),
        ({"conn_type": "slack", "password": "x"}, "names no channel"),
        (
            {"conn_type": "slack", "password": "x", "extra": {"channel": "#x", "routes": ["#y"]}},
            "`routes` in the extra",
        ),
    ],
    ids=["type", "password", "channel", "routes"],
)
def test_a_connection_that_can_not_work_is_refused_in_words(monkeypatch, connection, says):
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_SLACK", json.dumps(connection))
    assert somebody_is_told()
    with pytest.raises(ChannelError, match=says):
        find_channel()


def test_the_extra_says_who_is_told_where(monkeypatch):
    routes = {"analytics-core": "#core", "finance": ["#finance", "#data-alerts"]}
    extra = {"channel": "#data-alerts", "routes": routes}
    connection = {"conn_type": "slack", "password": "x", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_SLACK", json.dumps(connection))
    channel = find_channel()
    assert channel.channels("analytics-core", ()) == ("#core",)
    assert channel.channels(None, ("nightly", "finance")) == ("#finance", "#data-alerts")
    assert channel.channels("analytics-core", ("finance",)) == ("#core", "#finance", "#data-alerts")
    assert channel.channels(None, ("other",)) == ("#data-alerts",)


def test_without_a_connection_there_is_no_channel(monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_GREENERY_SLACK", raising=False)
    assert find_channel() is None
    assert not somebody_is_told()
