"""The daily digest of warnings, in a real warehouse and a strict Slack."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from devtools.fake_slack import rules
from elt.alerting import daily_digest
from elt.alerting.daily_digest import Warned, keep_digest
from elt.alerting.slack.delivery import deliver
from elt.alerting.slack.settings import find_channel
from elt.time_limit import Deadline
from tests.elt.alerting.conftest import MANIFEST

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
TODAY = NOW - timedelta(hours=7)
DAY = timedelta(days=1)
NOT_NULL = "test.greenery.not_null_stg_greenery__orders_user_id.a1"
UNIQUE = "test.greenery.unique_dim_users_user_id.b2"


class Shop:
    """What the runs of some days left in ``ops``."""

    def __init__(self, warehouse):
        self.warehouse = warehouse

    def ran(self, run_id, at, results, state="success"):
        """``results``: unique id → status and number of rows."""
        for unique_id, (status, failures) in results.items():
            self.warehouse.run(
                "insert into ops.node_result (run_id, task_id, try_number, unique_id, kind,"
                " status, failures, finished_at, owner)"
                " values (%s, 't', 1, %s, 'test', %s, %s, %s, 'core')",
                (run_id, unique_id, status, failures, at),
            )
        self.warehouse.run(
            "insert into ops.run_told (run_id, dag_id, state, told_at) values (%s, 'd', %s, %s)",
            (run_id, state, at),
        )

    def loaded(self, table, columns, at):
        self.warehouse.run(
            "insert into ops.load (table_name, source_file, started_at, finished_at, status,"
            " source_columns) values (%s, 'x.csv', %s, %s, 'loaded', %s)",
            (table, at, at, columns),
        )

    def noticed(self, kind, detail, message, at):
        self.warehouse.run(
            "insert into ops.load_warning (table_name, kind, detail, message, warned_at)"
            " values ('orders', %s, %s, %s, %s)",
            (kind, detail, message, at),
        )

    def quarantined(self, at, is_replayable=True, resolved=False):
        self.warehouse.run(
            "insert into ops.quarantine (load_id, table_name, source_file, row_text, reason,"
            " quarantined_at, is_replayable, resolved_at, resolution)"
            " values (1, 'orders', 'x.csv', 'jane@greenery.example', 'secret of a row',"
            " %s, %s, %s, %s)",
            (at, is_replayable, at if resolved else None, "replayed" if resolved else None),
        )


@pytest.fixture
def shop(warehouse):
    return Shop(warehouse)


def tell(now=NOW):
    channel = find_channel()
    keep_digest(channel, now, runs_url="http://x/dags/greenery_elt/runs", manifest=MANIFEST)
    # the first call of a process reads Slack's client
    return deliver(channel, Deadline(30), answer_seconds=20)


def shown(slack):
    (message,) = slack.messages
    return json.dumps(message, ensure_ascii=False)


def test_a_test_that_warns_is_told_with_its_number_and_since_when(shop, slack):
    shop.ran("1", TODAY - 3 * DAY, {NOT_NULL: ("warn", 3)})
    shop.ran("2", TODAY - 2 * DAY, {NOT_NULL: ("pass", 0)})
    shop.ran("3", TODAY - DAY, {NOT_NULL: ("warn", 4)})
    shop.ran("4", TODAY, {NOT_NULL: ("warn", 12), UNIQUE: ("pass", 0)})
    tell()
    assert (
        "`stg_greenery__orders.user_id` must not be empty: 12 rows; "
        "since 21 Nov 2026 01:00 UTC (core)"
    ) in shown(slack)
    assert "1 warning about Greenery's data, 22 Nov 2026" in slack.messages[0]["text"]


def test_without_a_warning_there_is_no_message(shop, slack):
    shop.ran("1", TODAY - DAY, {NOT_NULL: ("warn", 3)})
    shop.ran("2", TODAY, {NOT_NULL: ("pass", 0), UNIQUE: ("fail", 3)})
    shop.quarantined(TODAY, resolved=True)
    tell()
    assert slack.messages == []


def test_before_the_first_run_of_the_day_is_over_nothing_is_told(shop, slack):
    shop.ran("1", TODAY - DAY, {NOT_NULL: ("warn", 3)})
    shop.ran("2", TODAY, {NOT_NULL: ("warn", 3)}, state="running")
    shop.quarantined(TODAY)
    tell()
    assert slack.messages == []


def test_there_is_one_a_day_however_many_runs_there_are(shop, warehouse, slack):
    shop.ran("1", TODAY, {NOT_NULL: ("warn", 3)})
    tell()
    tell(NOW + timedelta(minutes=5))
    assert slack.messages[0]["edits"] == 0
    # a second run finds more: a bot changes the message, and nobody is called again
    shop.ran("2", TODAY + timedelta(hours=1), {NOT_NULL: ("warn", 5), UNIQUE: ("warn", 1)})
    tell(NOW + timedelta(hours=1))
    assert "must not be empty: 5 rows" in shown(slack)
    assert "2 warnings" in shown(slack)
    # and the next day another one
    shop.ran("3", TODAY + DAY, {NOT_NULL: ("warn", 5)})
    tell(NOW + DAY)
    assert len(slack.messages) == 2
    assert warehouse.run("select notification_key from ops.notification order by 1") == [
        ("warnings:2026-11-22",), ("warnings:2026-11-23",)
    ]  # fmt: skip


def test_a_webhook_gets_one_a_day_too(shop, slack, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_SLACK", slack.webhook_connection())
    shop.ran("1", TODAY, {NOT_NULL: ("warn", 3)})
    tell()
    shop.ran("2", TODAY + timedelta(hours=1), {NOT_NULL: ("warn", 4)})
    tell()
    assert "must not be empty: 3 rows" in shown(slack)


def test_a_failed_run_does_not_hold_the_warnings_back(shop, slack):
    shop.ran("1", TODAY, {NOT_NULL: ("warn", 3)}, state="failed")
    tell()
    assert len(slack.messages) == 1


def test_the_last_result_of_the_day_counts(shop, slack):
    shop.ran("1", TODAY, {NOT_NULL: ("warn", 3)})
    shop.ran("2", TODAY + timedelta(hours=1), {NOT_NULL: ("pass", 0)})
    tell()
    assert slack.messages == []


def test_a_column_is_told_as_long_as_it_is_amiss(shop, slack):
    shop.noticed("unknown_column", "gift", "x.csv has a column: gift.", TODAY - 5 * DAY)
    shop.noticed("unknown_column", "gone", "x.csv has a column: gone.", TODAY - 5 * DAY)
    shop.noticed("missing_column", "total", "x.csv lacks: total.", TODAY - 4 * DAY)
    shop.noticed("missing_column", "back", "x.csv lacks: back.", TODAY - 4 * DAY)
    shop.loaded("orders", ["order_id", "gone"], TODAY - DAY)
    shop.loaded("orders", ["order_id", "gift", "back"], TODAY)
    shop.ran("1", TODAY, {})
    tell()
    assert "has a column: gift; since 17 Nov 2026 01:00 UTC" in shown(slack)
    assert "lacks: total; since 18 Nov 2026 01:00 UTC" in shown(slack)
    assert "gone" not in shown(slack)
    assert "back" not in shown(slack)


def test_what_a_load_noticed_is_told_by_the_next_digest_and_by_no_later_one(shop, warehouse, slack):
    shop.noticed("empty_drop", "x.csv 7", "x.csv holds no rows.", TODAY)
    shop.ran("1", TODAY, {})
    tell()
    assert "holds no rows" in shown(slack)
    warehouse.run("update ops.notification set created_at = %s", (NOW,))
    shop.ran("2", TODAY + DAY, {})
    tell(NOW + DAY)
    assert len(slack.messages) == 1


def test_rows_in_quarantine_are_counted_by_table_and_nothing_of_a_row_is_told(shop, slack):
    for days in (3, 1, 0):
        shop.quarantined(TODAY - days * DAY)
    shop.quarantined(TODAY, is_replayable=False)
    shop.quarantined(TODAY - 9 * DAY, is_replayable=False)
    shop.ran("1", TODAY, {})
    tell()
    assert "3 rows of `orders` not loaded yet; since 19 Nov 2026 01:00 UTC" in shown(slack)
    assert "1 row of `orders` left out: another row has the same key" in shown(slack)
    assert "secret" not in shown(slack)
    assert "jane" not in shown(slack)


def test_a_rollback_that_was_not_released_is_not_forgotten(shop, warehouse, slack):
    warehouse.run(
        "insert into ops.publication"
        " (run_id, published_at, rows_inserted, rows_updated, rows_deleted, tables)"
        " values ('r', now(), 1, 0, 0, '{}')"
    )
    warehouse.run(
        "insert into ops.pin (publication_id, pinned_at, reason)"
        " select publication_id, %s, 'jane doubled it' from ops.publication",
        (TODAY - 2 * DAY,),
    )
    shop.ran("1", TODAY, {})
    tell()
    assert "none is shown before `make release`; since 20 Nov 2026 01:00 UTC" in shown(slack)
    assert "jane" not in shown(slack)


def test_it_goes_to_a_channel_of_its_own_if_there_is_one(shop, slack, monkeypatch):
    connection = slack.bot_connection(warnings_channel="#data-warnings")
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_SLACK", connection)
    shop.ran("1", TODAY, {NOT_NULL: ("warn", 3)})
    tell()
    assert [message["channel"] for message in slack.messages] == ["#data-warnings"]


def test_a_channel_of_its_own_that_can_not_be_written_to_ends_in_the_default(
    shop, slack, monkeypatch
):
    connection = slack.bot_connection(warnings_channel="#elsewhere")
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_SLACK", connection)
    shop.ran("1", TODAY, {NOT_NULL: ("warn", 3)})
    assert "not in the channel #elsewhere" in tell()[0]
    tell()
    assert [message["channel"] for message in slack.messages] == ["#data-alerts"]


def test_without_a_channel_of_its_own_it_goes_to_the_default(shop, slack):
    shop.ran("1", TODAY, {NOT_NULL: ("warn", 3)})
    tell()
    assert [message["channel"] for message in slack.messages] == ["#data-alerts"]


def test_the_day_is_that_of_the_business(shop, warehouse, slack, monkeypatch):
    monkeypatch.setattr(daily_digest, "business_timezone", lambda: ZoneInfo("America/Los_Angeles"))
    # 23:30 there, the day before
    shop.ran("1", datetime(2026, 11, 22, 7, 30, tzinfo=UTC), {NOT_NULL: ("warn", 3)})
    tell(datetime(2026, 11, 22, 7, 45, tzinfo=UTC))
    tell(datetime(2026, 11, 22, 9, 0, tzinfo=UTC))
    assert warehouse.run("select notification_key from ops.notification") == [
        ("warnings:2026-11-21",)
    ]


def test_a_thousand_warnings_are_one_legible_message():
    many = [
        Warned("test", f"<!channel> & {number} " + "x" * 400, TODAY - number * timedelta(hours=1))
        for number in range(1000)
    ]
    payload = daily_digest.build_digest(many, date(2026, 11, 22), "http://x/runs")
    assert rules.problem(payload) is None
    assert not rules.calls_somebody(payload)
    text = json.dumps(payload, ensure_ascii=False)
    assert "<http://x/runs|and 980 more →>" in text
    assert json.dumps(payload["blocks"], ensure_ascii=False).count("•") == 20
    assert payload["text"].endswith("and 997 more")
    assert "1,000 warnings" in payload["text"]
    assert payload == daily_digest.build_digest(many[::-1], date(2026, 11, 22), "http://x/runs")


def test_a_warning_of_missing_parents_says_what_excuses_them(shop, slack):
    shop.ran("run 1", TODAY, {NOT_NULL: ("warn", -3)})
    sample = {"columns": ["excuse"], "rows": [["deleted"]], "excuses": {"deleted": 3}}
    shop.warehouse.run("update ops.node_result set sample = %s", (json.dumps(sample),))
    tell()
    (message,) = slack.messages
    assert "3 rows; as to the parent, of 3 it is deleted" in json.dumps(message)


def test_an_odd_day_is_told_by_the_sentence_of_its_test_however_long(shop, slack):
    shop.ran("run 1", TODAY, {NOT_NULL: ("warn", -4)})
    one = "Orders on Tuesday 9 February: 31, usually 58 to 74 (the last Tuesdays: 61, 66, 70, 64)"
    sample = {"columns": ["sentence", "is_error"], "rows": [[one, "false"]] * 4}
    shop.warehouse.run("update ops.node_result set sample = %s", (json.dumps(sample),))
    tell()
    assert f"{one}; {one}; {one}; {one}; since 22 Nov 2026" in shown(slack)
