"""What all tasks of dbt have in common, whichever DAG they are in."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.exceptions import AirflowFailException
from cosmos.operators.local import AbstractDbtLocalBase

from elt.airflow import dbt_events, parsed_project
from elt.airflow.dbt_tasks import (
    keep_lease,
    manifest_path,
    open_profile,
    prepare_node,
    spare_parsing,
)
from elt.airflow.parsed_project import ParsedProject
from elt.transform.lineage import Lineage
from elt.transform.project import PROJECT, fingerprint
from elt.warehouse import lease
from elt.warehouse.connection import transaction

DAGS = Path(__file__).parents[2] / "dags"
WARMS_UP = """
from elt.airflow import dbt_tasks, parsed_project, warm_up
warm_up.warm_up_for_tasks()
held = parsed_project.held(dbt_tasks.manifest_path())
knows = {name for name in held.lineage.nodes if name.startswith("model.")} if held else ()
print(f"held: {held is not None}, with all its models: {held and knows <= {*held.manifest.nodes}}")
"""


def test_no_task_of_dbt_lets_dbt_write_its_own_log():
    bag = DagBag(DAGS)
    tasks = [
        task
        for dag in bag.dags.values()
        for task in dag.tasks
        if isinstance(task, AbstractDbtLocalBase)
    ]
    assert {task.dag_id for task in tasks} == {"greenery_elt", "full_test"}
    for task in tasks:
        command, _ = task.build_cmd({"run_id": "a"}, task.add_cmd_flags())
        assert command[1 : 1 + len(dbt_events.NO_LOG)] == [*dbt_events.NO_LOG]
        if task.task_id == "check_freshness":
            # the age of a source is in no event
            assert "--no-write-json" not in command
            assert task._dbt_runner_callbacks == [dbt_events.log_event]
        else:
            assert command.count("--no-write-json") == 1
            assert task._dbt_runner_callbacks == [
                *(dbt_events.log_event, dbt_events.keep_manifest, dbt_events.collect_result)
            ]


@pytest.mark.parametrize("begin", [keep_lease, prepare_node])
def test_what_begins_to_build_makes_the_build_another_than_what_was_published(warehouse, begin):
    with transaction("loader") as cursor:
        lease.take(cursor, "a run")
    warehouse.run("update ops.run_lease set is_build_published = true")
    begin({"run_id": "a run"}, SimpleNamespace())
    assert warehouse.run("select is_build_published from ops.run_lease") == [(False,)]
    with pytest.raises(AirflowFailException, match="a run"):
        begin({"run_id": "another"}, SimpleNamespace())


@pytest.mark.parametrize("begin", [keep_lease, prepare_node])
def test_a_worker_that_has_other_models_says_so(warehouse, caplog, begin):
    with transaction("loader") as cursor:
        lease.take(cursor, "a run")
        lease.freeze_horizon(cursor, "a run", fingerprint(PROJECT))
    begin({"run_id": "a run"}, SimpleNamespace())
    assert "is not the one" not in caplog.text
    warehouse.run("update ops.run_lease set project = 'of a newer image'")
    begin({"run_id": "a run"}, SimpleNamespace())
    assert "is not the one that this run began with" in caplog.text


@pytest.mark.parametrize("held", [None, "of another project", "of another profile", "the same"])
def test_a_task_parses_unless_the_same_was_parsed_with_the_same_profile(monkeypatch, held):
    manifest = manifest_path()
    with open_profile() as (profiles_file, _):
        profile = profiles_file.read_text()
    was_parsed = manifest.with_name("another") if held == "of another project" else manifest
    if held == "of another profile":
        profile += "# another database, say"
    project = held and ParsedProject(was_parsed, Lineage.read(manifest), profile, None)
    monkeypatch.setattr(parsed_project, "_held", project)
    operator = SimpleNamespace(
        partial_parse=True,
        manifest_filepath="of one node, and gone",
        extra_context={"dbt_node_config": {"unique_id": "model.greenery.fct_orders"}},
    )
    spare_parsing(operator, manifest)
    parses = held != "the same"
    assert operator.partial_parse == parses
    assert operator.manifest_filepath == (str(manifest) if parses else "")
    assert hasattr(operator, "run_dbt_runner") != parses


def test_what_forks_itself_for_tasks_has_the_project_parsed():
    done = subprocess.run(
        [sys.executable, "-c", WARMS_UP], cwd=DAGS.parent, capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1:] == ["held: True, with all its models: True"], done.stderr
