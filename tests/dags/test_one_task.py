"""The DAG as Airflow reads it in the process of one task: with no more of dbt's than that needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag

from elt.airflow.dbt_tasks import FREEZES_HORIZON

FILE = Path(__file__).parents[2] / "dags" / "greenery_elt.py"
# what says in a task's process which one it is; set by Airflow for `get_parsing_context()`
DAG_ID, TASK_ID = "_AIRFLOW_PARSING_CONTEXT_DAG_ID", "_AIRFLOW_PARSING_CONTEXT_TASK_ID"


def read(monkeypatch: pytest.MonkeyPatch, dag_id: str = "", task_id: str = "") -> Any:
    with monkeypatch.context() as context:
        for name, value in ((DAG_ID, dag_id), (TASK_ID, task_id)):
            context.delenv(name, raising=False)
            if value:
                context.setenv(name, value)
        bag = DagBag(FILE)
    assert bag.import_errors == {}
    return bag.dags["greenery_elt"]


def built(dag: Any) -> set[str]:
    return {task_id for task_id in dag.task_ids if task_id.startswith("build.")}


def at_work(task: Any) -> dict[str, Any]:
    """Return what a task of dbt does, when, and how often, whatever comes before and after it."""
    command, environment = task.build_cmd({"run_id": "a"}, task.add_cmd_flags())
    return {
        "class": type(task),
        # Cosmos excludes tests in any order, from one reading to the next
        "command": [sorted(word.split()) for word in command],
        "environment": environment,
        # its manifest is another: spare_parsing sees to that
        "project": (task.project_dir, task.cache_dir),
        "selection": (task.select, sorted(task.exclude.split()), task.selector),
        "called": (task.callback, task.interceptors, task.on_failure_callback),
        "node": task.extra_context,
        "tries": (task.retries, task.retry_delay, task.retry_policy, task.execution_timeout),
        "owner": (task.owner, task.trigger_rule, task.queue, task.pool, task.emit_datasets),
        "profile": (task.profile_config.profile_name, task.profile_config.target_name),
    }


@pytest.fixture(scope="module")
def whole():
    with pytest.MonkeyPatch.context() as monkeypatch:
        return read(monkeypatch)


def test_each_task_of_dbt_is_the_same_when_it_is_read_alone(whole, monkeypatch):
    tasks = built(whole)
    assert len(tasks) > 40
    for task_id in tasks:
        alone = read(monkeypatch, "greenery_elt", task_id)
        others = built(alone) - {task_id}
        # tests on more than their own model come along with it
        assert all(other.endswith("_test") for other in others), task_id
        assert at_work(alone.get_task(task_id)) == at_work(whole.get_task(task_id))


def test_a_test_with_a_task_of_its_own_is_read_without_its_models(whole, monkeypatch):
    tests = {task_id for task_id in built(whole) if task_id.endswith("_test")}
    assert tests
    for task_id in tests:
        assert built(read(monkeypatch, "greenery_elt", task_id)) == {task_id}


@pytest.mark.parametrize(
    ("dag_id", "task_id"),
    [
        ("greenery_elt", ""),
        ("greenery_elt", "build.fct_orders_test"),
        ("greenery_elt", "build.no_such_model"),
        ("rebuild", "build.fct_orders"),
        ("", "build.fct_orders"),
    ],
)
def test_all_of_dbt_is_read_unless_it_is_clear_what_is_needed(whole, monkeypatch, dag_id, task_id):
    read_then = read(monkeypatch, dag_id, task_id)
    assert read_then.task_ids == whole.task_ids
    for task in read_then.tasks:
        assert task.upstream_task_ids == whole.get_task(task.task_id).upstream_task_ids


def test_a_task_that_is_not_dbts_is_the_same_when_it_is_read_without_dbt(whole, monkeypatch):
    others = {*whole.task_ids} - built(whole)
    assert len(others) > 10
    for task_id in others:
        alone = read(monkeypatch, "greenery_elt", task_id)
        # what skips all of dbt's must find it
        assert {*alone.task_ids} == (others if task_id != FREEZES_HORIZON else {*whole.task_ids})
        (then, there) = alone.get_task(task_id), whole.get_task(task_id)
        for field in (
            "retries",
            "retry_policy",
            "trigger_rule",
            "execution_timeout",
            "is_teardown",
        ):
            assert getattr(then, field) == getattr(there, field), (task_id, field)
        assert (then.outlets, then.inlets) == (there.outlets, there.inlets)


def test_what_is_not_dbts_is_there_whichever_task_is_read(whole, monkeypatch):
    alone = read(monkeypatch, "greenery_elt", "build.fct_orders")
    assert {*whole.task_ids} - built(whole) == {*alone.task_ids} - built(alone)
