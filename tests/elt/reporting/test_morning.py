"""The numbers of the morning: off until a place is named, then one message a day."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from devtools.fake_slack import rules
from devtools.fake_slack import server as fake_slack
from devtools.fake_slack.page import page
from elt.alerting import channels
from elt.alerting.slack import delivery
from elt.reporting import charts
from elt.reporting.morning import build, keep_morning
from elt.reporting.questions import Card, Figure
from elt.time_limit import Deadline
from tests.support import receivers

MARCH = "select date '2026-03-01' + n, 'Dune', 100 + 10 * n from generate_series(0, 27) as days (n)"
REPORT = "http://localhost:8080/plugin/report"
PNG = b"\x89PNG\r\n"


@pytest.fixture
def slack(monkeypatch):
    with fake_slack.running() as running:
        connection = running.bot_connection(morning_channel="#analytics-core")
        monkeypatch.setenv("AIRFLOW_CONN_GREENERY_SLACK", connection)
        yield running


def tell(shop, now=None):
    """Tell what is to be told, and return what was said against it."""
    found = channels.find_channels()
    keep_morning(found, now or datetime.now(UTC), shop=shop.shop, report_url=REPORT)
    return delivery.deliver(channels.find_slack(found), Deadline(30), 20)


def odd(shop, *sentences):
    rows = [["2026-03-28", one] for one in sentences]
    sample = {"columns": ["judged_day", "sentence"], "rows": rows}
    shop.warehouse.run(
        "insert into ops.node_result (run_id, task_id, try_number, unique_id, kind, status,"
        " failures, finished_at, sample)"
        " values ('a run', 't', 1, 'test.books.usual.1', 'test', 'warn', %s, now(), %s)",
        (len(rows), json.dumps(sample)),
    )


def test_nobody_is_told_who_named_no_place_for_it(shop, slack, monkeypatch):
    shop.sell(MARCH)
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_SLACK", slack.bot_connection())
    assert tell(shop) == []
    assert slack.everything == []
    assert shop.warehouse.run("select count(*) from ops.notification") == [(0,)]


def test_the_message_has_the_numbers_with_their_change_and_a_chart(shop, slack):
    shop.sell(MARCH)
    assert tell(shop) == []
    message, chart = slack.messages
    assert message["channel"] == "#analytics-core"
    assert rules.problem(message) is None
    header, numbers, buttons = message["blocks"]
    assert header["text"]["text"] == "Bookshop, 28 Mar 2026"
    assert numbers["text"]["text"].splitlines() == [
        "*Sales* $370.00 (+2.8 % on the day before, +23.3 % on the week before)",
        "No number that is watched is out of its usual range.",
    ]
    assert buttons["elements"][0]["url"] == REPORT
    (file,) = chart["files"]
    assert file["title"] == "The last four weeks"
    assert slack.files[file["id"]].content.startswith(PNG)
    assert f'src="/files/{file["id"]}"' in page(slack.everything)


def test_it_comes_once_a_day_however_often_something_is_published(shop, slack):
    shop.sell(MARCH)
    tell(shop)
    shop.publish()
    tell(shop)
    assert len(slack.messages) == 2
    kept = shop.warehouse.run("select kind, payload ? 'picture' from ops.notification")
    assert kept == [("morning", False), ("morning", True)]
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    tell(shop, tomorrow)
    assert len(slack.messages) == 2, "nothing was published tomorrow"
    shop.warehouse.run("update ops.publication set published_at = published_at + interval '1 day'")
    tell(shop, tomorrow)
    assert len(slack.messages) == 4
    pictures = "select count(*) from ops.notification where payload ? 'picture'"
    assert shop.warehouse.run(pictures) == [(1,)], "one that Slack has is not kept for ever"


def test_a_number_that_is_not_as_usual_says_so(shop, slack):
    shop.sell(MARCH)
    odd(shop, "Sales were $370.00, usually $90 to $210", "another one")
    tell(shop)
    assert (
        ":warning: Not as usual: Sales were $370.00, usually $90 to $210; another one."
        in json.dumps(slack.messages[0])
    )


def test_a_publication_that_was_undone_is_not_told(shop, slack):
    shop.sell(MARCH)
    shop.warehouse.run("update ops.publication set undone_at = now()")
    tell(shop)
    assert slack.everything == []


def test_without_a_number_nothing_is_told(shop, slack):
    tell(shop)
    assert slack.everything == []


def test_what_can_not_be_read_harms_nobody(shop, slack, caplog):
    (shop.questions / "questions.yml").write_text("kpis: {sql: gone.sql, cards: []}")
    assert tell(shop) == []
    assert "The numbers of the morning are not told: " in caplog.text


def test_without_the_scope_for_files_the_numbers_come_alone(shop, slack):
    slack.missing_scopes.add("files:write")
    shop.sell(MARCH)
    (said,) = tell(shop)
    assert said.endswith("give the app the scope files:write.")
    assert len(slack.messages) == 1
    slack.missing_scopes.clear()
    assert tell(shop) == []
    assert len(slack.messages) == 1, "the chart of a month ago helps nobody"


def test_a_chart_that_slack_takes_later_comes_later(shop, slack):
    shop.sell(MARCH)
    # a list of channels, the history, the message, then what a file needs
    slack.script = ["fine", "fine", "fine", "broken"]
    tell(shop)
    assert len(slack.messages) == 1
    shop.warehouse.run("update ops.notification set next_try_at = '-infinity'")
    assert tell(shop) == []
    assert "files" in slack.messages[1]


def test_a_mail_has_the_numbers_too(shop, monkeypatch):
    shop.sell(MARCH)
    with receivers.mail_server() as mails:
        connection = mails.connection(morning_connection="greenery_mail")
        monkeypatch.setenv("AIRFLOW_CONN_GREENERY_MAIL", connection)
        assert tell(shop) == []
    (mail,) = mails.mails
    assert mail["Subject"] == "Bookshop, 28 Mar 2026"
    assert "<strong>Sales</strong> $370.00" in mail.get_body(("html",)).get_content()


def test_more_that_is_odd_is_counted_and_many_cards_fit():
    card = Card("a" * 40, "<b>" * 60, "count")
    shown = [Figure(card, 10**9, None, 0, ())] * 40
    payload = build("x" * 200, shown, [f"odd {n} " * 200 for n in range(9)], REPORT)
    assert rules.problem(payload) is None
    assert not rules.calls_somebody(payload)
    assert "; and 8 more." in json.dumps(payload)


def test_a_picture_has_colours_of_its_own_and_a_panel_for_each_measure():
    days = [{"day": f"2026-03-{n:02}", "a_usd": n, "b_rate": None} for n in range(1, 29)]
    labels = {"a_usd": "A", "b_rate": "B"}
    assert charts.picture("day", ["a_usd", "b_rate"], days, labels).startswith(PNG)
    assert charts.picture("day", ["b_rate"], days, labels) == b""
