"""The DAGs by which an operator decides what marts show, and their tasks as they run."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from elt.airflow import operator_tasks, run_tasks

DAGS = Path(__file__).parents[2] / "dags"
BY_HAND = ("override", "rebuild", "release", "rollback")


@pytest.fixture(scope="module", params=BY_HAND)
def dag(request):
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(DAGS / f"{request.param}.py").dags[request.param]


def test_it_runs_when_asked_once_at_a_time_and_raises_the_alarm(dag):
    assert dag.schedule is None
    assert dag.max_active_runs == 1
    assert dag.has_on_failure_callback
    assert dag.tags == {"greenery"}
    for word in ("What", "When", "Rerun", "Who hears"):
        assert f"**{word}**" in dag.doc_md
    (task,) = dag.tasks
    assert task.owner == "data-platform"
    assert task.retries >= 1
    assert timedelta() < task.execution_timeout <= timedelta(hours=1)
    assert task.has_on_failure_callback
    assert all(param.description for param in map(dag.params.get_param, dag.params))


@pytest.fixture
def run(monkeypatch):
    """Run a task's function with parameters, triggered by a user."""

    def run(module, task, **params):
        context = {
            "params": {"by": "", "reason": "", **params},
            "run_id": "run 1",
            "dag_run": SimpleNamespace(triggering_user_name="ada", run_type="manual"),
        }
        monkeypatch.setattr(module, "get_current_context", lambda: context)
        return task.function()

    return run


@pytest.fixture
def published(warehouse):
    """A warehouse in which the second of two publications can be undone."""
    warehouse.run(
        "set role publisher; create table marts.dim_users (user_id text primary key);"
        "insert into ops.publication (run_id, published_at, rows_inserted, rows_updated,"
        " rows_deleted, tables) select 'run ' || n, now(), 0, 0, 0, '{}'"
        " from generate_series(1, 2) as n;"
        "insert into marts.dim_users values ('new');"
        "insert into ops.row_before values (2, 'dim_users', '{\"user_id\": \"new\"}', null);"
        "insert into ops.mart_before (mart, publication_id, change) values ('dim_users', 2, 'rows')"
    )
    return warehouse


def test_nothing_is_rolled_back_before_it_is_confirmed(published, run):
    with pytest.raises(AirflowFailException, match="Nothing was done: set the parameter `confirm`"):
        run(operator_tasks, operator_tasks.roll_back_marts, confirm=False)
    assert published.run("select user_id from marts.dim_users") == [("new",)]


def test_a_rollback_says_who_triggered_it_and_a_release_ends_it(published, run):
    told = run(operator_tasks, operator_tasks.roll_back_marts, confirm=True, reason="wrong")
    assert "by ada: wrong" in told
    assert published.run("select user_id from marts.dim_users") == []
    assert "Released" in run(operator_tasks, operator_tasks.release_marts, by="bob")
    assert published.run("select pinned_by, released_by from ops.pin") == [("ada", "bob")]


def test_where_there_is_nothing_to_roll_back_a_retry_is_vain(warehouse, run):
    with pytest.raises(AirflowFailException, match="Nothing was ever published"):
        run(operator_tasks, operator_tasks.roll_back_marts, confirm=True)


def test_a_pinned_day_is_skipped_in_words(warehouse, run, monkeypatch):
    def pinned(*_):
        raise run_tasks.PublicationPinnedError("Not published. Pinned since yesterday")

    monkeypatch.setattr(run_tasks, "publish", pinned)
    with pytest.raises(AirflowSkipException, match="Pinned since yesterday"):
        run(run_tasks, run_tasks.publish_marts)


def test_a_test_is_let_through_and_listed(warehouse, run):
    name = "assert_daily_performance_adds_up"
    params = {"test": name, "until": "", "end": False}
    with pytest.raises(AirflowFailException, match="Say why"):
        run(operator_tasks, operator_tasks.decide_on_test, **params)
    told = run(operator_tasks, operator_tasks.decide_on_test, **params, reason="known")
    assert f"`{name}` is let through until" in told
    listed = run(operator_tasks, operator_tasks.decide_on_test, test="", until="", end=False)
    assert listed.startswith(f"{name}: let through until")
    assert listed.endswith("by ada: known")
    assert "no longer" in run(
        operator_tasks, operator_tasks.decide_on_test, test=name, until="", end=True
    )
    assert run(operator_tasks, operator_tasks.decide_on_test, test="", until="", end=False) == (
        "No test is let through."
    )
