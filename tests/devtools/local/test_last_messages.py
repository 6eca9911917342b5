from __future__ import annotations

import time

import pytest

from devtools.fake_slack import server
from devtools.local.last_messages import send_what_waits, wait_until_told, what_waits

OPEN = """
insert into ops.incident
    (fingerprint, first_run_id, kind, sentence, first_seen, last_seen, run_ids, state)
values ('f', 'run 1', 'test', 'it failed', now(), now(), '{run 1}', 'open')
"""
TOLD = "insert into ops.run_told (run_id, dag_id, state) values (%s, 'greenery_elt', %s)"
PENDING = """
insert into ops.notification (notification_key, run_id, payload, state)
values ('k', 'run 1', '{}', 'pending')
"""


def told(warehouse, state):
    return wait_until_told(warehouse, "run 1", state, seconds=0.1)


def test_a_good_run_with_nothing_to_mend_is_not_waited_for(warehouse):
    assert told(warehouse, "success")


@pytest.mark.parametrize("state", ["success", "failed"])
def test_a_run_is_waited_for_until_slack_has_its_end(warehouse, state):
    warehouse.run(OPEN)
    warehouse.run(TOLD, ("run 1", "running"))
    assert not told(warehouse, state)
    warehouse.run("update ops.run_told set state = %s", (state,))
    warehouse.run(PENDING)
    assert not told(warehouse, state)
    warehouse.run("update ops.notification set state = 'sent'")
    assert told(warehouse, state)


FAILED = """
insert into ops.notification
    (notification_key, run_id, channel, payload, state, error, attempts, next_try_at)
select 'k' || i, 'run 1', '#data-alerts', '{"text": "bad"}', 'failed', 'No answer.', 1,
    now() + interval '1 hour'
from generate_series(1, 2) as i
"""


def test_what_slack_did_not_take_is_tried_once_more_before_airflow_is_ended(warehouse, monkeypatch):
    warehouse.run(FAILED)
    with server.running() as slack:
        monkeypatch.setenv("AIRFLOW_CONN_GREENERY_SLACK", slack.bot_connection())
        send_what_waits(warehouse)
        assert len(slack.messages) == 2
    assert what_waits(warehouse, airflow_is_up=False) is None


@pytest.mark.parametrize(
    ("is_up", "sender"),
    [(False, "The next `make run` sends them"), (True, "Airflow, which is up, sends them")],
    ids=["Airflow ends", "Airflow stays"],
)
def test_what_still_waits_is_counted_and_it_is_said_what_will_send_it(
    warehouse, monkeypatch, is_up, sender
):
    warehouse.run(FAILED)
    with server.running() as slack:
        monkeypatch.setenv("AIRFLOW_CONN_GREENERY_SLACK", slack.bot_connection())
    # nobody listens there any more
    send_what_waits(warehouse, seconds=2)
    said = what_waits(warehouse, airflow_is_up=is_up)
    assert said.startswith("2 messages to Slack wait: Slack can't be reached")
    assert sender in said


def test_a_slack_that_hangs_holds_the_end_of_a_run_no_longer_than_it_may(warehouse, monkeypatch):
    warehouse.run(FAILED)
    with server.running() as slack:
        monkeypatch.setenv("AIRFLOW_CONN_GREENERY_SLACK", slack.bot_connection())
        slack.behave("slow", seconds=30)
        before = time.monotonic()
        send_what_waits(warehouse, seconds=1)
        assert time.monotonic() - before < 4


def test_without_a_connection_to_slack_what_waits_is_told_all_the_same(warehouse, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_GREENERY_SLACK", raising=False)
    warehouse.run(FAILED)
    send_what_waits(warehouse)
    assert "2 messages to Slack wait" in what_waits(warehouse, airflow_is_up=False)
