"""A session of dbt is the daily run's, whatever a log-in has by default."""

from __future__ import annotations

import pytest

from tests.dbt.daily import DailyBuild

PROJECT = "name: small\nprofile: greenery\nflags: {send_anonymous_usage_stats: false}\n"
MODEL = """
    select
        current_setting('search_path') as search_path,
        current_setting('timezone') as timezone,
        current_setting('datestyle') as date_style,
        current_setting('intervalstyle') as interval_style,
        cast('2021-02-03 00:00' as timestamptz) at time zone 'UTC' as midnight
"""


@pytest.fixture
def _greenery_lives_in_tokyo(warehouse):
    for setting in ("timezone = 'Asia/Tokyo'", "datestyle = 'SQL, DMY'", "search_path = elsewhere"):
        warehouse.run(f"alter role greenery set {setting}")
    yield
    warehouse.run("alter role greenery reset all")


@pytest.mark.usefixtures("_greenery_lives_in_tokyo")
def test_dbt_reads_instants_days_and_names_as_the_run_does(warehouse, tmp_path):
    (tmp_path / "dbt_project.yml").write_text(PROJECT)
    (tmp_path / "models").mkdir()
    (tmp_path / "models/session.sql").write_text(MODEL)
    DailyBuild(warehouse, tmp_path / "run", tmp_path)("run")
    assert warehouse.run("select t::text from staging.session as t") == [
        ('("pg_catalog,pg_temp",UTC,"ISO, YMD",postgres,"2021-02-03 00:00:00")',)
    ]
