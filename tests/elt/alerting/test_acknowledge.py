"""Who looks at what fails: said by a command, read in the thread."""

from __future__ import annotations

import json

import pytest

from devtools.fake_slack import rules
from elt.airflow.alerts import notify_of_failed_run
from elt.alerting import acknowledge
from elt.alerting.acknowledge import AcknowledgeError
from elt.alerting.record_results import record_task_failure
from elt.cli.commands import greenery
from tests.elt.alerting.conftest import run_context, task_context


def fails(run_id, *tasks):
    for task in tasks:
        record_task_failure(task_context(task, run_id=run_id, exception=OSError("no file")))
    notify_of_failed_run(run_context(tasks[-1], run_id=run_id))


def mends(warehouse):
    warehouse.run(
        "update ops.incident set state = 'resolved', resolved_at = '2026-11-21 07:12+0'"
        " where state = 'open'"
    )


def says(slack):
    return [reply["text"] for reply in slack.replies if " looks at " in reply["text"]]


def test_the_message_says_how_to_take_what_it_tells(warehouse, slack):
    fails("run 1", "load_orders", "load_users")
    (message,) = slack.messages
    told = json.dumps(message, ensure_ascii=False)
    for number, task in warehouse.run("select number, task_id from ops.incident"):
        assert f"• #{number} `{task}`: OSError: no file" in told
    assert told.count("greenery ack 1 --by NAME --note TEXT") == 1


def test_the_thread_says_who_looks_at_it(warehouse, slack, capsys):
    fails("run 1", "load_orders")
    assert greenery.run(["ack", "1", "--by", "Ada", "--note", "the file comes <late>"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Ada looks at #1: `load_orders`: OSError: no file",
        "Its thread says so.",
    ]
    (message,) = slack.messages
    reply = slack.replies[-1]
    assert reply["thread_ts"] == message["ts"]
    assert reply["text"] == (
        "Ada looks at it: the file comes &lt;late&gt;\n#1 `load_orders`: OSError: no file"
    )
    assert rules.problem({"text": reply["text"]}) is None


def test_who_says_so_last_looks_at_it(warehouse, slack):
    fails("run 1", "load_orders")
    acknowledge.acknowledge(1, "Ada", "first")
    acknowledge.tell()
    assert "and Ada no longer" in acknowledge.acknowledge(1, "Bo")
    acknowledge.tell()
    acknowledge.tell()
    assert [text.splitlines()[0] for text in says(slack)] == [
        "Ada looks at it: first",
        "Bo looks at it.",
    ]
    assert warehouse.run("select acknowledged_by, note from ops.incident") == [("Bo", None)]


def test_each_channel_that_tells_of_it_hears_who_looks_at_it(warehouse, slack, monkeypatch):
    fails("run 1", "load_orders")
    warehouse.run("update ops.incident set owner = 'finance'")
    routes = {"finance": ["#data-alerts", "#never-told"]}
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_SLACK", slack.bot_connection(routes=routes))
    acknowledge.acknowledge(1, "Ada")
    acknowledge.tell()
    assert len(says(slack)) == 1


def test_a_webhook_tells_it_in_a_message_of_its_own(warehouse, slack, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_SLACK", slack.webhook_connection())
    fails("run 1", "load_orders")
    acknowledge.acknowledge(1, "Ada")
    acknowledge.tell()
    assert slack.messages[-1]["text"] == "Ada looks at it.\n#1 `load_orders`: OSError: no file"


def test_what_the_command_could_not_tell_is_told_later(warehouse, slack, monkeypatch):
    fails("run 1", "load_orders")
    with monkeypatch.context() as nowhere:
        nowhere.delenv("AIRFLOW_CONN_GREENERY_SLACK")
        acknowledge.acknowledge(1, "Ada")
        assert acknowledge.tell() == "Its thread says so within five minutes."
    assert acknowledge.tell() == "Its thread says so."
    assert len(says(slack)) == 1


def test_a_later_run_goes_on_saying_who_looks_at_it(warehouse, slack):
    fails("run 1", "load_orders")
    acknowledge.acknowledge(1, "Ada", "on it")
    warehouse.run("update ops.incident set first_seen = first_seen - interval '25 hours'")
    fails("run 2", "load_orders")
    (message,) = slack.messages
    assert "; Ada looks at it" in message["text"]
    assert "greenery ack" not in json.dumps(message), "somebody has taken it"
    (reminder,) = [r["text"] for r in slack.replies if r["text"].startswith("Still failing")]
    assert reminder.endswith("\nAda looks at #1: on it")


def test_what_does_not_fail_is_refused_with_what_does(warehouse, slack):
    with pytest.raises(AcknowledgeError, match=r"^There is no incident 7, and nothing fails now.$"):
        acknowledge.acknowledge(7, "Ada")
    fails("run 1", "load_orders")
    mends(warehouse)
    fails("run 2", "load_users")
    (number,) = warehouse.run("select number from ops.incident where state = 'open'")[0]
    with pytest.raises(AcknowledgeError) as refused:
        acknowledge.acknowledge(1, "Ada")
    assert str(refused.value) == (
        "Incident 1 was mended on 21 Nov 2026 07:12 UTC; "
        f"open is #{number} (`load_users`: OSError: no file)."
    )
    assert warehouse.run("select count(acknowledged_by) from ops.incident") == [(0,)]


def test_nobody_in_particular_looks_at_nothing(monkeypatch, capsys):
    monkeypatch.delenv("USER", raising=False)
    assert greenery.run(["ack", "1"]) == 2
    assert "Say who looks at it: --by NAME." in capsys.readouterr().err
