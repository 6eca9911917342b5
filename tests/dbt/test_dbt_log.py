"""What dbt writes of a node that failed, and how long it may be at work."""

from __future__ import annotations

import logging

import pytest
from dbt.cli.main import dbtRunner

from elt.airflow import dbt_events
from elt.warehouse.migrate import migrate
from tests.dbt.daily import DailyBuild
from tests.support.warehouse import CONNECTION


@pytest.fixture
def build(warehouse, tmp_path) -> DailyBuild:
    """A project of one model."""
    project = tmp_path / "project"
    (project / "models").mkdir(parents=True)
    (project / "dbt_project.yml").write_text("{name: small, profile: greenery}")
    return DailyBuild(warehouse, tmp_path / "run", project)


def test_what_a_database_error_quotes_of_a_row_is_in_no_log(build, monkeypatch, capfd, caplog):
    (build.project / "models/a_name.sql").write_text(
        "{{ config(materialized='table') }} select cast(name as integer) as one"
        " from (values ('Jane Doe'), ('7')) as people (name)"
    )
    folders = ["--project-dir", build.project, "--profiles-dir", build.folder]
    folders += ["--target-path", build.folder / "target", "--log-path", build.folder]
    monkeypatch.setenv("GREENERY_TEST_PASSWORD", build.warehouse.server.passwords["greenery"])
    with caplog.at_level(logging.DEBUG, dbt_events.log.name):
        done = dbtRunner(callbacks=[dbt_events.log_event]).invoke(
            [*dbt_events.NO_LOG, "build", *map(str, folders)]
        )
    assert not done.success
    logged = [record for record in caplog.records if record.name == dbt_events.log.name]
    errors = "\n".join(record.getMessage() for record in logged if record.levelname == "ERROR")
    assert "invalid input syntax for type integer: …" in errors
    assert any("1 of 1 START" in record.getMessage() for record in logged)
    assert not any(record.levelname == "DEBUG" for record in logged)
    everything = "".join(capfd.readouterr()) + caplog.text
    assert "Jane" not in everything
    assert not (build.folder / "dbt.log").exists()


def test_a_model_that_takes_too_long_is_stopped_by_the_server(build, monkeypatch):
    (build.project / "models/a_long_one.sql").write_text(
        "{{ config(materialized='table') }} select pg_sleep(5) is null as one"
    )
    monkeypatch.setenv(CONNECTION, build.warehouse.airflow_connection)
    monkeypatch.setenv("GREENERY_TASK_MINUTES", "0.02")
    migrate()
    with pytest.raises(AssertionError, match="statement timeout"):
        build("build", "--threads", "1")
    # what is asked for now counts, and twice is once
    monkeypatch.setenv("GREENERY_TASK_MINUTES", "1")
    for _ in range(2):
        migrate()
        found = build.warehouse.run("show statement_timeout", login="greenery")
        assert found == [("54s",)]
