from __future__ import annotations

from datetime import UTC, datetime

import pytest

from devtools.fake_slack import rules
from elt.alerting import incidents
from elt.alerting.messages import thread
from elt.alerting.report import Failure, Report
from elt.alerting.run_facts import NodeResult, RunContext

NOW = datetime(2026, 11, 21, 7, 12, tzinfo=UTC)
REPORT = Report(RunContext("d", "run 1", base_url="http://localhost:8080"), NOW, (), (), (), None)
SAMPLE = {"columns": ["email", "order_id"], "rows": [["•••", "o1"], ["•••", "o22222"]]}


def reply(sql=None, sample=None, sentence="`a.b` must not be empty: 12 rows", failures=12):
    found = Failure("test", "test.a", sentence, "t", failures=failures, history="0 in 41 runs")
    result = NodeResult("test.a", "test", "fail", failures, None, 0.1, sql, sample=sample)
    payload = thread.build(incidents.new(found, "run 1", NOW), REPORT, result)
    assert rules.problem(payload) is None
    assert not rules.calls_somebody(payload)
    return [block["text"]["text"] for block in payload["blocks"] if "text" in block]


def test_a_reply_says_since_when_and_how_it_went_before():
    assert reply() == [
        "*`a.b` must not be empty: 12 rows*\n"
        "First seen 21 Nov 2026 07:12 UTC in run `run 1`. Before: 0 in 41 runs."
    ]


def test_failing_rows_are_an_aligned_table_with_what_may_be_shown_first():
    assert reply(sample=SAMPLE)[1].splitlines() == [
        "Failing rows, 2 of 12; ••• hides what may not leave the warehouse:",
        "```",
        "order_id  email",
        "--------  -----",
        "o1        •••",
        "o22222    •••",
        "```",
    ]


@pytest.mark.parametrize("rows", [[["•••", "•••"]] * 5, [["•••", ""]] * 5])
def test_a_table_of_dots_alone_is_words_instead(rows):
    sample = {"columns": ["email", "note"], "rows": rows, "key": ["user_id"]}
    assert reply(sample=sample)[1] == (
        "Failing: 12 rows. None of their values may leave the warehouse; the key of a row is "
        "`user_id`. Ask there with the SQL that found it."
    )


def test_sql_is_cut_by_lines_and_says_how_many_are_left():
    text = reply(sql="\n".join(f"select {i}" for i in range(100)))[1]
    assert "select 29\n```" in text
    assert "|and 70 more lines →>" in text


@pytest.mark.parametrize(
    "hostile",
    [
        "<!channel> & <@U1>",
        "```` ``` <script>",
        "&<>" * 100_000,
        "\u202e\u05e9\u05dc 🌱" * 900,
        "a\nb" * 999,
    ],
)
def test_nothing_in_data_or_sql_breaks_a_reply(hostile):
    value = hostile[:60]
    sample = {"columns": [value] * 40, "rows": [[value] * 40] * 5}
    reply(hostile, sample, hostile)


def test_sql_names_no_database():
    sql = 'select "a" from "shop"."raw"."orders" as o join "raw"."x" on o."a" = x."a"'
    assert reply(sql)[1].splitlines()[2:-1] == [
        'select "a" from "raw"."orders" as o join "raw"."x" on o."a" = x."a"'
    ]
