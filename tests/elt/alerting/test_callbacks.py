from __future__ import annotations

import json
import logging
import threading
import time

import pytest

from devtools.fake_slack import rules
from elt.airflow.alerts import (
    notify_of_failed_run,
    notify_of_failed_task,
    notify_of_good_run,
    warn_without_slack,
)
from elt.alerting.notify import TIME_LIMITS, TimeLimits
from elt.alerting.record_results import record_dbt_results, record_task_failure
from elt.alerting.slack import outbox
from elt.alerting.slack.client import Slack
from elt.docker.environment import FAKE_TOKEN
from tests.elt.alerting.conftest import (
    MANIFEST,
    RUN_ID,
    run_context,
    task_context,
    write_results,
)
from tests.support.waiting import wait_until

TASK = "build.staging.stg_greenery__orders_model_build"
NOT_NULL = "test.greenery.not_null_stg_greenery__orders_user_id.a1"
UNIQUE = "test.greenery.unique_dim_users_user_id.b2"
HASTY = TimeLimits(all=3, warehouse=1, names=0.3, answer=0.4)


def fail(project, task_id, unique_id, failures=12, try_number=1):
    """Let a task fail as Cosmos and Airflow do."""
    result = {"unique_id": unique_id, "status": "fail", "failures": failures}
    context = task_context(task_id, try_number)
    try:
        record_dbt_results(write_results(project, result), context)
    except Exception as error:
        record_task_failure({**context, "exception": error})


def tell(task_id=TASK, states=None, limits=TIME_LIMITS):
    notify_of_failed_run(run_context(task_id, states), manifest=MANIFEST, limits=limits)


def notifications(warehouse):
    return warehouse.run(
        "select state, channel, error, sent_at is null from ops.notification where kind <> 'reply'"
    )


def let_time_pass(warehouse):
    """Have everything that waits be due."""
    warehouse.run("update ops.notification set next_try_at = '-infinity'")


def test_a_failed_run_makes_one_message_that_slack_takes(warehouse, slack, tmp_path):
    fail(tmp_path, TASK, NOT_NULL)
    fail(tmp_path, "build.marts.dim_users_model_build", UNIQUE, 2)
    tell()
    (message,) = slack.messages
    text = json.dumps(message["blocks"], ensure_ascii=False)
    assert "Greenery run failed: 2 tests failed" in text
    assert "`stg_greenery__orders.user_id` must not be empty: 12 rows" in text
    assert "`dim_users.user_id` must be unique: 2 values more than once" in text
    assert "Nothing was ever published" in text
    assert f"/tasks/{TASK}?try_number=1" in text
    assert notifications(warehouse) == [("sent", "#data-alerts", None, False)]


def test_a_webhook_gets_it_too(warehouse, slack, tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_SLACK", slack.webhook_connection())
    fail(tmp_path, TASK, NOT_NULL)
    tell()
    assert len(slack.messages) == 1
    assert notifications(warehouse) == [("sent", None, None, False)]


def test_a_thousand_failures_make_one_message(warehouse, slack, tmp_path):
    results = [
        {"unique_id": f"test.greenery.unique_{i}.x", "status": "fail", "failures": i}
        for i in range(1000)
    ]
    with pytest.raises(Exception, match="unique 7"):
        record_dbt_results(write_results(tmp_path, *results), task_context(TASK))
    tell()
    (message,) = slack.messages
    assert "and 980 more" in json.dumps(message["blocks"], ensure_ascii=False)
    assert len(slack.replies) == 11
    assert "and 990 more failures" in slack.replies[-1]["text"]


@pytest.mark.parametrize(
    "part", ["x", "\u202e\x00 ", "a@b.", '"', "```<!channel> *b* ~", "DETAIL: ", ": ", "\ud800\n"]
)
def test_an_error_of_three_megabytes_is_told_in_short(warehouse, slack, tmp_path, part):
    begun = time.monotonic()
    text = f"No file: {part * (3_000_000 // len(part))}"
    record_task_failure(task_context("load_orders", exception=OSError(text)))
    result = {"unique_id": "model.greenery.fct_orders", "status": "error", "message": text}
    with pytest.raises(Exception, match="fct_orders"):
        record_dbt_results(write_results(tmp_path, result), task_context(TASK))
    tell("load_orders")
    assert time.monotonic() - begun < 5
    (message,) = slack.messages
    assert "No file:" in json.dumps(message)
    # the owner of the model may be called, nobody else
    assert not rules.calls_somebody(message, but_for=slack.groups.values())
    assert len(json.dumps(message)) < 20_000
    assert "u202e" not in json.dumps(message)


def test_a_message_tells_the_last_publication_and_the_loads(warehouse, slack, tmp_path):
    warehouse.run(
        "insert into ops.publication "
        "(run_id, published_at, rows_inserted, rows_updated, rows_deleted, tables) "
        "values ('r0', '2026-11-19 07:00Z', 1, 0, 0, '{}'),"
        " ('r1', '2026-11-20 07:02Z', 1, 0, 0, '{}')"
    )
    warehouse.run(
        "insert into ops.load (run_id, table_name, source_file, file_size, rows_read, "
        "rows_inserted, rows_updated, rows_deleted, started_at, finished_at, status) values "
        f"('{RUN_ID}', 'orders', 'a', 1, 1234, 1200, 34, 2, now(), now(), 'loaded'),"
        f"('{RUN_ID}', 'users', 'b', 1, 0, 0, 0, 0, now(), now(), 'unchanged'),"
        "('other', 'users', 'c', 1, 9, 9, 0, 0, now(), now(), 'loaded')"
    )
    fail(tmp_path, TASK, NOT_NULL)
    tell()
    text = json.dumps(slack.messages)
    assert "still show data published 20 Nov 2026 07:02 UTC" in text
    assert "1,234 new or changed rows in 1 table, 2 rows deleted" in text


def test_a_failure_that_a_retry_mended_is_not_told(warehouse, slack, tmp_path):
    lost = {"unique_id": NOT_NULL, "status": "error", "message": "deadlock detected"}
    record_dbt_results(write_results(tmp_path, lost), task_context(TASK, 1))
    record_dbt_results(
        write_results(tmp_path, {"unique_id": NOT_NULL, "status": "pass"}), task_context(TASK, 2)
    )
    fail(tmp_path, "build.marts.dim_users_model_build", UNIQUE)
    tell("build.marts.dim_users_model_build")
    assert "failed: 1 test failed" in json.dumps(slack.messages)


def test_a_killed_task_is_told_though_it_left_no_word(warehouse, slack):
    tell("load_orders")
    assert "`load_orders` ended without a word: killed, or out of memory?" in json.dumps(
        slack.messages
    )


def test_airflow_is_asked_which_tasks_failed(warehouse, slack):
    tell("end_run", states={"load_orders": "failed", "load_users": "success", "end_run": "skipped"})
    text = json.dumps(slack.messages)
    assert "`load_orders` ended" in text
    assert "`end_run`" not in text


def test_a_callback_delivered_twice_sends_once(warehouse, slack, tmp_path):
    fail(tmp_path, TASK, NOT_NULL)
    tell()
    fail(tmp_path, TASK, NOT_NULL, failures=13, try_number=2)
    tell()
    assert len(slack.messages) == 1


def test_a_callback_delivered_twice_at_once_sends_once(warehouse, slack, tmp_path):
    fail(tmp_path, TASK, NOT_NULL)
    slack.behave("slow", 0.5)
    threads = [threading.Thread(target=tell) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(slack.messages) == 1
    assert notifications(warehouse) == [("sent", "#data-alerts", None, False)]


def test_another_failure_of_the_same_run_is_told_in_the_same_message(warehouse, slack, tmp_path):
    fail(tmp_path, TASK, NOT_NULL)
    notify_of_failed_task(task_context(TASK), manifest=MANIFEST)
    (message,) = slack.messages
    assert "Greenery run is failing: 1 test failed" in message["text"]
    fail(tmp_path, "build.marts.dim_users_model_build", UNIQUE)
    tell()
    (message,) = slack.messages
    assert "Greenery run failed: 2 tests failed" in message["text"]
    assert message["edits"] == 1


def test_a_message_that_failed_is_kept_and_sent_by_the_next_callback(warehouse, slack, tmp_path):
    fail(tmp_path, TASK, NOT_NULL)
    slack.behave("broken")
    tell()
    assert notifications(warehouse) == [
        ("failed", "#data-alerts", "Slack refused the message (HTTP 503).", True)
    ]
    slack.behave()
    let_time_pass(warehouse)
    tell()
    assert len(slack.messages) == 1
    assert notifications(warehouse) == [("sent", "#data-alerts", None, False)]


def test_a_message_is_kept_before_it_is_sent(warehouse, slack, tmp_path, monkeypatch):
    fail(tmp_path, TASK, NOT_NULL)
    seen = []
    post = Slack.post

    def watched(*arguments, **named):
        seen.extend(notifications(warehouse))
        return post(*arguments, **named)

    monkeypatch.setattr(Slack, "post", watched)
    tell()
    assert seen[0] == ("pending", "#data-alerts", None, True)


@pytest.mark.parametrize("dies", ["before", "after"])
def test_a_sender_that_died_leaves_the_message_to_the_next(
    warehouse, slack, tmp_path, monkeypatch, dies
):
    fail(tmp_path, TASK, NOT_NULL)
    post = Slack.post

    def die(*arguments, **named):
        if dies == "after":
            post(*arguments, **named)
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(Slack, "post", die)
        with pytest.raises(SystemExit):
            tell()
    assert [row[0] for row in notifications(warehouse)] == ["pending"]
    tell()
    assert len(slack.messages) == 1


def test_a_dead_warehouse_does_not_keep_slack_from_hearing(slack, monkeypatch):
    nowhere = {"conn_type": "postgres", "host": "127.0.0.1", "port": 9, "login": "greenery"}
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_WAREHOUSE", json.dumps(nowhere))
    tell()
    (message,) = slack.messages
    assert "The warehouse could not be asked" in json.dumps(message)
    assert f"`{TASK}` failed" in json.dumps(message)


def test_a_locked_warehouse_does_not_keep_slack_from_hearing(warehouse, slack, tmp_path):
    fail(tmp_path, TASK, NOT_NULL)
    connection = warehouse.connect()
    with connection.cursor() as cursor:
        cursor.execute("lock table ops.notification in access exclusive mode")
        before = time.monotonic()
        tell(limits=HASTY)
        assert time.monotonic() - before < HASTY.all + 2
    connection.close()
    assert len(slack.messages) == 1


def test_slack_and_warehouse_together_hold_nobody_longer_than_ten_seconds(
    warehouse, slack, tmp_path
):
    fail(tmp_path, TASK, NOT_NULL)
    slack.behave("slow", 30)
    connection = warehouse.connect()
    with connection.cursor() as cursor:
        cursor.execute("lock table ops.notification in access exclusive mode")
        before = time.monotonic()
        tell()
        assert time.monotonic() - before < 10
    connection.close()


def test_a_failing_task_is_not_held_longer_than_ten_seconds_by_all_that_it_tells(
    silent_warehouse, slack, tmp_path
):
    manifest = json.loads(MANIFEST.read_text())
    manifest["nodes"][NOT_NULL]["unique_id"] = NOT_NULL
    result = {"unique_id": NOT_NULL, "status": "fail", "failures": 1, "compiled_code": "select 1"}
    project = write_results(tmp_path, result)
    (project / "target/manifest.json").write_text(json.dumps(manifest))
    slack.behave("slow", 30)
    before = time.monotonic()
    with pytest.raises(Exception, match="must not be empty") as raised:
        record_dbt_results(project, task_context(TASK))
    context = task_context(TASK, exception=raised.value)
    record_task_failure(context)
    notify_of_failed_task(context, manifest=MANIFEST)
    assert 5 < time.monotonic() - before < 10


def test_a_warehouse_that_hangs_afterwards_is_left(warehouse, slack, tmp_path, monkeypatch, caplog):
    fail(tmp_path, TASK, NOT_NULL)
    hangs, let_go, was_let_go = threading.Event(), threading.Event(), threading.Event()
    settle = outbox.settle_sent

    def hang(*given):
        hangs.set()
        let_go.wait(20)
        settle(*given)
        was_let_go.set()

    with monkeypatch.context() as patched:
        patched.setattr(outbox, "settle_sent", hang)
        before = time.monotonic()
        tell(limits=HASTY)
        took = time.monotonic() - before
        assert hangs.is_set()
        let_go.set()
        assert was_let_go.wait(20)
    assert took < HASTY.all + 2
    assert "What was not sent is kept and sent later" in caplog.text
    assert len(slack.messages) == 1
    # nobody knows what became of it: it is looked up, and not sent a second time
    warehouse.run("update ops.notification set state = 'pending', slack_ts = null")
    tell()
    assert len(slack.messages) == 1
    assert notifications(warehouse) == [("sent", "#data-alerts", None, False)]


@pytest.mark.parametrize("kind", ["bot", "webhook"])
def test_a_slow_slack_is_left_and_the_message_kept(warehouse, slack, tmp_path, monkeypatch, kind):
    if kind == "webhook":
        monkeypatch.setenv("AIRFLOW_CONN_GREENERY_SLACK", slack.webhook_connection())
    fail(tmp_path, TASK, NOT_NULL)
    slack.behave("slow", 2)
    tell(limits=HASTY)
    heard = wait_until(lambda: slack.requests, "the request")
    assert len(heard) == 1, "it is not asked again at once"
    ((state, _, error, _),) = notifications(warehouse)
    assert state == "failed"
    assert "may have arrived" in error


def test_there_is_time_to_write_down_that_slack_used_up_all_of_it(
    warehouse, slack, tmp_path, caplog
):
    fail(tmp_path, TASK, NOT_NULL)
    slack.behave("slow", 10)
    tell(limits=TimeLimits(all=2, warehouse=1, names=0.3, answer=10))
    ((state, _, error, _),) = notifications(warehouse)
    assert state == "failed"
    assert "may have arrived" in error
    assert "What was not sent is kept" not in caplog.text, "the sending was left too early"


def test_a_wrong_token_is_one_plain_line_in_the_log(
    warehouse, slack, tmp_path, monkeypatch, caplog
):
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_SLACK", slack.bot_connection("xoxb-wrong"))
    fail(tmp_path, TASK, NOT_NULL)
    caplog.set_level(logging.INFO, "elt.alerting")
    tell()
    (record,) = [record for record in caplog.records if record.name.startswith("elt.alerting")]
    assert record.levelname == "ERROR"
    assert record.exc_info is None
    assert "put the app's bot token" in record.getMessage()
    assert "xoxb-wrong" not in caplog.text


def test_without_a_connection_the_log_says_once_that_nobody_is_told(monkeypatch, caplog):
    monkeypatch.delenv("AIRFLOW_CONN_GREENERY_SLACK", raising=False)
    warn_without_slack(logging.getLogger("begin_run"))
    assert [record.name for record in caplog.records if "Nobody is told" in record.message] == [
        "begin_run"
    ]
    caplog.clear()
    tell()
    (record,) = [record for record in caplog.records if record.name.startswith("elt.airflow")]
    assert "nobody is told" in record.message


def test_with_a_connection_nothing_is_said(slack, caplog):
    warn_without_slack()
    assert "obody is told" not in caplog.text


@pytest.mark.parametrize("context", [{}, {"ti": object()}, {"run_id": "r", "reason": None}])
def test_a_strange_context_is_no_reason_to_raise(warehouse, slack, context):
    notify_of_failed_run(context, manifest=MANIFEST)
    (message,) = slack.messages
    assert rules.problem(message) is None


@pytest.mark.parametrize("manifest", ["missing", "broken"])
def test_a_missing_manifest_is_no_reason_to_be_silent(warehouse, slack, tmp_path, manifest):
    fail(tmp_path, TASK, NOT_NULL)
    file = tmp_path / "manifest.json"
    if manifest == "broken":
        file.write_text("{")
    notify_of_failed_run(run_context(TASK), manifest=file)
    assert "12 rows" in json.dumps(slack.messages)


def test_what_an_error_says_calls_nobody_and_gives_no_secret_away(warehouse, slack):
    error = RuntimeError("<!channel> postgresql://greenery:s3cret@db/x jane@example.com")
    record_task_failure(task_context("load_orders", exception=error))
    tell("load_orders")
    (message,) = slack.messages
    assert not rules.calls_somebody(message)
    assert "s3cret" not in json.dumps(message)
    assert "jane" not in json.dumps(message)
    assert FAKE_TOKEN not in json.dumps(message)


def test_a_good_run_sends_what_an_earlier_one_could_not(warehouse, slack):
    warehouse.run(
        "insert into ops.notification (notification_key, run_id, channel, payload, state)"
        " values ('k', 'earlier', '#data-alerts', '{\"text\": \"bad\"}', 'failed')"
    )
    notify_of_good_run(run_context())
    assert [message["text"] for message in slack.messages] == ["bad"]
