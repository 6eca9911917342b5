"""What the README promises, done as it is written there."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from elt.airflow.dbt_tasks import open_profile
from elt.airflow.load_tasks import load_table
from elt.loading import contract
from elt.privacy.rules import read_rules
from elt.transform.manifest import ensure_manifest
from elt.transform.project import PROJECT

ROOT = Path(__file__).parents[1]


def block(section: str, language: str) -> str:
    """Return the only block of a language in a section of the README."""
    readme = (ROOT / "README.md").read_text()
    (text,) = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", readme, re.S | re.M)
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", text, re.S | re.M)
    return found


def test_a_source_table_is_added_by_one_block(warehouse, tmp_path, monkeypatch):
    from airflow.dag_processing.dagbag import DagBag

    project = tmp_path / "greenery"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("target", "logs"))
    sources = project / contract.CONTRACTS.relative_to(PROJECT)
    with sources.open("a") as file:
        file.write(block("Add a source table", "yaml"))
    monkeypatch.setattr(contract, "CONTRACTS", sources)
    landing = tmp_path / "landing"
    landing.mkdir()
    (landing / "reviews.csv").write_text(block("Add a source table", "csv"))
    monkeypatch.setenv(
        "AIRFLOW_CONN_GREENERY_SOURCE",
        json.dumps({"conn_type": "fs", "extra": {"path": str(landing)}}),
    )

    load_table("reviews", run_id="a run")
    assert warehouse.run("select review_id, stars, words from raw.reviews order by 1") == [
        ("r1", 5, "Grows, and grows"),
        ("r2", None, "Arrived wilted"),
    ]
    dag = DagBag(ROOT / "dags").dags["greenery_elt"]
    assert "load_reviews" in {task.task_id for task in dag.tasks}
    assert "reviews" in {table.name for table in read_rules(contract.declared_tables()).own}

    monkeypatch.setenv("GREENERY_DBT_TARGET", str(tmp_path / "target"))
    manifest = json.loads(ensure_manifest(open_profile, project).read_text())
    assert "source.greenery.greenery.reviews" in manifest["sources"]
