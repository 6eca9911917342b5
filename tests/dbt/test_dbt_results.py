"""What dbt's events say of each node is what it would have written of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from dbt.cli.main import dbtRunner

from elt.airflow import dbt_events
from elt.alerting.record_results import read_results
from tests.dbt.daily import DailyBuild

NO_CONTEXT = {}


@pytest.fixture
def build(warehouse, tmp_path, monkeypatch) -> DailyBuild:
    """A project of a good model, a broken one and one after that, a snapshot, and tests."""
    project = tmp_path / "project"
    for folder in ("models", "snapshots", "tests"):
        (project / folder).mkdir(parents=True)
    (project / "dbt_project.yml").write_text("{name: small, profile: greenery}")
    (project / "models/good.sql").write_text("select 1 as id union all select 2")
    (project / "models/broken.sql").write_text("select no_such_column")
    (project / "models/after.sql").write_text("select * from {{ ref('broken') }}")
    (project / "models/_models.yml").write_text(
        "models:\n- name: good\n  columns:\n  - name: id\n    data_tests:\n"
        + "".join(
            f"    - accepted_values: {{name: a_very_long_name_of_a_test_which_says_that_{name},"
            f" arguments: {{values: [{values}], quote: false}},"
            f" config: {{severity: {severity}}}}}\n"
            for name, values, severity in (
                ("all_is_well", "1, 2", "error"),
                ("there_are_odd_ones", "1", "warn"),
                ("there_are_bad_ones", "3", "error"),
            )
        )
    )
    (project / "tests/by_hand.sql").write_text("select * from {{ ref('good') }} where id > 5")
    (project / "snapshots/kept.yml").write_text(
        "snapshots:\n- name: kept\n  relation: ref('good')\n"
        "  config: {unique_key: id, strategy: check, check_cols: all}\n"
    )
    monkeypatch.setenv("GREENERY_TEST_PASSWORD", warehouse.server.passwords["greenery"])
    return DailyBuild(warehouse, tmp_path / "run", project)


def invoke(build: DailyBuild, target: Path, *flags: str, command: str = "build") -> None:
    folders = ["--project-dir", build.project, "--profiles-dir", build.folder]
    folders += ["--target-path", target, "--log-path", build.folder]
    dbtRunner(callbacks=[dbt_events.collect_result]).invoke(
        [*dbt_events.NO_LOG, *flags, command, *map(str, folders)]
    )


def test_the_results_are_those_that_dbt_writes(build, monkeypatch, tmp_path):
    invoke(build, tmp_path / "written" / "target")
    written = {result.unique_id: result for result in read_results(tmp_path / "written" / "target")}
    seen = [result.status for result in written.values()]
    assert {*seen} == {"success", "error", "skipped", "pass", "warn", "fail"}, "all there is"

    invoke(build, tmp_path / "told" / "target", *dbt_events.NO_FILES)
    assert not [*(tmp_path / "told" / "target").glob("*results.json")]
    assert not (tmp_path / "told" / "target" / "manifest.json").exists()
    kept = []
    monkeypatch.setattr(dbt_events, "record_dbt_results", lambda *arguments: kept.append(arguments))
    dbt_events.record_collected(tmp_path / "told", NO_CONTEXT)
    ((folder, context, results),) = kept
    assert (folder, context) == (tmp_path / "told", NO_CONTEXT)
    told = {result.unique_id: result for result in results}
    assert told.keys() == written.keys()
    for unique_id, result in told.items():
        wanted = written[unique_id]
        if wanted.status != "skipped":
            assert (result.execution_seconds or 0) > 0
            assert result.message == wanted.message
            assert result.failures == wanted.failures
        assert (result.kind, result.status) == (wanted.kind, wanted.status)
        if wanted.compiled_sql:
            assert result.compiled_sql.split() == wanted.compiled_sql.split()


def test_a_command_knows_nothing_of_the_one_before(build, monkeypatch, tmp_path):
    invoke(build, tmp_path / "target", *dbt_events.NO_FILES)
    invoke(build, tmp_path / "target", *dbt_events.NO_FILES, command="run")
    kept = []
    monkeypatch.setattr(dbt_events, "record_dbt_results", lambda *all_of: kept.append(all_of))
    dbt_events.record_collected(tmp_path, NO_CONTEXT)
    assert {result.kind for result in kept[0][2]} == {"model"}


@pytest.mark.parametrize("is_there", [True, False])
def test_cosmos_finds_a_manifest_where_dbt_writes_none(build, monkeypatch, tmp_path, is_there):
    """It copies that back into its cache, also when it had none to bring."""
    small = tmp_path / "manifest-0.json"
    small.write_text("the small one")
    monkeypatch.setattr(dbt_events, "newest_manifest", lambda: small)
    monkeypatch.chdir(build.project)
    manifest = build.project / "target" / "manifest.json"
    if is_there:
        manifest.parent.mkdir()
        manifest.write_text("that of Cosmos")
    folders = ["--project-dir", build.project, "--profiles-dir", build.folder]
    dbtRunner(callbacks=[dbt_events.keep_manifest]).invoke(
        [*dbt_events.NO_LOG, *dbt_events.NO_FILES, "parse", *map(str, folders)]
    )
    assert manifest.read_text() == ("that of Cosmos" if is_there else "the small one")
