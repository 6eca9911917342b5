from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from elt.alerting.report import Report, report_on
from elt.alerting.run_facts import Facts, NodeResult, RunContext, TaskFailure

NOW = datetime(2026, 11, 21, 7, 12, tzinfo=UTC)
NOT_NULL = "test.greenery.not_null_stg_greenery__orders_user_id.a1"
UNIQUE = "test.greenery.unique_dim_users_user_id.b2"
TOGETHER = "test.greenery.assert_orders_agree_with_users"
KPIS = "model.greenery.fct_kpis"
BUILT = "build.staging.stg_greenery__orders_model_build"


def result(unique_id: str, status: str = "success", failures: int | None = None, message=None):
    return NodeResult(unique_id, unique_id.split(".")[0], status, failures, message, 0.1)


def model(name: str, status: str = "success", message=None):
    return result(f"model.greenery.{name}", status, None, message)


def report(
    facts: Facts | None, lineage, task_id=None, states=None, reason="task_failure", state="failed"
):
    hint = RunContext(
        "greenery_elt", "run 1", reason, task_id, states, "http://localhost:8080", state
    )
    return report_on(hint, facts, lineage, NOW)


def sentences(run: Report) -> list[str]:
    return [failure.sentence for failure in run.failures]


def test_a_failed_test_holds_back_what_depends_on_the_tested_model(lineage):
    facts = Facts(
        results=(
            (BUILT, 1, model("stg_greenery__orders")),
            (BUILT, 1, result(NOT_NULL, "fail", 12)),
            ("u", 1, model("stg_greenery__users")),
            ("d", 1, model("dim_users")),
        )
    )
    run = report(facts, lineage, BUILT)
    assert sentences(run) == ["`stg_greenery__orders.user_id` must not be empty: 12 rows"]
    # marts first; what is inlined is never built; what was built is not missing
    assert run.not_built == ("fct_kpis", "fct_orders", "int_user_orders")


def test_a_model_without_a_result_elsewhere_is_not_blamed_on_the_failure(lineage):
    facts = Facts(results=(("d", 1, model("dim_users")), ("d", 1, result(UNIQUE, "fail", 2))))
    assert report(facts, lineage).not_built == ("fct_kpis",)


def test_a_model_that_failed_is_not_built_itself(lineage):
    facts = Facts(results=(("f", 1, model("fct_orders", "error", "division by zero")),))
    run = report(facts, lineage)
    assert sentences(run) == ["`fct_orders` could not be built: division by zero"]
    assert run.not_built == ("fct_kpis", "fct_orders")


def test_a_warning_or_a_skipped_test_is_no_failure(lineage):
    facts = Facts(
        results=(("d", 1, result(UNIQUE, "warn", 2)), ("o", 1, result(NOT_NULL, "skipped")))
    )
    assert report(facts, lineage, states={"d": "success"}).failures == ()


def test_a_run_that_failed_of_nothing_known_is_told_all_the_same(lineage):
    assert sentences(report(Facts(), lineage)) == ["It failed, and none of its tasks says why"]


def test_a_failed_load_is_told_first_and_holds_back_everything(lineage):
    facts = Facts(
        results=(("d", 1, result(UNIQUE, "fail", 2)),),
        task_failures=(TaskFailure("load_orders", 3, "orders.csv, line 7:\nno such day", None),),
    )
    run = report(facts, lineage)
    assert sentences(run)[0] == "`load_orders`: orders.csv, line 7: no such day"
    assert len(run.not_built) == 6


def test_a_task_with_failed_nodes_is_told_once(lineage):
    facts = Facts(
        results=((BUILT, 1, result(NOT_NULL, "fail", 12)),),
        task_failures=(TaskFailure(BUILT, 1, "`stg…` must not be empty: 12 rows", None),),
    )
    assert len(report(facts, lineage, BUILT, {BUILT: "failed"}).failures) == 1


def test_a_task_killed_in_its_second_try_is_not_told_by_the_first(lineage):
    facts = Facts(
        results=((BUILT, 1, model("stg_greenery__orders", "error", "deadlock detected")),),
        task_failures=(TaskFailure(BUILT, 2, "It ended without a word.", None),),
    )
    assert sentences(report(facts, lineage)) == [f"`{BUILT}`: It ended without a word."]


def test_a_task_mended_by_a_later_try_is_not_told(lineage):
    facts = Facts(
        results=((BUILT, 2, model("stg_greenery__orders")), ("d", 1, result(UNIQUE, "fail", 2))),
        task_failures=(TaskFailure(BUILT, 1, "It ended without a word.", None),),
    )
    assert [failure.key for failure in report(facts, lineage).failures] == [UNIQUE]


def test_a_task_that_airflow_calls_mended_is_not_told(lineage):
    facts = Facts(
        results=(("d", 1, result(UNIQUE, "fail", 2)),),
        task_failures=(TaskFailure("load_orders", 1, "no such file", None),),
    )
    run = report(facts, lineage, "load_orders", {"load_orders": "success", "d": "failed"})
    assert [failure.key for failure in run.failures] == [UNIQUE]


def test_a_task_that_left_no_word_was_killed(lineage):
    task = "build.marts.core.fct_orders_model_build"
    run = report(Facts(), lineage, task)
    assert sentences(run) == [
        f"`{task}` ended without a word: killed, or out of memory? Its log may tell"
    ]
    assert run.not_built == ("fct_kpis", "fct_orders")
    assert run.log_url() == f"http://localhost:8080/dags/greenery_elt/runs/run%201/tasks/{task}"


def test_every_killed_task_is_told_where_airflow_can_be_asked(lineage):
    run = report(Facts(), lineage, "x", {"load_users": "failed", "load_orders": "failed"})
    assert [failure.task_id for failure in run.failures] == ["load_orders", "load_users"]


def test_without_the_warehouse_airflow_speaks_alone(lineage):
    run = report(None, lineage, "load_users")
    assert sentences(run) == ["`load_users` failed. What failed in it is in its log"]
    assert run.not_built == ()


@pytest.mark.parametrize("reason", ["timed_out", "all_tasks_deadlocked"])
def test_a_run_that_ended_as_a_whole_says_why(lineage, reason):
    (failure,) = report(Facts(), lineage, reason=reason).failures
    assert failure.kind == "run"


def test_without_a_manifest_names_have_to_do():
    facts = Facts(results=(("d", 1, result(UNIQUE, "fail", 2)),))
    assert sentences(report(facts, None)) == ["unique dim users user id: 2 rows"]


def test_the_log_of_the_first_failure_is_the_recorded_one(lineage):
    facts = Facts(task_failures=(TaskFailure("load_orders", 3, "no such file", "http://x/log"),))
    assert report(facts, lineage, "end_run").log_url() == "http://x/log"


def test_while_a_run_goes_on_only_what_failed_for_good_is_told(lineage):
    lost = ((BUILT, 1, model("stg_greenery__orders", "error", "deadlock detected")),)
    assert report(Facts(results=lost), lineage, state="running").failures == ()
    given_up = Facts(results=lost, task_failures=(TaskFailure(BUILT, 1, "deadlock", None),))
    assert len(report(given_up, lineage, state="running").failures) == 1


def test_a_good_run_has_no_failure_left(lineage):
    facts = Facts(task_failures=(TaskFailure("load_orders", 1, "no such file", None),))
    good = report(facts, lineage, state="success")
    assert good.failures == ()
    assert good.recovered_at("anything at all", NOW) == NOW


def test_a_good_result_mends_what_failed_before_it(lineage):
    later = NOW + timedelta(minutes=5)
    good = replace(result(UNIQUE, "pass"), finished_at=NOW)
    run = report(Facts(results=(("d", 1, good),)), lineage, state="running")
    assert run.recovered_at(UNIQUE, NOW) == NOW
    # the task that was killed in an earlier run left results in this one
    assert run.recovered_at("task:d", NOW) == NOW
    # it was good, and then it failed
    assert run.recovered_at(UNIQUE, later) is None
    assert run.recovered_at(NOT_NULL, NOW) is None


def test_a_task_that_airflow_calls_good_is_mended(lineage):
    run = report(Facts(), lineage, states={"load_orders": "success", "load_users": "running"})
    assert run.recovered_at("task:load_orders", NOW) == NOW
    assert run.recovered_at("task:load_users", NOW) is None


def test_reports_that_rest_on_what_is_not_built_are_named(lineage):
    lineage.exposures = {
        "e1": {"name": "a", "label": "Weekly report", "depends_on": {"nodes": [KPIS]}},
        "e2": {"name": "other", "depends_on": {"nodes": ["model.greenery.dim_users"]}},
    }
    facts = Facts(results=(("f", 1, model("fct_orders", "error", "division by zero")),))
    assert report(facts, lineage).affected == ("Weekly report",)
