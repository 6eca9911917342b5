"""The DAG as Airflow reads it, without running it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import psycopg2
import pytest
from airflow.sdk import RetryAction
from airflow.sdk.exceptions import AirflowTaskTimeout
from cosmos.exceptions import CosmosDbtRunError

from elt.airflow.dbt_tasks import manifest_path
from elt.airflow.pages import DocsLink, StateLink
from elt.loading.sources_yaml import declared_tables
from elt.transform.lineage import Lineage, held_back

DAGS = Path(__file__).parents[2] / "dags"


@pytest.fixture(scope="module")
def bag():
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(DAGS)


@pytest.fixture(scope="module")
def dag(bag):
    return bag.dags["greenery_elt"]


@pytest.fixture(scope="module")
def lineage():
    return Lineage.read(manifest_path())


def upstream(dag, task_id: str) -> set[str]:
    """Return all that a task waits for, near and far."""
    found: set[str] = set()
    todo = [task_id]
    while todo:
        for before in dag.get_task(todo.pop()).upstream_task_ids:
            if before not in found:
                found.add(before)
                todo.append(before)
    return found


def test_every_dag_file_is_read_without_an_error(bag):
    assert bag.import_errors == {}
    assert sorted(bag.dags) == [
        *("full_test", "greenery_alerts", "greenery_elt", "override"),
        *("publish_all_the_same", "rebuild", "release", "replay_quarantine", "rollback"),
    ]


def test_dag_files_are_named_after_their_dag_and_stay_short():
    files = list(DAGS.glob("*.py"))
    assert files
    for file in files:
        assert f"def {file.stem}(" in file.read_text()
        assert not file.stem.startswith("dbt_"), "it would hide a module of dbt's"
        assert len(file.read_text().splitlines()) < 80


def test_it_runs_daily_in_utc_once_at_a_time_without_catching_up(dag):
    assert dag.timetable.serialize() == {"expression": "0 0 * * *", "timezone": "UTC"}
    assert type(dag.timetable).__name__ == "CronDataIntervalTimetable"
    assert dag.max_active_runs == 1
    assert dag.catchup is False


def test_it_is_documented_tagged_and_raises_the_alarm(dag):
    for word in ("What", "When", "Rerun", "Who hears"):
        assert f"**{word}**" in dag.doc_md
    assert dag.tags == {"greenery"}
    assert dag.has_on_failure_callback


def test_every_task_has_an_owner_retries_with_back_off_a_timeout_and_an_alert(dag):
    assert len(dag.tasks) > 40
    for task in dag.tasks:
        assert task.owner not in ("", "airflow"), task.task_id
        assert task.retries >= 1, task.task_id
        assert task.retry_exponential_backoff, task.task_id
        assert timedelta() < task.execution_timeout <= timedelta(hours=1), task.task_id
        assert task.has_on_failure_callback, task.task_id


@pytest.mark.parametrize(
    ("error", "minutes", "is_tried_again"),
    [
        (AirflowTaskTimeout("too long"), 30, False),
        (psycopg2.errors.QueryCanceled("statement timeout"), 29, False),
        (CosmosDbtRunError("dbt did not complete: Timeout, PID 7"), 61, False),
        (psycopg2.OperationalError("the connection is gone"), 29, True),
    ],
    ids=["stopped by Airflow", "stopped by the server", "stopped in dbt", "trouble that passes"],
)
def test_what_hit_its_time_limit_is_not_tried_again(dag, error, minutes, is_tried_again):
    for task in dag.tasks:
        started_at = datetime.now(UTC) - timedelta(minutes=minutes)
        context = {"task": task, "ti": SimpleNamespace(start_date=started_at)}
        decision = task.retry_policy.evaluate(error, 1, 2, context)
        assert (decision.action is not RetryAction.FAIL) == is_tried_again, task.task_id


def test_there_is_one_load_task_for_each_declared_table(dag):
    declared = {f"load_{table}" for table in declared_tables()}
    assert len(declared) == 7
    assert {t.task_id for t in dag.tasks if t.task_id.startswith("load_")} == declared


def test_there_is_one_task_for_each_model_or_snapshot_and_none_for_a_source(dag, lineage):
    built = lineage.of_type("model", "snapshot")
    models = {f"build.{lineage.nodes[node]['name']}" for node in built}
    tasks = {task.task_id for task in dag.tasks if task.task_id.startswith("build.")}
    assert len(models) > 20
    assert models <= tasks
    assert all(task.endswith("_test") for task in tasks - models)


def test_nothing_is_built_before_everything_is_loaded(dag, lineage):
    loads = {f"load_{table}" for table in declared_tables()}
    for model in lineage.of_type("model", "snapshot"):
        before = upstream(dag, f"build.{lineage.nodes[model]['name']}")
        assert loads | {"begin_run", "freeze_horizon"} <= before


def test_publish_waits_for_every_other_task_and_the_end_for_publish(dag):
    everything = {task.task_id for task in dag.tasks}
    after = {"publish_marts", "end_run", "write_report"}
    assert upstream(dag, "publish_marts") == everything - after
    assert upstream(dag, "end_run") == everything - (after - {"publish_marts"})
    assert upstream(dag, "write_report") == everything - {"write_report"}


def test_the_report_is_nothing_to_the_state_of_the_run(dag):
    report = dag.get_task("write_report")
    assert report.is_teardown
    assert not report.on_failure_fail_dagrun
    assert report.downstream_task_ids == set()


def test_the_lease_is_given_back_only_when_no_task_is_at_work_any_more(dag):
    at_work = {
        task.task_id
        for task in dag.tasks
        if task.task_id.startswith(("load_", "build.")) or task.task_id == "check_freshness"
    }
    assert len(at_work) > 30
    assert at_work | {"publish_marts"} <= dag.get_task("end_run").upstream_task_ids


def test_a_test_holds_back_every_model_that_depends_on_what_it_tests(dag, lineage):
    tests = [test for test in lineage.of_type("test") if len(lineage.parents[test]) > 1]
    assert len(tests) > 5
    for test in tests:
        task = f"build.{lineage.nodes[test]['name']}_test"
        for model in held_back(test, lineage):
            before = upstream(dag, f"build.{lineage.nodes[model]['name']}")
            assert task in before, f"{model} does not wait for {test}"


def test_a_task_takes_the_owner_of_its_model(dag, lineage):
    for model in lineage.of_type("model", "snapshot"):
        node = lineage.nodes[model]
        assert dag.get_task(f"build.{node['name']}").owner == node["config"]["meta"]["owner"]


def test_only_the_publication_announces_marts(dag, lineage):
    announced = {task.task_id: {asset.name for asset in task.outlets} for task in dag.tasks}
    assert announced.pop("publish_marts") == {f"greenery_elt.marts.{m}" for m in lineage.marts}
    # of a run that leaves something to a person
    assert announced.pop("end_run") == {"greenery_elt.question"}
    assert not any(announced.values())


def test_the_task_of_each_node_leads_to_it_in_the_documentation(dag, lineage):
    nodes = lineage.of_type("model", "snapshot")
    assert len(nodes) > 30
    for node in nodes:
        task = dag.get_task(f"build.{lineage.nodes[node]['name']}")
        for link in (DocsLink, StateLink):
            # Airflow finds the links of a plugin by the name of the task's class
            assert type(task) in link.operators
        to = DocsLink().get_link(task, ti_key=SimpleNamespace(task_id=task.task_id))
        assert to.endswith(f"docs.html#!/{node.partition('.')[0]}/{node}")
