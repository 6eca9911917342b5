from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from include.alert.hint import Hint
from include.alert.message import build
from include.alert.report import FailedRun, Failure
from include.alert.store import Facts
from tests.support import slack_rules

NOW = datetime(2026, 11, 21, 7, 12, tzinfo=UTC)
PUBLISHED = datetime(2026, 11, 20, 7, 2, tzinfo=UTC)
TESTS = (
    Failure("test", "test.a", "`fct_orders.user_id` must not be empty: 12 rows", "build.a"),
    Failure("test", "test.b", "`dim_users.user_id` must be unique: 1 value more than once"),
)


def run(failures=TESTS, not_built=(), facts=Facts(published_at=PUBLISHED), run_id="run 1"):  # noqa: B008, frozen
    hint = Hint("greenery_elt", run_id, base_url="http://localhost:8080")
    return FailedRun(hint, NOW, tuple(failures), tuple(not_built), facts)


def shown(failed: FailedRun) -> str:
    """Everything a reader sees, after Slack took it."""
    payload = build(failed).payload()
    assert slack_rules.problem(payload) is None
    assert not slack_rules.calls_somebody(payload)
    texts = [block["text"]["text"] for block in payload["blocks"] if "text" in block]
    return "\n".join(texts)


def test_the_message_says_what_broke_what_people_see_and_how_to_mend_it():
    facts = Facts(
        published_at=PUBLISHED,
        published_run_id="run 0",
        loaded_rows=1234,
        deleted_rows=1,
        loaded_tables=6,
    )
    lines = shown(run(not_built=["fct_kpis", "fct_orders"], facts=facts)).splitlines()
    assert lines == [
        ":red_circle: Greenery run failed: 2 tests failed",
        "Run `run 1`, 21 Nov 2026 07:12 UTC",
        "*Marts still show data published 20 Nov 2026 07:02 UTC.* "
        "Not built: `fct_kpis` and `fct_orders`.",
        "Loaded in this run: 1,234 new or changed rows in 6 tables, 1 row deleted.",
        "• `fct_orders.user_id` must not be empty: 12 rows",
        "• `dim_users.user_id` must be unique: 1 value more than once",
        "*To mend it:* mend the data at its source, or the model; then start a new run, or clear "
        "the failed tasks in Airflow. Readers keep the last published data until a run succeeds.",
    ]


@pytest.mark.parametrize(
    ("kinds", "headline"),
    [
        (["test"], "1 test failed"),
        (["test"] * 1200, "1,200 tests failed"),
        (["load", "test", "test"], "1 load and 2 tests failed"),
        (["load", "task", "model", "test"], "1 load, 1 task, 1 model and 1 test failed"),
        (["run"], "stopped"),
        ([], "stopped"),
    ],
)
def test_the_first_line_counts_what_failed(kinds, headline):
    failures = [Failure(kind, f"{kind}.{i}", "…") for i, kind in enumerate(kinds)]
    first = shown(run(failures)).splitlines()[0]
    assert first == f":red_circle: Greenery run failed: {headline}"


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        (Facts(), "Nothing was ever published"),
        (Facts(published_at=PUBLISHED, published_run_id="run 1"), "published all the same"),
        (None, "The warehouse could not be asked"),
    ],
)
def test_what_people_see_is_told_in_every_case(facts, says):
    assert says in shown(run(facts=facts))


@pytest.mark.parametrize(
    ("kind", "says"),
    [("load", "right file"), ("model", "or the model"), ("task", "look at the log")],
)
def test_the_way_to_mend_it_depends_on_what_failed(kind, says):
    assert says in shown(run([Failure(kind, "x", "x")])).splitlines()[-1]


def test_a_thousand_failures_make_one_legible_message():
    failures = [
        Failure("test", f"t{i}", f"`m.c{i}` must not be empty: {i} rows") for i in range(1000)
    ]
    text = shown(run(failures, [f"fct_{i}" for i in range(500)]))
    assert "… and 980 more" in text
    assert "and 492 more" in text
    assert len(text) < 3500


def test_the_longest_texts_stay_within_slacks_limits():
    failures = [Failure("task", f"t{i}", "&<>" * 100_000) for i in range(100)]
    assert "&amp;&lt;&gt;" in shown(run(failures, ["m" * 5000] * 99, run_id="r" * 5000))


def test_data_can_call_nobody_and_breaks_no_line():
    text = shown(run([Failure("load", "x", "bad <!channel> & <@U123>\nin مرحبا 🌱")], ["<!here>"]))
    assert "bad &lt;!channel&gt; &amp; &lt;@U123&gt; in مرحبا 🌱" in text
    assert "&lt;!here&gt;" in text


def test_phones_get_the_first_failures_as_text():
    text = build(run()).text
    assert text.startswith("Greenery run failed: 2 tests failed\n• `fct_orders.user_id`")


def test_buttons_lead_to_the_log_and_the_run():
    buttons = build(run()).blocks[-1]["elements"]
    assert {button["text"]["text"]: button["url"] for button in buttons} == {
        "Open the log": "http://localhost:8080/dags/greenery_elt/runs/run%201/tasks/build.a",
        "Open the run": "http://localhost:8080/dags/greenery_elt/runs/run%201",
    }


@pytest.mark.parametrize("base_url", ["", "/airflow", "http://x/" + "y" * 3000])
def test_a_button_that_slack_would_refuse_is_left_out(base_url):
    failed = FailedRun(Hint("d", "r", base_url=base_url), NOW, TESTS, (), Facts())
    assert '"actions"' not in json.dumps(build(failed).blocks)
    assert slack_rules.problem(build(failed).payload()) is None
