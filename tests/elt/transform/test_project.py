"""What is read of dbt_project.yml, and the manifest that is made of the project."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from elt.shop import SHOP
from elt.transform.project import (
    PROJECT,
    BrokenProjectError,
    business_timezone,
    ensure_manifest,
    environment_with,
    fingerprint,
    slim,
    target_folder,
    variable,
)


@pytest.mark.parametrize(
    ("declared", "timezone"),
    [
        ({"vars": {"business_timezone": "Asia/Tokyo"}}, "Asia/Tokyo"),
        ({"vars": {"bookshop": {"business_timezone": "Asia/Tokyo"}}}, "Asia/Tokyo"),
        ({}, "UTC"),
    ],
    ids=["of all", "of the project", "none"],
)
def test_the_day_begins_where_the_project_says(tmp_path, declared, timezone):
    (tmp_path / "dbt_project.yml").write_text(json.dumps({"name": "bookshop", **declared}))
    assert business_timezone(tmp_path) == ZoneInfo(timezone)


def test_a_variable_of_the_project_goes_before_one_of_all(tmp_path):
    declared = {"vars": {"statuses": "all", "other": 1, "bookshop": {"statuses": "its own"}}}
    (tmp_path / "dbt_project.yml").write_text(json.dumps({"name": "bookshop", **declared}))
    assert variable("statuses", tmp_path) == "its own"
    assert variable("other", tmp_path) == 1
    assert variable("none", tmp_path) is None


def test_environment_is_as_it_was_after_an_error(monkeypatch):
    monkeypatch.setenv("GREENERY_KNOWN", "before")
    monkeypatch.delenv("GREENERY_NEW", raising=False)
    seen = {}

    def fail() -> None:
        with environment_with({"GREENERY_KNOWN": "within", "GREENERY_NEW": "within"}):
            seen.update(os.environ)
            raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        fail()
    assert seen["GREENERY_KNOWN"] == seen["GREENERY_NEW"] == "within"
    assert os.environ["GREENERY_KNOWN"] == "before"
    assert "GREENERY_NEW" not in os.environ


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A small project of two models."""
    folder = tmp_path / "small"
    monkeypatch.setenv("GREENERY_DBT_TARGET", str(folder / "target"))
    (folder / "models").mkdir(parents=True)
    (folder / "dbt_project.yml").write_text("name: small\nprofile: greenery\n")
    (folder / "models" / "first.sql").write_text("select 1 as one")
    (folder / "models" / "second.sql").write_text("select * from {{ ref('first') }}")
    return folder


@pytest.fixture
def profile(tmp_path):
    file = tmp_path / "profiles.yml"
    file.write_text(
        "greenery: {target: prod, outputs: {prod: {type: postgres, host: nowhere, port: 1, user: u,"
        " password: \"{{ env_var('SECRET') }}\", dbname: d, schema: s}}}"
    )
    opened = []

    @contextmanager
    def open_profile():
        opened.append(True)
        yield file, {"SECRET": "of no use"}

    open_profile.opened = opened
    return open_profile


@pytest.mark.parametrize(
    ("named", "cache", "found"),
    [
        ("/named", "/cache", "/named"),
        ("", "/cache", f"/cache/{SHOP.dag_id}__build/target"),
        ("", "", "/project/target"),
    ],
)
def test_manifests_are_where_cosmos_looks_unless_named_otherwise(monkeypatch, named, cache, found):
    monkeypatch.setenv("GREENERY_DBT_TARGET", named)
    monkeypatch.setenv("AIRFLOW__COSMOS__CACHE_DIR", cache)
    assert target_folder(Path("/project")) == Path(found)


def models(manifest: Path) -> set[str]:
    return {node["name"] for node in json.loads(manifest.read_text())["nodes"].values()}


def test_a_project_is_parsed_once_while_its_files_stay_as_they_are(project, profile):
    manifest = ensure_manifest(profile, project)
    assert models(manifest) == {"first", "second"}
    assert manifest.with_name("partial_parse.msgpack").exists()
    assert ensure_manifest(profile, project) == manifest
    assert len(profile.opened) == 1


@pytest.mark.parametrize("lost", ["partial_parse.msgpack", "manifest.json"])
def test_what_a_task_of_cosmos_takes_with_it_is_made_again(project, profile, lost):
    """Cosmos copies both to where dbt runs, and dbt writes no manifest there."""
    manifest = ensure_manifest(profile, project)
    assert manifest.with_name("manifest.json").read_text() == manifest.read_text()
    manifest.with_name(lost).unlink()
    assert ensure_manifest(profile, project) == manifest
    assert manifest.with_name(lost).exists()


def test_a_new_and_a_changed_model_make_a_new_manifest(project, profile):
    first = ensure_manifest(profile, project)
    (project / "models" / "second.sql").write_text("select 2 as two")
    (project / "models" / "third.sql").write_text("select 3 as three")
    manifest = ensure_manifest(profile, project)
    assert models(manifest) == {"first", "second", "third"}
    checksums = [
        json.loads(file.read_text())["nodes"]["model.small.second"]["checksum"]
        for file in (first, manifest)
    ]
    assert checksums[0] != checksums[1]


def test_a_test_that_looks_up_a_source_belongs_to_its_model_alone():
    test = {"resource_type": "test", "depends_on": {"nodes": ["source.s.raw.users", "model.s.a"]}}
    alone = {"resource_type": "test", "depends_on": {"nodes": ["source.s.raw.users"]}}
    model = {"resource_type": "model", "depends_on": {"nodes": ["source.s.raw.users"]}}
    manifest = {"metadata": {}, "sources": {}, "exposures": {}, "macros": {"m": "long"}}
    slimmed = slim(manifest | {"nodes": {"t": test, "u": alone, "m": model}})
    assert slimmed["nodes"]["t"]["depends_on"]["nodes"] == ["model.s.a"]
    assert slimmed["nodes"]["t"]["reads"] == ["source.s.raw.users", "model.s.a"]
    assert slimmed["nodes"]["u"]["depends_on"] == alone["depends_on"]
    assert slimmed["nodes"]["m"] == model
    assert "macros" not in slimmed


def test_old_manifests_are_cleared_away_but_not_at_once(project, profile):
    (project / "target").mkdir()
    for age in range(1, 6):
        old = project / "target" / f"manifest-{age}.json"
        old.touch()
        os.utime(old, (1_700_000_000 - age, 1_700_000_000 - age))
    newest = ensure_manifest(profile, project)
    kept = {file.name for file in (project / "target").glob("manifest-*.json")}
    assert kept == {newest.name, "manifest-1.json", "manifest-2.json"}


def test_a_broken_model_is_said_in_dbts_own_words_and_leaves_the_last_manifest(project, profile):
    good = ensure_manifest(profile, project)
    (project / "models" / "second.sql").write_text("select * from {{ ref('nowhere') }}")
    with pytest.raises(BrokenProjectError, match="nowhere"):
        ensure_manifest(profile, project)
    assert good.exists()


@pytest.mark.parametrize("folder", ["macros", "models", "tests", "snapshots", "seeds"])
def test_every_kind_of_file_counts(tmp_path, folder):
    copy = tmp_path / "greenery"
    shutil.copytree(PROJECT, copy, ignore=shutil.ignore_patterns("target", "logs"))
    before = fingerprint(copy)
    (copy / folder).mkdir(exist_ok=True)
    (copy / folder / "something_new.sql").write_text("select 1")
    assert fingerprint(copy) != before
