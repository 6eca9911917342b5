from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from airflow.sdk import Variable

from elt.alerting import acknowledge
from elt.alerting import reconcile as reconcile_module
from elt.alerting.reconcile import RunSeen, late, most_time, order, reconcile
from elt.alerting.record_results import record_task_failure
from tests.elt.alerting.conftest import MANIFEST, task_context

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
FIRST = "manual__2026-11-22T05:00:00+00:00"
SECOND = "manual__2026-11-22T06:00:00+00:00"
NOWHERE = '{"conn_type": "postgres", "host": "127.0.0.1", "port": 9, "login": "greenery"}'


class Airflow:
    """Runs as Airflow's API tells of them."""

    def __init__(self):
        self.runs: dict[str, tuple[RunSeen, dict[str, str]]] = {}

    def has(self, run_id, state, hours_ago=1.0, due_at=None, **states):
        at = NOW - hours_ago * HOUR
        ended = None if state in ("running", "queued") else at
        self.runs[run_id] = (RunSeen(run_id, state, at, ended, due_at), states)

    def ids(self):
        return list(self.runs)

    def look(self, run_id):
        return self.runs[run_id][0]

    def task_states(self, run_id):
        return self.runs[run_id][1]


@pytest.fixture
def airflow(warehouse, slack, monkeypatch):
    kept: dict = {}
    monkeypatch.setattr(Variable, "get", lambda *_, **__: kept.get("told", "{}"))
    monkeypatch.setattr(Variable, "set", lambda _, told, **__: kept.update(told=told))
    return Airflow()


def look(airflow, now=NOW, lost_logs=None):
    return reconcile(
        "greenery_elt",
        airflow,
        now,
        base_url="http://x",
        manifest=MANIFEST,
        why_logs_are_lost=lambda: lost_logs,
    )


def test_who_looks_at_it_is_told_too(airflow, slack):
    record_task_failure(task_context("load_orders", run_id=FIRST, exception=OSError("no file")))
    airflow.has(FIRST, "failed", load_orders="failed")
    look(airflow)
    acknowledge.acknowledge(1, "Ada")
    look(airflow)
    look(airflow)
    assert [r["text"].splitlines()[0] for r in slack.replies][1:] == ["Ada looks at it."]


def test_a_run_whose_callback_was_lost_is_told(airflow, slack):
    record_task_failure(task_context("load_orders", run_id=FIRST, exception=OSError("no file")))
    airflow.has(FIRST, "failed", load_orders="failed")
    assert look(airflow) == [FIRST]
    (message,) = slack.messages
    assert "no file" in json.dumps(message)
    assert look(airflow) == []
    assert len(slack.messages) == 1


def test_a_killed_worker_is_told_with_its_probable_cause(airflow, slack):
    airflow.has(FIRST, "failed", load_orders="failed", end_run="success")
    look(airflow)
    assert "`load_orders` ended without a word: killed, or out of memory?" in json.dumps(
        slack.messages
    )


def test_a_task_killed_in_a_run_that_goes_on_is_told_at_once(airflow, slack):
    airflow.has(FIRST, "running", load_orders="failed", load_users="running")
    look(airflow)
    look(airflow)
    (message,) = slack.messages
    assert "Greenery run is failing" in message["text"]


def test_a_run_that_goes_on_well_is_not_told(airflow, slack):
    airflow.has(FIRST, "running", load_orders="running")
    look(airflow)
    assert slack.everything == []


def test_a_run_told_late_is_followed_by_the_one_that_mended_it(airflow, slack):
    airflow.has(SECOND, "success", hours_ago=1)
    look(airflow)
    airflow.has(FIRST, "failed", hours_ago=2, load_orders="failed")
    assert look(airflow) == [FIRST, SECOND]
    (message,) = slack.messages
    assert "Resolved after" in message["text"]


def test_a_run_that_was_cleared_and_ended_otherwise_is_told_again(airflow, slack):
    airflow.has(FIRST, "failed", load_orders="failed")
    look(airflow)
    airflow.has(FIRST, "success", load_orders="success")
    assert look(airflow) == [FIRST]
    assert "Resolved after" in slack.messages[0]["text"]


def test_a_run_that_takes_too_long_is_told(airflow, slack):
    airflow.has(FIRST, "running", hours_ago=1.9)
    look(airflow)
    assert slack.messages == []
    airflow.has(FIRST, "running", hours_ago=2.1)
    look(airflow)
    look(airflow)
    (message,) = slack.messages
    assert "Greenery is late" in message["text"]
    assert "The run takes longer than 2 h" in json.dumps(message)
    assert FIRST in json.dumps(message)
    # what another run found before is no news of this one
    airflow.has(SECOND, "success", hours_ago=1)
    look(airflow)
    assert "Greenery is late" in slack.messages[0]["text"]
    airflow.has(FIRST, "success", hours_ago=0)
    look(airflow)
    assert "Resolved after" in slack.messages[0]["text"]
    assert len(slack.messages) == 1


def test_what_ended_before_all_this_was_there_is_left_alone(airflow, slack):
    airflow.has(FIRST, "failed", hours_ago=24 * 9, load_orders="failed")
    assert look(airflow) == []
    assert slack.everything == []


def test_what_slack_did_not_take_is_sent(airflow, warehouse, slack):
    slack.behave("broken")
    airflow.has(FIRST, "failed", load_orders="failed")
    look(airflow)
    assert slack.messages == []
    slack.behave()
    warehouse.run("update ops.notification set next_try_at = '-infinity'")
    assert look(airflow) == []
    assert len(slack.messages) == 1


@pytest.mark.parametrize("kind", ["bot", "webhook"])
def test_it_tells_once_while_the_warehouse_is_down(airflow, slack, monkeypatch, kind):
    if kind == "webhook":
        monkeypatch.setenv("AIRFLOW_CONN_GREENERY_SLACK", slack.webhook_connection())
    airflow.has(FIRST, "failed", begin_run="failed")
    with monkeypatch.context() as down:
        down.setenv("AIRFLOW_CONN_GREENERY_WAREHOUSE", NOWHERE)
        assert look(airflow) == [FIRST]
        assert look(airflow) == []
    (message,) = slack.messages
    assert "The warehouse could not be asked" in json.dumps(message)
    if kind == "bot":
        # and goes on with the same message when it is back
        assert look(airflow) == [FIRST]
        (message,) = slack.messages
        assert "`begin_run` ended without a word" in json.dumps(message)


def test_what_neither_warehouse_nor_slack_took_is_told_later(airflow, slack, monkeypatch):
    airflow.has(FIRST, "failed", begin_run="failed")
    with monkeypatch.context() as down:
        down.setenv("AIRFLOW_CONN_GREENERY_WAREHOUSE", NOWHERE)
        slack.behave("broken")
        look(airflow)
        slack.behave()
        look(airflow)
    assert len(slack.messages) == 1


def test_a_late_publication_is_told_once_and_resolved_by_the_next_run(airflow, warehouse, slack):
    publish = (
        "insert into ops.publication "
        "(run_id, published_at, rows_inserted, rows_updated, rows_deleted, tables) "
        "values ('r', %s, 1, 0, 0, '{}')"
    )
    warehouse.run(publish, ("2026-11-21 04:00Z",))
    look(airflow)
    look(airflow)
    (message,) = slack.messages
    assert "Greenery is late" in message["text"]
    assert "Nothing was published for 28 h; 26 h is the most it may be" in json.dumps(message)
    warehouse.run(publish, ("2026-11-22 07:00Z",))
    airflow.has(FIRST, "success", hours_ago=0)
    look(airflow)
    assert "Resolved after" in slack.messages[0]["text"]


def test_nobody_waits_for_a_publication_while_an_older_one_is_pinned(airflow, warehouse, slack):
    warehouse.run(
        "insert into ops.publication"
        " (run_id, published_at, rows_inserted, rows_updated, rows_deleted, tables)"
        " values ('r', '2026-11-21 04:00Z', 1, 0, 0, '{}');"
        "insert into ops.pin (publication_id, pinned_at) values (1, '2026-11-21 05:00Z')"
    )
    look(airflow)
    assert slack.messages == []
    warehouse.run("update ops.pin set released_at = '2026-11-22 05:00Z'")
    look(airflow)
    assert len(slack.messages) == 1


def test_a_run_that_never_began_is_told_once(airflow, slack):
    due = NOW - timedelta(hours=32)
    airflow.has(FIRST, "success", hours_ago=31.9, due_at=due)
    look(airflow)
    look(airflow)
    (message,) = slack.messages
    assert "Greenery is late" in message["text"]
    assert "The run that was due on 22 Nov 2026 at 00:00 UTC has not begun" in json.dumps(message)


def test_logs_that_are_lost_are_told_once_until_they_are_kept_again(airflow, warehouse, slack):
    full = "worker-1 can't write the logs of tasks to s3://logs/greenery: The bucket is full."
    look(airflow, lost_logs=full)
    look(airflow, NOW + HOUR / 12, lost_logs=full)
    (message,) = slack.messages
    assert message["text"].startswith("Greenery can't keep the logs of its tasks")
    shown = json.dumps([message["blocks"], message["attachments"]])
    assert message["attachments"][0]["color"] == "#e8912d"
    assert full in shown
    assert "1 new" in shown
    assert "make room there" in shown
    # it is of no run
    assert "task logs on" not in shown
    assert "Open the run" not in shown
    # it says nothing about the store, nor does it when Airflow calls back
    airflow.has(FIRST, "success", hours_ago=-1)
    look(airflow, NOW + 2 * HOUR, lost_logs=full)
    assert slack.messages[0]["text"].startswith("Greenery can't keep")
    look(airflow, NOW + 3 * HOUR)
    assert "keeps the logs of its tasks again, after 3 h" in slack.messages[0]["text"]
    look(airflow, NOW + 4 * HOUR)
    assert warehouse.run("select state from ops.incident") == [("resolved",)]
    # whenever it comes again it is news, and days are no runs
    look(airflow, NOW + 5 * HOUR, lost_logs=full)
    look(airflow, NOW + 30 * HOUR, lost_logs=full)
    (_, again) = slack.messages
    assert again["text"].startswith("Greenery can't keep the logs of its tasks")
    assert warehouse.run("select cardinality(run_ids) from ops.incident") == [(1,), (1,)]


def test_where_nobody_is_told_the_store_of_logs_is_left_alone(airflow, monkeypatch):
    monkeypatch.setattr(reconcile_module, "find_channels", list)
    reconcile("greenery_elt", airflow, NOW, why_logs_are_lost=lambda: pytest.fail("asked"))


def test_a_store_of_logs_that_is_well_mends_nothing_else(airflow, warehouse, slack):
    record_task_failure(task_context("load_orders", run_id=FIRST, exception=OSError("no file")))
    airflow.has(FIRST, "failed", load_orders="failed")
    look(airflow)
    look(airflow, NOW + HOUR)
    assert warehouse.run("select kind from ops.incident where state = 'open'") == [("load",)]


def test_a_publication_that_is_refused_is_told(airflow, slack):
    refused = RuntimeError("These marts have no primary key in their build: fct_orders.")
    record_task_failure(task_context("publish_marts", run_id=FIRST, exception=refused))
    airflow.has(FIRST, "failed", publish_marts="failed")
    look(airflow)
    (message,) = slack.messages
    assert "Greenery run failed: 1 task failed" in message["text"]
    assert "no primary key in their build" in json.dumps(message)


def test_runs_are_told_oldest_first_and_queued_ones_not():
    def run(run_id, state, hours):
        return RunSeen(run_id, state, NOW - hours * HOUR, NOW - hours * HOUR)

    seen = [run("c", "failed", 1), run("a", "failed", 3), run("b", "success", 2)]
    seen += [run("d", "queued", 0), run("old", "failed", 90)]
    told = {"b": "success", "c": "success"}
    assert [r.run_id for r in order(seen, told, NOW)] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("published", "due", "at_work", "expected"),
    [
        (NOW - 25 * HOUR, None, False, []),
        (NOW - 27 * HOUR, None, True, ["late:publication"]),
        (None, None, False, []),
        (None, NOW - 24.2 * HOUR, False, []),
        (None, NOW - 25 * HOUR, False, ["late:begin"]),
        (None, NOW - 25 * HOUR, True, []),
    ],
)
def test_what_is_late(published, due, at_work, expected):
    assert [failure.key for failure in late(NOW, published, due, at_work)] == expected


def test_trouble_with_the_daily_digest_keeps_no_failure_from_being_told(
    airflow, warehouse, slack, monkeypatch, caplog
):
    record_task_failure(task_context("load_orders", run_id=FIRST, exception=OSError("no file")))
    airflow.has(FIRST, "failed", load_orders="failed")
    monkeypatch.setattr(reconcile_module, "keep_digest", lambda *_, **__: 1 / 0)
    look(airflow)
    assert ["no file" in json.dumps(message) for message in slack.messages] == [True]
    assert "The daily digest of warnings is not made" in caplog.text


def test_a_lost_callback_and_the_daily_digest_come_from_the_same_look(airflow, warehouse, slack):
    warehouse.run(
        "insert into ops.node_result (run_id, task_id, try_number, unique_id, kind, status,"
        " failures, finished_at)"
        " values (%s, 't', 1, 'test.greenery.odd.a1', 'test', 'warn', 2, %s)",
        (FIRST, NOW),
    )
    airflow.has(FIRST, "success")
    reconcile("greenery_elt", airflow, datetime.now(UTC), base_url="http://x", manifest=MANIFEST)
    (message,) = slack.messages
    assert "1 warning about Greenery's data" in message["text"]
    assert "http://x/dags/greenery_elt/runs" in json.dumps(message)


@pytest.mark.parametrize(
    ("said", "hours"),
    [(None, 2), ("", 2), ("0.5", 0.5), ("soon", 2), ("0", 2), ("-1", 2), ("nan", 2), ("1e99", 2)],
)
def test_the_time_a_run_may_take_is_a_setting(monkeypatch, caplog, said, hours):
    monkeypatch.delenv("GREENERY_RUN_HOURS", raising=False)
    if said is not None:
        monkeypatch.setenv("GREENERY_RUN_HOURS", said)
    assert most_time() == timedelta(hours=hours)
    assert ("no number of hours" in caplog.text) == (said not in (None, "", "0.5"))


def test_a_publication_by_a_clock_that_was_ahead_hides_no_lateness(airflow, warehouse, slack):
    warehouse.run(
        "insert into ops.publication (run_id, published_at, rows_inserted, rows_updated,"
        " rows_deleted, tables) select 'run', at, 0, 0, 0, '{}'"
        " from unnest(array[%s, %s]) as at",
        (NOW + 999 * HOUR, NOW - 30 * HOUR),
    )
    reconcile("greenery_elt", airflow, NOW, base_url="http://x", manifest=MANIFEST)
    assert "Nothing was published" in json.dumps(slack.messages)
