from __future__ import annotations

import json
import logging
import time

import pytest
from slack_sdk import WebClient, WebhookClient

from include.alert import slack as sending
from include.alert.channel import (
    Channel,
    SlackSettingsError,
    find_channel,
    slack_is_configured,
)
from tests.support.fake_slack import CHANNEL, TOKEN, FakeSlack

BOT = Channel("slack", CHANNEL)
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
    return sending.send(channel, PAYLOAD, answer_seconds=answer_seconds, seconds=seconds)


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


def test_a_slack_that_is_down_is_asked_twice(slack, channel):
    slack.go_down()
    before = time.monotonic()
    outcome = send(channel)
    assert "can't be reached" in outcome.error
    assert 1 <= time.monotonic() - before < 4


@pytest.mark.parametrize(("mode", "seconds"), [("slow", 1.5), ("trickling", 0.2)])
def test_a_slow_slack_is_not_waited_for_and_not_asked_again(slack, channel, mode, seconds):
    slack.behave(mode, seconds)
    before = time.monotonic()
    outcome = send(channel, answer_seconds=0.3, seconds=0.5)
    assert "may have arrived" in outcome.error
    assert time.monotonic() - before < 0.8
    assert len(slack.requests) == 1


def test_a_message_whose_reply_is_lost_is_not_sent_again(slack, channel):
    slack.behave("drops_the_reply")
    assert "may have arrived" in send(channel).error
    assert len(slack.messages) == 1


def test_a_rate_limit_is_waited_for_if_it_is_short(slack, channel):
    slack.behave("rate_limited", 1, times=1)
    assert send(channel).error is None
    assert len(slack.requests) == 2


def test_a_long_rate_limit_is_not_waited_for(slack, channel):
    slack.behave("rate_limited", 30)
    before = time.monotonic()
    assert "rate limited" in send(channel).error
    assert time.monotonic() - before < 1
    assert len(slack.requests) == 1


def test_blocks_that_slack_refuses_are_left_out(slack, channel):
    slack.behave("hates_blocks")
    assert send(channel).error is None
    (message,) = slack.messages
    assert message["blocks"] is None
    assert message["text"] == PAYLOAD["text"]


def test_a_broken_slack_is_told_without_its_page(slack, channel):
    slack.behave("broken")
    assert send(channel).error == "Slack refused the message (HTTP 503)."


@pytest.mark.parametrize(
    ("token", "name", "says"),
    [
        ("xoxb-wrong", CHANNEL, "does not accept the token"),
        (TOKEN, "#nowhere", "correct it in the extra"),
    ],
    ids=["token", "channel"],
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
    assert TOKEN not in logged
    assert "T0/B0/X" not in logged


@pytest.mark.parametrize(
    ("connection", "says"),
    [
        ({"conn_type": "http", "password": "x"}, "has the type http"),
        ({"conn_type": "slack", "extra": {"channel": "#x"}}, "has no password"),
        ({"conn_type": "slack", "password": "x"}, "names no channel"),
    ],
    ids=["type", "password", "channel"],
)
def test_a_connection_that_can_not_work_is_refused_in_words(monkeypatch, connection, says):
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_SLACK", json.dumps(connection))
    assert slack_is_configured()
    with pytest.raises(SlackSettingsError, match=says):
        find_channel()


def test_without_a_connection_there_is_no_channel(monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_GREENERY_SLACK", raising=False)
    assert find_channel() is None
    assert not slack_is_configured()
