"""dbt's documentation: of what is published, made anew when the project changes."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from elt.airflow import dbt_tasks
from elt.airflow.dbt_tasks import open_profile
from elt.reporting.folder import DOCS
from elt.reporting.questions import ReportError
from elt.reporting.write import write_docs
from elt.transform.project import PROJECT, BrokenProjectError

MODELS = {
    "models": [
        {
            "name": "fct_sales",
            "description": "What was sold. One row per sale.",
            "columns": [{"name": "title", "description": "The book's title."}],
        }
    ],
    "exposures": [
        {
            "name": "shop_window",
            "type": "dashboard",
            "owner": {"name": "sellers"},
            "depends_on": ["ref('fct_sales')"],
        }
    ],
}


@pytest.fixture(autouse=True)
def profile_of_now(monkeypatch) -> None:
    """Cosmos keeps the connection that a profile met first, be it another test's."""
    of_run = dbt_tasks.PROFILE
    mapping = type(of_run.profile_mapping)(
        of_run.profile_mapping.conn_id, profile_args=of_run.profile_mapping.profile_args
    )
    monkeypatch.setattr(dbt_tasks, "PROFILE", replace(of_run, profile_mapping=mapping))


@pytest.fixture
def project(tmp_path) -> Path:
    """A dbt project of one mart."""
    folder = tmp_path / "dbt"
    (folder / "models").mkdir(parents=True)
    (folder / "macros").mkdir()
    shutil.copy2(PROJECT / "macros/generate_schema_name.sql", folder / "macros")
    settings = {"name": "books", "models": {"books": {"+schema": "marts_build"}}}
    (folder / "dbt_project.yml").write_text(yaml.safe_dump(settings))
    (folder / "models/fct_sales.sql").write_text("select 'Emma' as title, 5 as sales_usd")
    (folder / "models/models.yml").write_text(yaml.safe_dump(MODELS))
    return folder


def inlined(page: str, key: str) -> dict:
    """Return an object that dbt has put into its page, found by a key it begins with."""
    return json.JSONDecoder().raw_decode(
        page,
        page.index('{"metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/' + key),
    )[0]


# dbt in processes of its own, three times
@pytest.mark.slow
def test_the_docs_are_of_published_marts_and_made_once_for_each_project(shop, project):
    shop.to.mkdir()
    file = shop.to / DOCS
    shop.warehouse.run("update marts.data_status set last_run_outcome = 'failed'")
    assert not write_docs(shop.to, open_profile, project)
    assert not file.exists()

    shop.warehouse.run("update marts.data_status set last_run_outcome = 'published'")
    assert write_docs(shop.to, open_profile, project)
    page = file.read_text()
    manifest, catalog = inlined(page, "manifest"), inlined(page, "catalog")
    assert manifest["nodes"]["model.books.fct_sales"]["schema"] == "marts"
    assert manifest["child_map"]["model.books.fct_sales"] == ["exposure.books.shop_window"]
    # the table that readers see: another than the model's would be now
    assert catalog["nodes"]["model.books.fct_sales"]["columns"].keys() == {
        *("sold_on", "title", "sales_usd"),
    }
    # without it dbt's page sends nothing anywhere
    assert manifest["metadata"]["send_anonymous_usage_stats"] is False
    assert shop.warehouse.server.passwords["greenery"] not in page
    assert [one.name for one in shop.to.iterdir()] == [DOCS]

    written = file.stat().st_mtime_ns
    assert not write_docs(shop.to, open_profile, project)
    assert file.stat().st_mtime_ns == written

    (project / "models/fct_sales.sql").write_text("select {{ of nothing")
    with pytest.raises(BrokenProjectError, match=r"can't document dbt:(.|\n)*fct_sales"):
        write_docs(shop.to, open_profile, project)
    assert file.read_text() == page


def test_before_anything_is_published_nothing_is_documented(warehouse, project, tmp_path):
    assert not write_docs(tmp_path, open_profile, project)
    assert not (tmp_path / DOCS).exists()


def test_a_folder_that_cant_be_written_to_is_one_sentence(shop, project, monkeypatch):
    monkeypatch.setattr(
        "elt.reporting.write.run_dbt",
        lambda _, arguments, *__: Path(
            arguments[arguments.index("--target-path") + 1], "static_index.html"
        ).write_text("x"),
    )
    with pytest.raises(ReportError, match=r"docs\.html can't be written: No such file"):
        write_docs(shop.to, open_profile, project)
