"""A run that takes too long, as Airflow's Deadline alert tells of it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from include.alert.callback import tell_of_failed_run, tell_of_good_run
from include.alert.collect import record_task_failure
from include.alert.deadline import run_deadline, tell_of_slow_run
from tests.include.alert.conftest import MANIFEST, RUN_ID, run_context, task_context

LATE = "The run takes longer than 2 h"


def context(state="running"):
    """Return what Airflow hands to the callback of a deadline."""
    run = {"dag_id": "greenery_elt", "dag_run_id": RUN_ID, "state": state}
    run["start_date"] = "2026-11-21T07:00:03Z"
    return {"dag_run": run, "deadline": {"id": "d", "deadline_time": "2026-11-21T09:00:02Z"}}


def test_a_run_that_takes_too_long_is_told_once_in_its_own_message(warehouse, slack):
    tell_of_slow_run(context(), manifest=MANIFEST)
    tell_of_slow_run(context(), manifest=MANIFEST)
    (message,) = slack.messages
    shown = json.dumps(message)
    assert "Greenery is late" in message["text"]
    assert LATE in shown
    assert RUN_ID in shown
    assert "It goes on." in shown
    assert "mark the run as failed" in shown


def test_what_fails_later_is_in_the_same_message_and_a_good_end_resolves_all(warehouse, slack):
    tell_of_slow_run(context(), manifest=MANIFEST)
    record_task_failure(task_context("load_orders", exception=OSError("no file")))
    tell_of_failed_run(run_context("load_orders"), manifest=MANIFEST)
    (message,) = slack.messages
    assert "Greenery run failed: 1 load failed" in message["text"]
    assert LATE in json.dumps(message)
    tell_of_good_run(run_context("end_run"), manifest=MANIFEST)
    (message,) = slack.messages
    assert "Resolved after" in message["text"]


@pytest.mark.parametrize("state", ["failed", "success"])
def test_a_deadline_that_outlives_its_run_is_not_told(warehouse, slack, state):
    tell_of_slow_run(context(state), manifest=MANIFEST)
    assert slack.messages == []


def test_a_callback_that_comes_after_the_end_of_the_run_says_nothing(warehouse, slack):
    tell_of_good_run(run_context("end_run"), manifest=MANIFEST)
    tell_of_slow_run(context(), manifest=MANIFEST)
    assert slack.messages == []


def test_a_webhook_hears_of_it_at_once_and_of_the_failure_at_the_end(warehouse, slack, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_SLACK", slack.webhook_connection())
    tell_of_slow_run(context(), manifest=MANIFEST)
    assert [LATE in json.dumps(message) for message in slack.messages] == [True]
    record_task_failure(task_context("load_orders", exception=OSError("no file")))
    tell_of_failed_run(run_context("load_orders"), manifest=MANIFEST)
    assert ["load failed" in message["text"] for message in slack.messages] == [False, True]
    tell_of_good_run(run_context("end_run"), manifest=MANIFEST)
    assert sum("Resolved after" in message["text"] for message in slack.messages) == 2


@pytest.mark.parametrize("kind", ["bot", "webhook"])
def test_it_is_told_while_the_warehouse_is_down(slack, monkeypatch, kind):
    if kind == "webhook":
        monkeypatch.setenv("AIRFLOW_CONN_GREENERY_SLACK", slack.webhook_connection())
    nowhere = {"conn_type": "postgres", "host": "127.0.0.1", "port": 9, "login": "greenery"}
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_WAREHOUSE", json.dumps(nowhere))
    tell_of_slow_run(context(), manifest=MANIFEST)
    (message,) = slack.messages
    assert LATE in json.dumps(message)
    assert "The warehouse could not be asked" in json.dumps(message)


@pytest.mark.parametrize("broken", [{}, {"dag_run": {}}, {"dag_run": {"state": "running"}}])
def test_a_strange_context_is_logged_and_no_reason_to_raise(slack, caplog, broken):
    tell_of_slow_run(broken, manifest=MANIFEST)
    assert "Slack was not told that the run takes too long" in caplog.text


@pytest.mark.parametrize(
    ("said", "hours"),
    [(None, 2), ("", 2), ("0.5", 0.5), ("soon", 2), ("0", 2), ("-1", 2), ("nan", 2), ("1e99", 2)],
)
def test_the_time_a_run_may_take_is_a_setting(monkeypatch, caplog, said, hours):
    monkeypatch.delenv("GREENERY_RUN_HOURS", raising=False)
    if said is not None:
        monkeypatch.setenv("GREENERY_RUN_HOURS", said)
    assert run_deadline().interval == timedelta(hours=hours)
    assert ("no number of hours" in caplog.text) == (said not in (None, "", "0.5"))
