"""Several runs in turn: one message for one trouble, from its first failure until it is mended."""

from __future__ import annotations

import json

import pytest

from elt.airflow.alerts import notify_of_failed_run, notify_of_failed_task, notify_of_good_run
from elt.alerting.record_results import record_dbt_results, record_task_failure
from tests.elt.alerting.conftest import MANIFEST, run_context, task_context, write_results

ORDERS, USERS = "build.stg_greenery__orders", "build.dim_users"
NOT_NULL = "test.greenery.not_null_stg_greenery__orders_user_id.a1"
UNIQUE = "test.greenery.unique_dim_users_user_id.b2"


@pytest.fixture
def runs(warehouse, slack, tmp_path, caplog):
    yield Runs(tmp_path, warehouse)
    logged = [record.getMessage() for record in caplog.get_records("call")]
    assert "does not help" not in "\n".join(logged)


class Runs:
    """Runs as Cosmos and Airflow tell of them."""

    def __init__(self, project, warehouse):
        self.project, self.warehouse = project, warehouse
        # model → its `meta.owner`
        self.owners: dict[str, str] = {}

    def result(self, run_id, task_id, unique_id, status, failures=0, try_number=1):
        context = task_context(task_id, try_number, run_id)
        result = {"unique_id": unique_id, "status": status, "failures": failures}
        if status == "fail":
            result["compiled_code"] = "select user_id from orders"
        project = write_results(self.project, result)
        manifest = json.loads(MANIFEST.read_text())
        for model, owner in self.owners.items():
            manifest["nodes"][model]["config"]["meta"] = {"owner": owner}
        (project / "target/manifest.json").write_text(json.dumps(manifest))
        try:
            record_dbt_results(project, context)
        except Exception as error:
            record_task_failure({**context, "exception": error})
            notify_of_failed_task({**context, "exception": error}, manifest=MANIFEST)

    def fails(self, run_id, *results, twice=False):
        for task_id, unique_id, failures in results:
            self.result(run_id, task_id, unique_id, "fail", failures)
        last = results[-1][0] if results else ORDERS
        for _ in range(1 + twice):
            notify_of_failed_run(run_context(last, run_id=run_id), manifest=MANIFEST)

    def succeeds(self, run_id):
        for task_id, unique_id in ((ORDERS, NOT_NULL), (USERS, UNIQUE)):
            self.result(run_id, task_id, unique_id, "pass")
        notify_of_good_run(run_context("end_run", run_id=run_id), manifest=MANIFEST)


def first_lines(message):
    return "\n".join(b["text"]["text"] for b in message["blocks"][:2])


def test_failure_retry_still_failing_and_mended_make_exactly_one_message(runs, slack):
    runs.succeeds("run 0")
    assert slack.everything == [], "nothing is told of a run that went well"
    assert slack.requests == [], "nor is Slack asked anything"

    runs.fails("run 1", (ORDERS, NOT_NULL, 12), twice=True)
    (message,) = slack.messages
    assert ":red_circle: Greenery run failed: 1 test failed" in first_lines(message)
    assert "*1 new*, 0 still failing, 0 resolved" in first_lines(message)
    assert "12 rows, 0 in the run before" in json.dumps(message)
    (reply,) = slack.replies
    assert reply["thread_ts"] == message["ts"]
    assert "select user_id from orders" in json.dumps(reply)

    # cleared, and the same again
    runs.result("run 1", ORDERS, NOT_NULL, "fail", 12, try_number=2)
    runs.fails("run 1")
    runs.fails("run 2", (ORDERS, NOT_NULL, 9))
    (message,) = slack.messages
    assert "failed again: 1 test failed" in first_lines(message)
    assert "9 rows; still failing, 2 runs" in json.dumps(message)

    runs.succeeds("run 3")
    (message,) = slack.messages
    assert first_lines(message).startswith(":white_check_mark: Resolved after ")
    assert ", 2 runs: 1 test failed" in first_lines(message)
    assert message["attachments"][0]["color"] == "#2eb67d"
    assert len(slack.replies) == 1

    before = len(slack.requests)
    runs.succeeds("run 4")
    assert len(slack.requests) == before
    assert runs.warehouse.run("select state, runs from ops.incident") == [("resolved", 2)]


def test_a_new_failure_makes_a_new_message_and_the_old_one_goes_on(runs, slack):
    runs.fails("run 1", (ORDERS, NOT_NULL, 12))
    runs.fails("run 2", (ORDERS, NOT_NULL, 12), (USERS, UNIQUE, 2))
    first, second = slack.messages
    assert "failed again: 1 test failed" in first_lines(first)
    assert "*1 new*, 1 still failing, 0 resolved" in first_lines(second)
    assert "dim_users" in json.dumps(second)
    assert "stg_greenery__orders.user_id" not in json.dumps(second["blocks"][2:])
    runs.succeeds("run 3")
    assert all(":white_check_mark:" in first_lines(message) for message in slack.messages)
    assert len(slack.messages) == 2


def test_a_run_mended_by_clearing_a_task_turns_green(runs, slack):
    runs.fails("run 1", (ORDERS, NOT_NULL, 12))
    runs.result("run 1", ORDERS, NOT_NULL, "pass", try_number=2)
    runs.succeeds("run 1")
    (message,) = slack.messages
    assert first_lines(message).startswith(":white_check_mark: Resolved after ")
    assert "1 run: 1 test failed" in first_lines(message)


def test_what_fails_again_after_it_was_mended_is_a_new_message(runs, slack):
    runs.fails("run 1", (ORDERS, NOT_NULL, 12))
    runs.succeeds("run 2")
    runs.fails("run 3", (ORDERS, NOT_NULL, 12))
    green, red = slack.messages
    assert ":white_check_mark:" in first_lines(green)
    assert ":red_circle:" in first_lines(red)
    assert "failed in 1 of the last 2 runs" in json.dumps(red)


def test_a_callback_that_comes_late_reddens_nothing(runs, slack):
    runs.fails("run 1", (ORDERS, NOT_NULL, 12))
    runs.succeeds("run 2")
    runs.fails("run 1")
    (message,) = slack.messages
    assert ":white_check_mark:" in first_lines(message)


def test_after_a_day_the_thread_says_that_it_is_still_failing(runs, slack):
    runs.fails("run 1", (ORDERS, NOT_NULL, 12))
    runs.warehouse.run("update ops.incident set first_seen = first_seen - interval '25 hours'")
    runs.fails("run 2", (ORDERS, NOT_NULL, 12), twice=True)
    assert len(slack.messages) == 1
    _, reminder = slack.replies
    assert reminder["text"].startswith("Still failing after 25 h")


def test_a_test_that_is_let_through_stays_in_the_message_until_it_passes(runs, slack):
    def publish(run_id, overridden):
        runs.warehouse.run(
            "insert into ops.publication (run_id, published_at, rows_inserted, rows_updated,"
            " rows_deleted, tables, overridden) values (%s, now(), 0, 0, 0, '{}', %s)",
            (run_id, json.dumps(overridden)),
        )

    def succeeds(run_id, status, failures):
        runs.result(run_id, ORDERS, NOT_NULL, status, failures)
        runs.result(run_id, USERS, UNIQUE, "pass")
        publish(run_id, [{"unique_id": NOT_NULL}] if failures else [])
        notify_of_good_run(run_context("end_run", run_id=run_id), manifest=MANIFEST)

    runs.fails("run 1", (ORDERS, NOT_NULL, 12))
    runs.warehouse.run(
        "insert into ops.override (unique_id, reason, made_by, until)"
        " values (%s, 'known since May', 'ada', '2999-01-01')",
        (NOT_NULL,),
    )
    succeeds("run 2", "warn", 12)
    (message,) = slack.messages
    assert "Greenery published with 1 overridden test" in message["text"]
    told = json.dumps(message, ensure_ascii=False)
    assert "12 rows; let through until 1 Jan 2999 00:00 UTC by ada: known since May" in told
    assert "This run published all the same" in told
    assert "before the override ends" in told

    # another test fails; that the first one warns does not mean that it was mended
    runs.result("run 3", ORDERS, NOT_NULL, "warn", 12)
    runs.fails("run 3", (USERS, UNIQUE, 1))
    assert not any("Resolved" in message["text"] for message in slack.messages)

    succeeds("run 4", "pass", 0)
    assert all("Resolved after" in message["text"] for message in slack.messages)


def test_a_test_that_fails_for_the_first_time_and_is_let_through_is_told(runs, slack):
    runs.warehouse.run(
        "insert into ops.override (unique_id, reason, until) values (%s, 'r', '2999-01-01')",
        (NOT_NULL,),
    )
    runs.result("run 1", ORDERS, NOT_NULL, "warn", 12)
    runs.warehouse.run(
        "insert into ops.publication (run_id, published_at, rows_inserted, rows_updated,"
        " rows_deleted, tables, overridden) values ('run 1', now(), 0, 0, 0, '{}', '[1]')"
    )
    notify_of_good_run(run_context("end_run", run_id="run 1"), manifest=MANIFEST)
    (message,) = slack.messages
    assert "Greenery published with 1 overridden test" in message["text"]


def test_a_webhook_gets_one_message_at_the_end_and_one_when_it_is_mended(runs, slack, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_SLACK", slack.webhook_connection())
    runs.result("run 1", ORDERS, NOT_NULL, "fail", 12)
    assert slack.messages == [], "it can't be changed, so it waits for the end"
    runs.fails("run 1", twice=True)
    runs.fails("run 2", (ORDERS, NOT_NULL, 12))
    assert len(slack.messages) == 1
    runs.succeeds("run 3")
    _, resolved = slack.messages
    assert first_lines(resolved).startswith(":white_check_mark: Resolved after ")


def test_each_owner_hears_of_their_own(runs, slack, monkeypatch):
    routes = {"data-platform": "#analytics-core", "finance": ["#data-warnings", "#data-alerts"]}
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_SLACK", slack.bot_connection(routes=routes))
    runs.owners = {"model.greenery.dim_users": "data-platform"}
    runs.fails("run 1", (USERS, UNIQUE, 2), (ORDERS, NOT_NULL, 12))
    by_channel = {message["channel"]: json.dumps(message) for message in slack.messages}
    assert set(by_channel) == {"#analytics-core", "#data-alerts"}
    assert len(slack.messages) == 2
    theirs, others = by_channel["#analytics-core"], by_channel["#data-alerts"]
    assert "`dim_users.user_id` must be unique" in theirs
    assert "must not be empty" not in theirs
    assert "`stg_greenery__orders.user_id` must not be empty" in others
    assert "must be unique" not in others
    assert {reply["channel"] for reply in slack.replies} == set(by_channel)

    # somebody answers for the other one as well, and wants to read it in two places
    runs.succeeds("run 2")
    assert all(":white_check_mark:" in first_lines(message) for message in slack.messages)
    runs.owners = {"model.greenery.stg_greenery__orders": "finance"}
    runs.fails("run 3", (ORDERS, NOT_NULL, 12))
    told = [message["channel"] for message in slack.messages[2:]]
    assert sorted(told) == ["#data-alerts", "#data-warnings"]


@pytest.mark.parametrize(
    ("called", "shown"),
    [
        ("@analytics-core", "(<!subteam^S0CORE000>)"),
        ("U0JANE000", "(<@U0JANE000>)"),
        ("S0CORE000", "(<!subteam^S0CORE000>)"),
        ("nobody@greenery.example", "(data-platform)"),
        ("@no-such-group", "(data-platform)"),
    ],
)
def test_an_owner_is_called_as_slack_knows_them_or_else_named(
    runs, slack, monkeypatch, called, shown
):
    owners = {"data-platform": called}
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_SLACK", slack.bot_connection(owners=owners))
    runs.owners = {"model.greenery.dim_users": "data-platform"}
    runs.fails("run 1", (USERS, UNIQUE, 2))
    (message,) = slack.messages
    assert shown in json.dumps(message)


def test_an_owner_is_looked_up_and_mentioned(runs, slack, tmp_path, monkeypatch):
    owners = {"data-platform": "jane@greenery.example"}
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_SLACK", slack.bot_connection(owners=owners))
    runs.result("run 1", USERS, UNIQUE, "fail", 2)
    runs.warehouse.run("update ops.node_result set owner = 'data-platform'")
    runs.fails("run 1")
    (message,) = slack.messages
    assert "(<@U0JANE000>)" in json.dumps(message)
    assert "jane" not in json.dumps(message)
    assert runs.warehouse.run("select slack_id from ops.slack_name where name like 'jane%'") == [
        ("U0JANE000",)
    ]
