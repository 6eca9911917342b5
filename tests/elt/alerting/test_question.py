"""What is left to a person: of which runs somebody is asked, and what an answer does."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from elt.airflow.alerts import notify_of_failed_run
from elt.alerting import question, run_facts
from elt.alerting.notify import TimeLimits
from elt.alerting.question import TooLateError, answer, ask
from elt.alerting.run_facts import NodeResult, RunContext, TaskFailure
from elt.errors import offer_to_shrink
from tests.elt.alerting.conftest import AIRFLOW, MANIFEST, RUN_ID, run_context

NOW = datetime(2026, 11, 21, 7, 12, tzinfo=UTC)
AT_LEISURE = TimeLimits(all=60, warehouse=20, names=5, answer=20)
TEST = "test.greenery.unique_dim_users_user_id.b2"
SHRANK = f"users.csv has 10 of the 100 living rows. Deliver it or {offer_to_shrink('users')}"


@pytest.fixture(autouse=True)
def somebody_is_asked(monkeypatch):
    monkeypatch.setenv(question.VARIABLE, "4")


@pytest.fixture
def failed(warehouse):
    """Have tasks of a run fail with a message; return the run."""
    warehouse.run("truncate ops.run_lease")
    warehouse.run(
        "insert into ops.run_lease (run_id, taken_at, expires_at) values (%s, now(), now())",
        (RUN_ID,),
    )

    def failed(**messages: str) -> RunContext:
        for task, message in messages.items():
            run_facts.keep_task_failure(RUN_ID, TaskFailure(task, 1, message, None))
        states = {"begin_run": "success", **dict.fromkeys(messages, "failed")}
        return RunContext("greenery_elt", RUN_ID, states=states)

    return failed


def keep(unique_id: str, status: str, failures: int | None = 12) -> None:
    kind = unique_id.partition(".")[0]
    result = NodeResult(unique_id, kind, status, failures, "said", 1.0)
    run_facts.keep_results(RUN_ID, "build", 1, [result])


def questions(warehouse) -> list[tuple]:
    return warehouse.run(
        "select run_id, tables, tests, until, answer, answered_by, note from ops.question"
        " order by question_id"
    )


def test_a_snapshot_that_shrank_and_a_failed_test_are_asked_about_with_the_facts(
    warehouse, failed, lineage
):
    run = failed(load_users=SHRANK, build="Test failed")
    keep(TEST, "fail")
    asked = ask(run, lineage, NOW)
    name = lineage.nodes[TEST]["name"]
    assert questions(warehouse) == [
        (RUN_ID, ["users"], [name], NOW + timedelta(hours=4), None, None, None)
    ]
    for said in ("10 of the 100 living rows", "12 values more than once", "21 Nov 11:12 UTC"):
        assert said in asked.facts


@pytest.mark.parametrize(
    "also",
    [
        {"load_orders": "orders.csv has 10 bad rows of 361"},
        {"publish_marts": "It was killed"},
        {"check_freshness": "No source was checked"},
    ],
    ids=["a bad file", "another task", "freshness"],
)
def test_where_a_yes_would_not_publish_nobody_is_asked(warehouse, failed, lineage, also):
    assert ask(failed(load_users=SHRANK, **also), lineage, NOW) is None
    assert questions(warehouse) == []


@pytest.mark.parametrize(
    ("unique_id", "status"),
    [(TEST, "error"), ("source.greenery.greenery.users", "error"), ("model.greenery.x", "error")],
)
def test_what_no_override_lets_through_is_not_asked_about(
    warehouse, failed, lineage, unique_id, status
):
    run = failed(build="It failed")
    keep(unique_id, status)
    assert ask(run, lineage, NOW) is None


def test_a_good_run_a_pinned_one_or_without_hours_asks_nobody(
    warehouse, failed, lineage, monkeypatch
):
    assert ask(failed(), lineage, NOW) is None
    run = failed(load_users=SHRANK)
    for said in ("", "soon", "0", "-1"):
        monkeypatch.setenv(question.VARIABLE, said)
        assert ask(run, lineage, NOW) is None
    monkeypatch.setenv(question.VARIABLE, "0.5")
    warehouse.run(
        "insert into ops.publication (run_id, published_at, rows_inserted, rows_updated,"
        " rows_deleted, tables) values ('run 0', now(), 0, 0, 0, '{}');"
        "insert into ops.pin (publication_id, pinned_at) select max(publication_id), now()"
        " from ops.publication"
    )
    assert ask(run, lineage, NOW) is None
    assert questions(warehouse) == []


def test_a_yes_is_an_override_for_one_run_and_a_no_is_none(warehouse, failed, lineage):
    run = failed(build="Test failed")
    keep(TEST, "fail")
    first, second = (ask(run, lineage, NOW).question_id for _ in range(2))
    answer(first, lineage, is_yes=False, by=None, note="")
    assert warehouse.run("select from ops.override") == []
    answered = answer(second, lineage, is_yes=True, by="ada", note=" known ")
    assert (answered.is_yes, answered.tables, answered.run_id) == (True, [], RUN_ID)
    assert [row[4:] for row in questions(warehouse)] == [
        ("no", None, None),
        ("yes", "ada", "known"),
    ]
    assert warehouse.run(
        "select unique_id, reason, made_by, until - made_at <= interval '2 hours' from ops.override"
    ) == [(TEST, "known", "ada", True)]


def test_an_answer_that_comes_after_another_run_has_begun_does_nothing(warehouse, failed, lineage):
    run = failed(load_users=SHRANK, build="Test failed")
    keep(TEST, "fail")
    asked = ask(run, lineage, NOW).question_id
    warehouse.run("update ops.run_lease set run_id = 'another'")
    with pytest.raises(TooLateError, match=r"another has been at work .* Nothing was done"):
        answer(asked, lineage, is_yes=True, by="ada", note="")
    assert [row[4] for row in questions(warehouse)] == [None]
    assert warehouse.run("select from ops.override") == []


def test_what_was_answered_is_among_the_decisions_that_the_report_shows(warehouse, failed, lineage):
    asked = ask(failed(load_users=SHRANK), lineage, NOW).question_id
    answer(asked, lineage, is_yes=True, by="ada", note="sold")
    assert warehouse.run(
        "set role reader; select kind, name, reason, decided_by from ops.decision_history"
    ) == [("snapshot that shrank", "users", "sold", "ada")]


def test_the_message_says_where_to_answer_and_then_what_was_answered(
    warehouse, failed, lineage, slack
):
    run = failed(load_users=SHRANK)
    asked = ask(run, lineage, datetime.now(UTC)).question_id
    context = run_context("load_users", run.states)

    def told() -> str:
        notify_of_failed_run(context, manifest=MANIFEST, limits=AT_LEISURE)
        (message,) = slack.messages
        return json.dumps(message, ensure_ascii=False)

    question = told()
    page = f"{AIRFLOW}/dags/publish_all_the_same/required_actions"
    assert f"*Publish all the same?* <{page}|Answer in Airflow> until " in question
    assert "UTC; no answer means no." in question
    warehouse.run("update ops.question set until = now()")
    assert "Publish all the same?" not in told()
    answer(asked, lineage, is_yes=False, by="ada", note="half are missing")
    assert warehouse.run("select from ops.run_told") == [], "it is told again"
    assert "*Publish all the same?* ada says no: half are missing" in told()
    warehouse.run("update ops.question set answered_by = null, note = null")
    assert "*Publish all the same?* Nobody answered, which means no." in told()
