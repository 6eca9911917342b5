"""What the README promises, done as it is written there."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from datetime import date
from pathlib import Path

import pytest

from devtools.demo.generate import write_landing
from devtools.demo.settings import DemoSettings
from elt.airflow.dbt_tasks import open_profile
from elt.airflow.load_tasks import load_table
from elt.loading import sources_yaml
from elt.privacy.rules import read_rules
from elt.transform.project import PROJECT, ensure_manifest
from tests.dbt.daily import DailyBuild
from tests.project.rules import RULES, Project

ROOT = Path(__file__).parents[1]


def block(section: str, language: str, document: str = "README.md") -> str:
    """Return the only block of a language in a section of the README, or another document."""
    content = (ROOT / document).read_text()
    (text,) = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", content, re.S | re.M)
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", text, re.S | re.M)
    return found


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A copy of the dbt project with the README's table, and a landing folder with its file."""
    project = tmp_path / "greenery"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("target", "logs"))
    sources = project / sources_yaml.CONTRACTS.relative_to(PROJECT)
    with sources.open("a") as file:
        file.write(block("Add a source table", "yaml"))
    monkeypatch.setattr(sources_yaml, "CONTRACTS", sources)
    landing = tmp_path / "landing"
    landing.mkdir()
    (landing / "reviews.csv").write_text(block("Add a source table", "csv"))
    monkeypatch.setenv(
        "AIRFLOW_CONN_GREENERY_SOURCE",
        json.dumps({"conn_type": "fs", "extra": {"path": str(landing)}}),
    )

    monkeypatch.setenv("GREENERY_SETTLE_SECONDS", "0")
    return project


def test_a_source_table_is_added_by_one_block(warehouse, project, tmp_path, monkeypatch):
    from airflow.dag_processing.dagbag import DagBag

    load_table("reviews", run_id="a run")
    assert warehouse.run("select review_id, stars, words from raw.reviews order by 1") == [
        ("r1", 5, "Grows, and grows"),
        ("r2", None, "Arrived wilted"),
    ]
    dag = DagBag(ROOT / "dags").dags["greenery_elt"]
    assert "load_reviews" in {task.task_id for task in dag.tasks}
    assert "reviews" in {table.name for table in read_rules(sources_yaml.declared_tables()).own}

    monkeypatch.setenv("GREENERY_DBT_TARGET", str(tmp_path / "target"))
    manifest = json.loads(ensure_manifest(open_profile, project).read_text())
    assert "source.greenery.greenery.reviews" in manifest["sources"]


def test_its_staging_model_passes_its_tests_and_the_house_rules_on_the_demo_shop(
    warehouse, project, tmp_path
):
    def example(language: str) -> str:
        return block("A source table", language, "CONTRIBUTING.md")

    staging = project / "models/staging/greenery"
    (staging / "stg_greenery__reviews.sql").write_text(example("sql"))
    with (staging / "_greenery__models.yml").open("a") as file:
        file.write("\n" + example("yaml"))
    with contextlib.closing(warehouse.connect("analyst")) as connection:
        settings = DemoSettings(date(2026, 1, 1), sessions_per_day=1)
        write_landing(connection, tmp_path / "landing", settings, [settings.first_day])
    for table in ("users", "products", "reviews"):
        load_table(table, run_id="a run")

    build = DailyBuild(warehouse, tmp_path / "build", project)
    results = build("build", "--select", "stg_greenery__reviews")
    assert {result.status for result in results} == {"success", "pass"}
    assert len(results.results) == 8
    assert warehouse.run("select star_count from staging.stg_greenery__reviews order by 1") == [
        (5,),
        (None,),
    ]
    manifest = json.loads((tmp_path / "build/target/manifest.json").read_text())
    assert [broken for rule in RULES for broken in rule(Project(manifest))] == []
