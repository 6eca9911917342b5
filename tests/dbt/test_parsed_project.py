"""A node is built from what was parsed before, as from the project, by Cosmos' own operators."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from cosmos import ProfileConfig
from cosmos.constants import InvocationMode
from cosmos.exceptions import CosmosDbtRunError
from cosmos.operators.local import DbtBuildLocalOperator, DbtTestLocalOperator

from elt.airflow import dbt_events, parsed_project
from elt.airflow.parsed_project import ParsedProject
from elt.alerting.run_facts import NodeResult
from elt.transform.lineage import Lineage
from elt.transform.project import slim
from tests.dbt.daily import DailyBuild

MODELS = {
    "base": "select 1 as id union all select 2",
    "between": "{{ config(materialized='ephemeral') }} select id from {{ ref('base') }}",
    "above": "select id from {{ ref('between') }}",
    "other": "select 1 as id",
    "knows_all": "select {{ graph.nodes.values() | map(attribute='name') | list | length }} as n",
    "undeclared": "{% if execute %} select id from {{ ref('other') }} {% endif %}",
}
TESTS = """
models:
- name: above
  columns:
  - name: id
    data_tests:
    - unique
    - accepted_values: {name: odd, arguments: {values: [1], quote: false}}
    - relationships: {name: has_other, arguments: {to: ref('other'), field: id}}
"""


@pytest.fixture
def build(warehouse, tmp_path, monkeypatch) -> DailyBuild:
    project = tmp_path / "project"
    (project / "models").mkdir(parents=True)
    (project / "dbt_project.yml").write_text(
        "{name: small, profile: greenery, on-run-start: [select 1]}"
    )
    for name, text in MODELS.items():
        (project / f"models/{name}.sql").write_text(text)
    (project / "models/_models.yml").write_text(TESTS)
    monkeypatch.setenv("GREENERY_TEST_PASSWORD", warehouse.server.passwords["greenery"])
    return DailyBuild(warehouse, tmp_path / "run", project)


@pytest.fixture
def parsed(build) -> ParsedProject:
    manifest = build("parse")
    written = json.loads((build.folder / "target" / "manifest.json").read_text())
    profile = (build.folder / "profiles.yml").read_text()
    return ParsedProject(build.folder / "small.json", Lineage(slim(written)), profile, manifest)


@pytest.fixture
def built(build, parsed) -> None:
    """What is above is there, and the project itself is broken."""
    build("run", "--select", "base other")
    for file in build.project.glob("models/*"):
        file.write_text("broken meanwhile")


@pytest.fixture
def execute(build, parsed, monkeypatch) -> Callable[..., tuple[dict[str, str], str]]:
    """Do the task of a node: each result's status by its node's name, and what Cosmos raised."""
    nodes = parsed.lineage.nodes
    kept: list[NodeResult] = []
    monkeypatch.setattr(dbt_events, "record_dbt_results", lambda *all_of: kept.extend(all_of[2]))

    def execute(node: str, **arguments: str) -> tuple[dict[str, str], str]:
        kept.clear()
        callbacks = [dbt_events.log_event, dbt_events.collect_result]
        kind = DbtTestLocalOperator if node.startswith("test.") else DbtBuildLocalOperator
        task = kind(
            task_id="a_node",
            project_dir=build.project,
            profile_config=ProfileConfig(
                profile_name="greenery",
                target_name="prod",
                profiles_yml_filepath=build.folder / "profiles.yml",
            ),
            invocation_mode=InvocationMode.DBT_RUNNER,
            select=nodes[node]["name"],
            emit_datasets=False,
            install_deps=False,
            dbt_cmd_global_flags=[*dbt_events.NO_LOG, *dbt_events.NO_FILES],
            callback=dbt_events.record_collected,
            interceptors=[lambda _, operator: parsed.use_for(operator, node, callbacks)],
            **arguments,
        )
        raised = ""
        try:
            task.execute({"ti": SimpleNamespace(try_number=1), "run_id": "a run", "task": task})
        except CosmosDbtRunError as error:
            raised = str(error)
        return {nodes[done.unique_id]["name"]: done.status for done in kept}, raised

    return execute


def test_a_node_is_built_and_tested_without_its_project(built, execute, warehouse, caplog):
    statuses, raised = execute("model.small.above", exclude="odd")
    assert statuses == {"above": "success", "unique_above_id": "pass", "has_other": "fail"}
    assert "has_other" in raised
    assert warehouse.run("select id from staging.above order by id") == [(1,), (2,)]
    assert "OK hook: small.on-run-start.0" in caplog.text


def test_a_test_with_a_task_of_its_own_needs_no_project(built, execute, parsed):
    execute("model.small.above", exclude="odd has_other")
    (node,) = [test for test in parsed.lineage.nodes if ".has_other." in test]
    assert execute(node)[0] == {"has_other": "fail"}


def test_jinja_sees_all_of_the_project(built, execute, warehouse, parsed):
    assert execute("model.small.knows_all") == ({"knows_all": "success"}, "")
    assert warehouse.run("select n from staging.knows_all") == [(len(parsed.lineage.nodes),)]


def test_of_a_model_that_is_read_undeclared_dbt_says_that(built, execute):
    """Of what it was given alone it would say that there is no such model."""
    statuses, raised = execute("model.small.undeclared")
    assert statuses == {"undeclared": "error"}
    assert "dbt was unable to infer all dependencies" in raised


def test_only_the_project_that_was_parsed_is_taken(parsed, monkeypatch):
    monkeypatch.setattr(parsed_project, "_held", None)
    assert parsed_project.held(parsed.small_manifest) is None
    parsed_project.hold(parsed)
    assert parsed_project.held(parsed.small_manifest) is parsed
    assert parsed_project.held(parsed.small_manifest.with_name("of-a-changed-project")) is None
