from __future__ import annotations

import threading

import pytest

from elt.alerting import warehouse_down
from elt.alerting.slack import delivery, outbox
from elt.alerting.slack.settings import find_channel
from elt.time_limit import Deadline
from elt.warehouse.connection import transaction

RUN = "run 1"


def wish(key, text="bad", channel="#data-alerts", **more):
    with transaction("loader") as cursor:
        outbox.upsert(cursor, key, RUN, channel, payload(text), **more)


def payload(text):
    section = {"type": "section", "text": {"type": "mrkdwn", "text": text}}
    return {"text": text, "blocks": [section]}


def deliver(seconds=8.0, answer_seconds=4.0):
    return delivery.deliver(find_channel(), Deadline(seconds), answer_seconds)


def rows(warehouse, columns="state"):
    return warehouse.run(f"select {columns} from ops.notification order by notification_key")


def let_time_pass(warehouse):
    warehouse.run("update ops.notification set next_try_at = '-infinity'")


def texts(messages):
    return [message["text"] for message in messages]


def test_a_message_is_sent_once_and_a_change_of_it_is_an_update(warehouse, slack):
    wish("a")
    assert deliver() == []
    wish("a")
    deliver()
    wish("a", "worse")
    deliver()
    (message,) = slack.messages
    assert (message["text"], message["edits"]) == ("worse", 1)
    assert rows(warehouse, "state, version, sent_version") == [("sent", 2, 2)]


def test_a_change_that_may_not_be_shown_waits_for_nothing(warehouse, slack):
    wish("a")
    deliver()
    wish("a", "worse", change=False)
    assert rows(warehouse) == [("sent",)]


def test_a_reply_waits_for_its_message(warehouse, slack):
    wish("b")
    wish("a", "reply", parent_key="b", kind="reply")
    deliver()
    (message,) = slack.messages
    (reply,) = slack.replies
    assert reply["thread_ts"] == message["ts"]


def test_what_changes_while_it_is_sent_is_sent_too(warehouse, slack, monkeypatch):
    wish("a", "first")
    settle = outbox.settle_sent

    def meanwhile(*arguments):
        monkeypatch.setattr(outbox, "settle_sent", settle)
        wish("a", "second")
        settle(*arguments)

    monkeypatch.setattr(outbox, "settle_sent", meanwhile)
    deliver()
    assert texts(slack.messages) == ["second"]
    assert rows(warehouse) == [("sent",)]


def test_a_message_sent_without_its_row_is_found_and_changed(warehouse, slack):
    """The warehouse was down when it was sent."""
    channel = find_channel()
    for _ in range(2):
        assert warehouse_down.send_unkept(channel, "a", payload("little"), Deadline(8)) == ""
    wish("a", "all of it")
    deliver()
    assert texts(slack.messages) == ["all of it"]


def test_a_lost_reply_is_looked_up_before_it_is_sent_again(warehouse, slack):
    slack.behave("drops_the_reply")
    wish("a")
    assert "may have arrived" in deliver()[0]
    slack.behave()
    assert deliver() == [], "it waits, for Slack may still be at work"
    let_time_pass(warehouse)
    deliver()
    assert len(slack.messages) == 1
    assert rows(warehouse) == [("sent",)]


def test_a_lost_reply_of_a_webhook_is_sent_again(warehouse, slack, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_SLACK", slack.webhook_connection())
    slack.behave("drops_the_reply")
    wish("a", channel=None)
    deliver()
    slack.behave()
    let_time_pass(warehouse)
    deliver()
    assert len(slack.messages) == 2
    assert rows(warehouse) == [("sent",)]


def test_a_bot_that_may_not_read_sends_rather_than_loses(warehouse, slack, caplog):
    slack.missing_scopes.add("channels:history")
    slack.behave("drops_the_reply")
    wish("a")
    deliver()
    slack.behave()
    let_time_pass(warehouse)
    deliver()
    assert rows(warehouse) == [("sent",)]
    assert "give the app the scopes" in caplog.text


def test_a_short_rate_limit_is_waited_for_and_a_long_one_is_kept(warehouse, slack):
    slack.behave("rate_limited", 0.2, times=1)
    wish("a")
    assert deliver() != []
    assert rows(warehouse) == [("sent",)]
    slack.behave("rate_limited", 300)
    wish("b")
    deliver(seconds=2)
    wait = "next_try_at - clock_timestamp() between '290 s' and '300 s'"
    assert rows(warehouse, f"state, {wait}")[1] == ("failed", True)


def test_blocks_that_slack_refuses_go_as_text_and_that_is_noted(warehouse, slack):
    slack.behave("hates_blocks")
    wish("a")
    assert deliver() == []
    assert rows(warehouse, "state, error") == [
        ("sent", "Slack took the text alone: it refused the blocks.")
    ]


@pytest.mark.parametrize("channel", ["#elsewhere", "#nowhere"])
def test_a_route_to_a_channel_that_can_not_be_written_to_ends_in_the_default(
    warehouse, slack, channel
):
    wish("a", channel=channel)
    (said,) = deliver()
    assert channel in said
    deliver()
    assert [message["channel"] for message in slack.messages] == ["#data-alerts"]


@pytest.mark.parametrize("channel", ["#elsewhere", "#nowhere"])
def test_a_default_channel_that_can_not_be_written_to_keeps_all_until_it_is_mended(
    warehouse, slack, monkeypatch, channel
):
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_SLACK", slack.bot_connection(channel=channel))
    for key in "ab":
        wish(key, channel=channel)
    (said,) = deliver()
    assert channel in said
    assert rows(warehouse) == [("failed",)] * 2
    # another one is named in the connection
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_SLACK", slack.bot_connection())
    for _ in range(2):
        warehouse.run("update ops.notification set next_try_at = '-infinity'")
        deliver()
    assert [message["channel"] for message in slack.messages] == ["#data-alerts"] * 2


def test_a_message_that_somebody_deleted_does_not_come_again(warehouse, slack):
    wish("a")
    deliver()
    slack.everything.clear()
    wish("a", "worse")
    deliver()
    assert slack.messages == []
    assert rows(warehouse) == [("sent",)]


def test_a_wrong_token_is_asked_about_once(warehouse, slack, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_SLACK", slack.bot_connection("xoxb-wrong"))
    for key in "abc":
        wish(key)
    (said,) = deliver()
    assert "does not accept the token" in said
    assert len(slack.requests) <= 2


def test_several_that_deliver_at_once_send_each_message_once(warehouse, slack):
    for key in "abcdef":
        wish(key, key)
    slack.behave("slow", 0.05)
    threads = [threading.Thread(target=deliver) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(texts(slack.messages)) == list("abcdef")


def test_a_message_that_waits_since_before_the_clock_was_set_back_is_sent(warehouse, slack):
    wish("a", "a")
    wish("b", "b")
    warehouse.run(
        "update ops.notification set next_try_at = clock_timestamp()"
        " + case notification_key when 'a' then interval '61 min' else interval '15 min' end"
    )
    deliver()
    assert texts(slack.messages) == ["a"]
