from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from devtools.fake_slack import rules
from elt.alerting import incidents
from elt.alerting.messages.message import GREEN, ORANGE, RED, Story, build
from elt.alerting.report import Failure, Report
from elt.alerting.run_facts import Facts, RunContext

NOW = datetime(2026, 11, 21, 7, 12, tzinfo=UTC)
PUBLISHED = datetime(2026, 11, 20, 7, 2, tzinfo=UTC)
RUN = "run 1"


def incident(kind="test", key="test.a", sentence="`a.b` must not be empty: 12 rows", **changes):
    found = incidents.new(Failure(kind, key, sentence, "build.a"), RUN, NOW)
    return replace(found, **changes)


TESTS = (
    incident(sentence="`fct_orders.user_id` must not be empty: 12 rows", history="0 in 41 runs"),
    incident("test", "test.b", "`dim_users.user_id` must be unique: 1 value more than once"),
)
RESOLVED = {"resolved_at": NOW + timedelta(hours=2, minutes=12), "resolved_run_id": "run 3"}


def story(
    failing=TESTS,
    facts=Facts(published_at=PUBLISHED),  # noqa: B008, frozen
    run_id=RUN,
    state="failed",
    base_url="http://localhost:8080",
    not_built=(),
    affected=(),
    **more,
):
    hint = RunContext("greenery_elt", run_id, base_url=base_url, state=state)
    report = Report(hint, NOW, (), tuple(not_built), tuple(affected), facts)
    return Story(report, tuple(failing), **more)


def texts(blocks):
    return [block["text"]["text"] for block in blocks if "text" in block]


def shown(told: Story) -> str:
    """Everything a reader sees, after Slack took it."""
    payload = build(told)
    assert rules.problem(payload) is None
    assert not rules.calls_somebody(payload)
    (folded,) = payload["attachments"]
    return "\n".join([*texts(payload["blocks"]), *texts(folded["blocks"])])


def test_the_message_says_what_broke_what_people_see_and_how_to_mend_it():
    facts = Facts(
        published_at=PUBLISHED,
        published_run_id="run 0",
        loaded_rows=1234,
        deleted_rows=1,
        loaded_tables=6,
        quarantined_rows=3,
        data_as_of=PUBLISHED - timedelta(minutes=4),
    )
    told = story(facts=facts, not_built=["fct_kpis", "fct_orders"], affected=["Weekly report"])
    assert shown(told).splitlines() == [
        ":red_circle: Greenery run failed: 2 tests failed",
        "*2 new*, 0 still failing, 0 resolved",
        "Run `run 1`, 21 Nov 2026 07:12 UTC",
        "*Marts still show data published 20 Nov 2026 07:02 UTC*, "
        "data as of 20 Nov 2026 06:58 UTC.",
        "Not newer until this is mended: *Weekly report*.",
        "Not built: `fct_kpis` and `fct_orders`.",
        "• `fct_orders.user_id` must not be empty: 12 rows, 0 in 41 runs",
        "• `dim_users.user_id` must be unique: 1 value more than once",
        "Loaded in this run: 1,234 new or changed rows in 6 tables, 1 row deleted.",
        "Put into quarantine by this run: 3 rows, see `ops.quarantine`.",
        "*To mend it:* mend the data at its source, or the model; then start a new run, or clear "
        "the failed tasks in Airflow. Readers keep the last published data until a run succeeds.",
        "*To run it again:* _Open the log_ of `build.a` → _Clear Task Instance_ → _Downstream_ → "
        "_Confirm_. A new run: `airflow dags trigger greenery_elt`.",
    ]


def test_a_later_run_says_what_is_still_failing_and_what_is_resolved():
    going_on = replace(TESTS[0], run_ids=(RUN, "run 2"))
    mended = replace(TESTS[1], **{**RESOLVED, "resolved_run_id": "run 2"})
    elsewhere = replace(incident(key="test.c"), first_run_id="run 2", run_ids=("run 2",))
    lines = shown(story([going_on, mended], run_id="run 2", elsewhere=(elsewhere,))).splitlines()
    assert lines[0] == ":red_circle: Greenery run failed again: 1 test failed"
    assert lines[1] == "*1 new*, 1 still failing, 1 resolved"
    assert "must not be empty: 12 rows; still failing, 2 runs since 21 Nov 2026 07:12 UTC" in (
        "\n".join(lines)
    )
    assert any("~`dim_users.user_id` must be unique" in line for line in lines)


def test_when_all_is_mended_the_message_is_green_and_says_how_long_it_took():
    mended = [replace(i, **RESOLVED, run_ids=(RUN, "run 2", "run 3")) for i in TESTS]
    told = story(mended, run_id="run 3", state="success")
    assert shown(told).splitlines()[0] == (
        ":white_check_mark: Resolved after 2 h 12 min, 3 runs: 2 tests failed"
    )
    assert build(told)["attachments"][0]["color"] == GREEN


def test_a_run_that_goes_on_is_said_to():
    assert "Greenery run is failing: 2 tests failed" in shown(story(state="running"))


def test_an_owner_is_mentioned_as_slack_calls_them_or_named_without_an_address():
    failing = [incident(owner="jane@example.com"), incident(key="b", owner="analytics-core")]
    payload = build(story(failing, mentions={"analytics-core": "<!subteam^S0CORE>"}))
    (lines,) = [text for text in texts(payload["blocks"]) if "•" in text]
    assert "(<!subteam^S0CORE>)" in lines
    assert "(jane)" in lines
    assert "example.com" not in json.dumps(payload)


@pytest.mark.parametrize(
    ("kinds", "headline"),
    [
        (["test"], "1 test failed"),
        (["test"] * 1200, "1,200 tests failed"),
        (["load", "test", "test"], "1 load and 2 tests failed"),
        (["load", "task", "model", "test"], "1 load, 1 task, 1 model and 1 test failed"),
        (["run"], "stopped"),
    ],
)
def test_the_first_line_counts_what_failed(kinds, headline):
    failing = [incident(kind, f"{kind}.{i}") for i, kind in enumerate(kinds)]
    first = shown(story(failing)).splitlines()[0]
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
    assert says in shown(story(facts=facts))


@pytest.mark.parametrize(
    ("kind", "says"),
    [("load", "right file"), ("model", "or the model"), ("task", "look at the log")],
)
def test_the_way_to_mend_it_depends_on_what_failed(kind, says):
    assert says in shown(story([incident(kind)])).splitlines()[-2]


@pytest.mark.parametrize("kind", ["load", "model", "test", "task"])
@pytest.mark.parametrize(
    ("says", "to_do"),
    [
        (
            "could not extend file …: No space left on device",
            "make room on the disk of the warehouse's server",
        ),
        (
            "connection to server failed: FATAL:  sorry, too many clients already",
            "raise max_connections",
        ),
    ],
    ids=["a full disk", "no connection left"],
)
def test_what_the_server_lacks_is_no_matter_of_data(says, to_do, kind):
    shown_steps = shown(story([incident(kind, sentence=says)])).splitlines()[-2]
    assert to_do in shown_steps
    assert "at its source" not in shown_steps


def test_a_thousand_failures_make_one_legible_message():
    failing = [
        incident("test", f"t{i}", f"`m.c{i}` must not be empty: {i} rows") for i in range(1000)
    ]
    text = shown(story(failing, not_built=[f"fct_{i}" for i in range(500)]))
    assert "… <http://localhost:8080/dags/greenery_elt/runs/run%201|and 980 more →>" in text
    assert "and 492 more" in text
    assert len(text) < 3500


def test_the_longest_texts_stay_within_slacks_limits():
    failing = [incident("task", f"t{i}", "&<>" * 100_000, owner="&" * 9000) for i in range(100)]
    long = story(failing, run_id="r" * 5000, not_built=["m" * 5000] * 99, affected=["<" * 999] * 99)
    assert "&amp;&lt;&gt;" in shown(long)


def test_data_can_call_nobody_and_breaks_no_line():
    bad = incident("load", "x", "bad <!channel> & <@U123>\n``` in مرحبا 🌱")
    text = shown(story([bad], not_built=["<!here>"]))
    assert "bad &lt;!channel&gt; &amp; &lt;@U123&gt; ''' in مرحبا 🌱" in text
    assert "&lt;!here&gt;" in text


def test_phones_get_the_first_failures_as_text():
    text = build(story())["text"]
    assert text.startswith("Greenery run failed: 2 tests failed\n• `fct_orders.user_id`")
    assert "more" not in text.replace("more than once", "")


def test_phones_are_told_how_many_more_there_are():
    text = build(story([incident("test", f"t{i}", f"rule {i}") for i in range(68)]))["text"]
    assert text.splitlines()[0] == "Greenery run failed: 68 tests failed"
    assert text.splitlines()[-1] == "and 65 more"
    assert len(text.splitlines()) == 5


@pytest.mark.parametrize(
    ("failing", "facts", "color"),
    [
        pytest.param(TESTS, Facts(published_at=PUBLISHED), RED, id="held-back"),
        pytest.param(TESTS, None, RED, id="nothing-known"),
        pytest.param(TESTS, Facts((), (), PUBLISHED, RUN), ORANGE, id="published-all-the-same"),
        pytest.param([TESTS[0], replace(TESTS[1], **RESOLVED)], Facts(), RED, id="one-mended"),
        pytest.param([replace(one, **RESOLVED) for one in TESTS], Facts(), GREEN, id="mended"),
    ],
)
def test_the_colour_is_that_of_the_worst(failing, facts, color):
    assert build(story(failing, facts))["attachments"][0]["color"] == color


def test_buttons_lead_to_the_log_and_the_run():
    buttons = build(story(runbook_url="https://docs.example/run"))["blocks"][-1]["elements"]
    assert {button["text"]["text"]: button["url"] for button in buttons} == {
        "Open the log": "http://localhost:8080/dags/greenery_elt/runs/run%201/tasks/build.a",
        "Open the run": "http://localhost:8080/dags/greenery_elt/runs/run%201",
        "How to repair": "https://docs.example/run",
    }


@pytest.mark.parametrize("base_url", ["", "/airflow", "http://x/a b", "http://x/" + "y" * 3000])
def test_a_button_that_slack_would_refuse_is_left_out(base_url):
    payload = build(story(base_url=base_url))
    assert '"actions"' not in json.dumps(payload["blocks"])
    assert rules.problem(payload) is None
