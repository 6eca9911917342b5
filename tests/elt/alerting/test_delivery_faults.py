"""Two hundred faults of Slack, answers that are lost among them."""

from __future__ import annotations

import random

import pytest

from tests.elt.alerting.test_delivery import deliver, let_time_pass, rows, texts, wish

pytestmark = pytest.mark.slow

FAULTS = ["rate_limited", "drops_the_reply", "drops_the_request", "broken", "hates_blocks"]


def hard_times(slack, warehouse, channel, count):
    """Send messages with replies through so many faults, until all is there."""
    dice = random.Random(7)
    for number in range(20):
        wish(f"m{number}", f"m{number}", channel)
        if channel:
            wish(f"r{number}", f"r{number}", channel, parent_key=f"m{number}", kind="reply")
    slack.script = [dice.choice([*FAULTS, "fine"]) for _ in range(count)]
    slack.seconds = 0.001
    for turn in range(2000):
        if {*rows(warehouse)} == {("sent",)}:
            return
        if turn % 10 == 9 and channel:
            # what is shown changes meanwhile
            wish(f"m{turn % 20}", f"m{turn % 20} {turn}", channel)
        deliver(answer_seconds=1)
        let_time_pass(warehouse)
    raise AssertionError(rows(warehouse, "notification_key, state, error"))


def test_two_hundred_faults_lose_and_double_nothing_with_a_bot(warehouse, slack, monkeypatch):
    slack.page = 7
    hard_times(slack, warehouse, "#data-alerts", 260)
    assert slack.script == [], "every fault was met"
    shown = sorted(text.split()[0] for text in texts(slack.messages))
    assert shown == sorted(f"m{number}" for number in range(20))
    assert sorted(texts(slack.replies)) == sorted(f"r{number}" for number in range(20))
    kept = dict(rows(warehouse, "notification_key, payload ->> 'text'"))
    assert {text.split()[0]: text for text in texts(slack.messages)} == {
        key: text for key, text in kept.items() if key.startswith("m")
    }


def test_two_hundred_faults_lose_nothing_with_a_webhook(warehouse, slack, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_SLACK", slack.webhook_connection())
    hard_times(slack, warehouse, None, 260)
    assert {*texts(slack.messages)} == {f"m{number}" for number in range(20)}
