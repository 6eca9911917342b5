"""Every declared source is asked whether it came, whatever it is called; none is no success."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException

from elt.airflow.dbt_tasks import freshness_task
from tests.dbt.daily import DailyBuild

PROJECT = """
name: another
profile: greenery
flags: {send_anonymous_usage_stats: false}
"""
SOURCES = """
sources:
  - name: bookshop
    schema: raw
    tables:
      - name: books
        config: {freshness: {warn_after: {count: 1, period: day}}, loaded_at_query: select now()}
  - name: post_office
    schema: raw
    tables:
      - name: parcels
        config: {freshness: {warn_after: {count: 1, period: day}}, loaded_at_query: select now()}
"""


@pytest.fixture(scope="module")
def task():
    return freshness_task("check_freshness")


def check(task, warehouse, folder, sources: str) -> set[str]:
    """Do what the task does in a project of another shop, and return what was checked."""
    project = folder / "project"
    (project / "models").mkdir(parents=True)
    (project / "dbt_project.yml").write_text(PROJECT)
    (project / "models" / "sources.yml").write_text(sources)
    build = DailyBuild(warehouse, folder / "run", project)
    build(" ".join(task.base_cmd), *task.add_global_flags())
    shutil.copytree(build.folder / "target", project / "target")
    ti = SimpleNamespace(run_id="a run", task_id="check_freshness", try_number=1)
    task.callback(project, context={"ti": ti})
    return {name for (name,) in warehouse.run("select unique_id from ops.node_result")}


def test_sources_of_every_name_are_checked(task, warehouse, tmp_path):
    assert check(task, warehouse, tmp_path, SOURCES) == {
        "source.another.bookshop.books",
        "source.another.post_office.parcels",
    }


@pytest.mark.parametrize(
    "sources",
    [
        "sources: []",
        "sources: [{name: shop, schema: raw, tables: [{name: books}]}]",
        "sources: [{name: shop, schema: raw, tables: [{name: books, config: {freshness: null}}]}]",
    ],
    ids=["no source", "no freshness", "freshness: null"],
)
def test_a_check_of_no_source_fails(task, warehouse, tmp_path, sources):
    with pytest.raises(AirflowFailException, match="No source was checked"):
        check(task, warehouse, tmp_path, sources)
