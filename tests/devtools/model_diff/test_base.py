"""The project as it was where the work at hand left the other branch."""

from __future__ import annotations

import json
import subprocess

import pytest

from devtools.model_diff.base import NoSuchBaseError, check_out, point_to_the_daily_run
from devtools.model_diff.changed import BadSampleError, sample_arguments


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repository"
    model = folder / "dbt/greenery/models/a.sql"
    model.parent.mkdir(parents=True)

    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.com")
        subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)

    def commit(text: str) -> None:
        model.write_text(text)
        git("add", ".")
        git("commit", "-m", text)

    git("init", "-b", "main")
    commit("when we left")
    git("checkout", "-b", "work")
    commit("ours")
    git("checkout", "main")
    commit("theirs since")
    git("checkout", "work")
    model.write_text("not committed")
    return folder


def test_what_others_changed_since_is_not_told_as_ours(repository, tmp_path):
    project = check_out(repository, "main", tmp_path / "base")
    assert (project / "models/a.sql").read_text() == "when we left"


def test_an_unknown_commit_is_refused_by_its_name(repository, tmp_path):
    with pytest.raises(NoSuchBaseError, match="at `nobody`: "):
        check_out(repository, "nobody", tmp_path / "base")


def test_what_is_not_built_is_read_where_the_daily_run_keeps_it(tmp_path):
    def node(kind: str, schema: str) -> dict:
        return {
            **{"resource_type": kind, "config": {"schema": schema}, "schema": f"dev_{schema}"},
            **{"database": "shop", "alias": "a", "relation_name": f"dev_{schema}.a"},
        }

    nodes = {
        "mart": node("model", "marts_build"),
        "view": node("model", "staging"),
        "history": node("snapshot", "snapshots"),
        "test": {"resource_type": "test"},
    }
    manifest = tmp_path / "manifest.json"
    manifest.write_text(json.dumps({"nodes": nodes}))
    found = point_to_the_daily_run(manifest)["nodes"]
    assert found == json.loads(manifest.read_text())["nodes"]
    assert {name: node.get("relation_name") for name, node in found.items()} == {
        "mart": '"shop"."marts"."a"',
        "view": '"shop"."staging"."a"',
        "history": '"shop"."snapshots"."a"',
        "test": None,
    }
    assert found["mart"]["schema"] == "marts"


def test_a_sample_is_a_day_or_days_with_the_last_one_included():
    assert sample_arguments("2021-02-10")[1] == "{start: '2021-02-10', end: '2021-02-11'}"
    assert sample_arguments("2021-02-10/2021-02-12")[1].endswith("end: '2021-02-13'}")


@pytest.mark.parametrize("sample", ["10 %", "2021-02-30", "2021-02-12/2021-02-10"])
def test_another_sample_is_refused_in_words(sample):
    with pytest.raises(BadSampleError, match="Write SAMPLE=2021-02-10"):
        sample_arguments(sample)
