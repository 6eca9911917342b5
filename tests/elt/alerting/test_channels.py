"""The same messages by mail and to webhooks."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

import pytest

from elt.airflow.alerts import notify_of_failed_run, notify_of_good_run, warn_without_slack
from elt.alerting import acknowledge, channels, senders
from elt.alerting.channels import find_channels
from elt.alerting.daily_digest import keep_digest
from elt.alerting.record_results import record_task_failure
from elt.alerting.slack import delivery
from elt.alerting.slack.settings import ChannelError
from elt.time_limit import Deadline
from tests.elt.alerting.conftest import run_context, task_context
from tests.support import receivers

MAIL, WEBHOOK = "AIRFLOW_CONN_GREENERY_MAIL", "AIRFLOW_CONN_GREENERY_WEBHOOK"


@pytest.fixture
def mails(monkeypatch):
    with receivers.mail_server() as running:
        monkeypatch.setenv(MAIL, running.connection())
        yield running


@pytest.fixture
def hooks(monkeypatch):
    with receivers.webhooks() as running:
        monkeypatch.setenv(WEBHOOK, running.connection())
        yield running


def fails(run_id="run 1", task="load_orders"):
    record_task_failure(task_context(task, run_id=run_id, exception=OSError("a<b & no file")))
    notify_of_failed_run(run_context(task, run_id=run_id))


def mends(run_id="run 2"):
    states = {"load_orders": "success"}
    notify_of_good_run(run_context("end_run", states=states, run_id=run_id))


def deliver():
    return delivery.deliver(channels.find_slack(find_channels()), Deadline(8))


def rows(warehouse, columns="connection_id, channel, state"):
    return warehouse.run(f"select {columns} from ops.notification order by created_at")


def test_a_mail_says_what_the_message_says_when_it_failed_and_when_it_is_mended(warehouse, mails):
    fails()
    fails()
    mends()
    failed, mended = mails.mails
    assert failed["Subject"] == "🔴 Greenery run failed: 1 load failed"
    assert (failed["To"], failed["From"]) == ("ada@shop.example", "greenery@shop.example")
    html = failed.get_body(("html",)).get_content()
    assert "#1 <code>load_orders</code>: OSError: a&lt;b &amp; no file" in html
    assert "<strong>To take it:</strong> <code>greenery ack 1 --by NAME --note TEXT</code>" in html
    assert '<a href="http://localhost:8080/dags/greenery_elt/runs/' in html
    assert mended["Subject"].startswith("✅ Resolved after ")
    assert "ada@" not in str(rows(warehouse, "notification_key, payload::text"))


def test_a_webhook_gets_a_text(warehouse, hooks):
    fails()
    mends()
    failed, mended = hooks.taken["text"]
    lines = failed["text"].splitlines()
    assert lines[0] == "🔴 Greenery run failed: 1 load failed"
    assert "• #1 load_orders: OSError: a<b & no file" in lines
    assert lines[-1].startswith("Open the run: http://localhost:8080/dags/")
    assert mended["text"].startswith("✅ Resolved after ")
    assert {state for *_, state in rows(warehouse)} == {"sent"}


def test_teams_gets_a_card(warehouse, hooks, monkeypatch):
    monkeypatch.setenv(WEBHOOK, hooks.connection("teams"))
    fails()
    (card,) = [body["attachments"][0]["content"] for body in hooks.taken["teams"]]
    assert card["body"][0]["text"] == "🔴 Greenery run failed: 1 load failed"
    assert [action["title"] for action in card["actions"]] == ["Open the run"]
    assert "localhost" not in str(card["body"])


def test_a_card_is_no_longer_than_teams_takes():
    lines = senders.shorten_lines(f"{number} {'x' * 200}" for number in range(900))
    assert 40 < len(lines) < 70
    assert lines[-1] == "…"


def test_pagerduty_has_one_incident_from_its_begin_to_its_end(warehouse, hooks, monkeypatch):
    monkeypatch.setenv(WEBHOOK, hooks.connection("pagerduty"))
    fails("run 1" + 250 * "x")
    acknowledge.acknowledge(1, "Ada")
    acknowledge.tell()
    mends()
    events = hooks.taken["pagerduty"]
    assert [event["event_action"] for event in events] == ["trigger", "acknowledge", "resolve"]
    assert len({event["dedup_key"] for event in events}) == 1
    assert events[0]["payload"]["severity"] == "error"


def test_a_route_names_another_connection(warehouse, mails, hooks, monkeypatch):
    monkeypatch.setenv(WEBHOOK, hooks.connection(routes={"finance": ["pager", "greenery_mail"]}))
    monkeypatch.setenv("AIRFLOW_CONN_PAGER", hooks.connection("pagerduty"))
    to_webhook = channels.find_channels()[1]
    assert to_webhook.channels("finance", ()) == ("pager", "greenery_mail")
    assert to_webhook.channels("core", ()) == ("greenery_webhook",)
    fails()
    warehouse.run("update ops.incident set owner = 'finance'")
    fails("run 2")
    (told,) = hooks.taken["pagerduty"]
    assert told["payload"]["summary"].endswith("Greenery run failed again: 1 load failed")
    assert len(mails.mails) == 1, "two routes to one connection are one message"


def test_the_daily_warnings_go_to_the_connection_for_them(warehouse, mails, hooks, monkeypatch):
    monkeypatch.setenv(WEBHOOK, hooks.connection(warnings_connection="greenery_mail"))
    now = datetime(2026, 11, 22, 14, tzinfo=UTC)
    warehouse.run(
        "insert into ops.run_told (run_id, dag_id, state, told_at)"
        " values ('r', 'd', 'success', %s)",
        (now,),
    )
    warehouse.run(
        "insert into ops.load_warning (table_name, kind, detail, message, warned_at)"
        " values ('orders', 'empty', '', 'The drop of `orders` is empty.', %s)",
        (now,),
    )
    for channel in find_channels():
        assert keep_digest(channel, now)
    assert deliver() == []
    (mail,) = mails.mails
    assert mail["Subject"] == "🟡 1 warning about Greenery's data, 22 Nov 2026"
    assert "The drop of <code>orders</code> is empty" in mail.get_body(("html",)).get_content()


def test_slack_that_is_down_holds_up_no_mail(warehouse, slack, mails):
    slack.behave("rate_limited", 300)
    fails()
    assert len(mails.mails) == 1
    assert ("greenery_slack", "#data-alerts", "failed") in rows(warehouse)
    assert ("greenery_mail", None, "sent") in rows(warehouse)


def test_while_slack_wants_to_be_left_alone_mail_goes(warehouse, slack, mails):
    slack.behave("rate_limited", 0.3, times=1)
    fails()
    told = warehouse.run(
        "select connection_id from ops.notification where parent_key is null order by sent_at"
    )
    assert told == [("greenery_mail",), ("greenery_slack",)]


def test_what_a_webhook_does_not_take_is_kept_and_sent_later(warehouse, hooks):
    hooks.status, hooks.headers = 429, {"Retry-After": "300"}
    fails()
    wait = "next_try_at - clock_timestamp() between '280 s' and '300 s'"
    assert rows(warehouse, f"state, {wait}, error") == [
        ("failed", True, "The webhook of `greenery_webhook` answered HTTP 429.")
    ]
    hooks.status = 0
    warehouse.run("update ops.notification set next_try_at = '-infinity'")
    assert deliver() == []
    assert len(hooks.taken["text"]) == 1


@pytest.mark.parametrize(
    ("refusal", "says"),
    [
        ("550 no such ada@shop.example", "takes none of its recipients"),
        ("451 later, ada@shop.example", "takes none of its recipients"),
    ],
)
def test_what_a_mail_server_refuses_is_kept_without_an_address(warehouse, mails, refusal, says):
    mails.refusal = refusal
    fails()
    ((state, error),) = rows(warehouse, "state, error")
    assert (state, says in error, "ada" in error) == ("failed", True, False)


def test_who_is_not_there_is_named_by_the_connection_alone(warehouse, hooks, monkeypatch, caplog):
    gone = {"conn_type": "http", "password": "http://127.0.0.1:9/secret"}
    monkeypatch.setenv(WEBHOOK, json.dumps(gone))
    caplog.set_level(logging.DEBUG)
    fails()
    ((error,),) = rows(warehouse, "error")
    assert error == "The webhook of `greenery_webhook` can't be reached."
    assert "secret" not in caplog.text


def test_while_the_warehouse_is_down_mail_and_webhook_hear_of_a_failed_run(
    mails, hooks, monkeypatch
):
    nowhere = '{"conn_type": "postgres", "host": "127.0.0.1", "port": 9, "login": "greenery"}'
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_WAREHOUSE", nowhere)
    notify_of_failed_run(run_context("load_orders"))
    assert len(mails.mails) == len(hooks.taken["text"]) == 1


@pytest.mark.parametrize(
    ("connection", "says"),
    [
        ({"conn_type": "smtp", "extra": {"to": ["a@b.example"]}}, "from whom and to whom"),
        ({"conn_type": "http"}, "no password; it holds the webhook's URL"),
        ({"conn_type": "http", "password": "x"}, "is no URL"),
        ({"conn_type": "http", "password": "x", "extra": {"form": "fax"}}, "the form fax"),
        ({"conn_type": "http", "extra": {"form": "pagerduty"}}, "routing key"),
        ({"conn_type": "http", "password": "http://x", "extra": {"routes": "y"}}, "is no table"),
    ],
    ids=["people", "password", "url", "form", "key", "routes"],
)
def test_a_connection_that_can_not_work_is_refused_in_words(monkeypatch, connection, says):
    monkeypatch.setenv(WEBHOOK, json.dumps(connection))
    assert channels.somebody_is_told()
    with pytest.raises(ChannelError, match=says):
        find_channels()


def test_one_that_can_not_work_does_not_silence_the_others(mails, monkeypatch, caplog):
    monkeypatch.setenv(WEBHOOK, '{"conn_type": "http"}')
    assert [channel.name for channel in find_channels()] == ["greenery_mail"]
    assert "One way to people can't be used: the connection `greenery_webhook`" in caplog.text


def test_a_route_to_nowhere_says_so(warehouse, hooks, monkeypatch):
    assert channels.send("pager", {"text": "x"}, 2).error == (
        "Airflow has no connection `pager`, which a route names."
    )


def test_without_any_way_to_people_the_log_says_so(monkeypatch, caplog):
    monkeypatch.delenv("AIRFLOW_CONN_GREENERY_SLACK", raising=False)
    warn_without_slack()
    assert "or `greenery_mail` (SMTP) or `greenery_webhook`" in caplog.text
