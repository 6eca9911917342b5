"""The one place that reaches into dbt: these fail when a new version of dbt has it otherwise."""

from __future__ import annotations

import inspect
import json
import shutil
from unittest import mock

import pytest
from dbt.adapters.factory import reset_adapters
from dbt.parser import manifest as parser
from dbt.task import runnable
from dbt_common.behavior_flags import BehaviorFlagRendered

from include.transform.quicker_dbt import make_dbt_quicker
from tests.dbt.daily import DailyBuild


@pytest.fixture
def build(warehouse, tmp_path, monkeypatch) -> DailyBuild:
    """A project of one model. After the test dbt is as it was."""
    for module in (parser, runnable):
        monkeypatch.setattr(module, "write_manifest", module.write_manifest)
    default = inspect.getattr_static(BehaviorFlagRendered, "_default_source")
    monkeypatch.setattr(BehaviorFlagRendered, "_default_source", default)
    monkeypatch.setenv("GREENERY_DBT_TARGET", str(tmp_path))
    project = tmp_path / "project"
    (project / "models").mkdir(parents=True)
    (project / "models/one.sql").write_text("select 1 as one")
    (project / "dbt_project.yml").write_text("{name: small, profile: greenery}")
    return DailyBuild(warehouse, tmp_path / "run", project)


def test_results_lie_beside_the_manifest_of_the_run(build, tmp_path):
    target = build.folder / "target"
    make_dbt_quicker()
    build("compile")
    assert "macros" in json.loads((target / "manifest.json").read_text()), "there is no other yet"

    (tmp_path / "manifest-1.json").write_text('{"nodes": {}}')
    for command in ("parse", "compile"):
        shutil.rmtree(target)
        build(command)
        assert (target / "manifest.json").read_text() == '{"nodes": {}}'
    (result,) = json.loads((target / "run_results.json").read_text())["results"]
    assert result["unique_id"] == "model.small.one"


def test_no_flag_of_the_adapter_looks_up_its_callers(build):
    make_dbt_quicker()
    with mock.patch("inspect.stack", side_effect=AssertionError):
        reset_adapters()
        build("compile")
