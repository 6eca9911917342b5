"""The whole dbt project on a real warehouse, unit tests included, as an analyst builds it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections import Counter
from html import unescape
from pathlib import Path

from elt.airflow.load_tasks import load_table
from elt.loading import raw_table
from elt.loading.sources_yaml import declared_tables
from elt.reporting.questions import EMPTY, read_questions
from elt.reporting.write import write_report
from elt.shop import SHOP
from elt.transform.project import DBT
from elt.warehouse.connection import transaction

PROJECT = Path(__file__).parents[2] / "dbt" / "greenery"


def run_dbt(warehouse, target: Path, *arguments: str) -> dict[str, dict]:
    """Run dbt into an analyst's schemas and return each node's result, good or bad."""
    environ = {
        **os.environ,
        "DO_NOT_TRACK": "1",
        "GREENERY_DBT_HOST": "127.0.0.1",
        "GREENERY_DBT_PORT": str(warehouse.server.port),
        "GREENERY_DBT_USER": "analyst",
        "GREENERY_DBT_PASSWORD": warehouse.server.passwords["analyst"],
        "GREENERY_DBT_DATABASE": warehouse.database,
        "GREENERY_DBT_NAME": "me",
    }
    folders = ["--project-dir", PROJECT, "--profiles-dir", PROJECT]
    folders += ["--target-path", target, "--log-path", target]
    done = subprocess.run(
        [*DBT, "--no-use-colors", *arguments, *map(str, folders)],
        env=environ,
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    assert (target / "run_results.json").exists(), done.stdout
    results = json.loads((target / "run_results.json").read_text())["results"]
    return {result["unique_id"]: result for result in results}


def build(warehouse, target: Path, *arguments: str) -> dict[str, dict]:
    """Run `dbt build`, which must succeed, and return each node's result."""
    results = run_dbt(warehouse, target, "build", *arguments)
    bad = [
        result["message"]
        for result in results.values()
        if result["status"] in ("fail", "error", "skipped", "runtime error")
    ]
    assert bad == []
    return results


def load(folder: Path, monkeypatch) -> None:
    """Load the files of a folder, one of each table."""
    landing = json.dumps({"conn_type": "fs", "extra": {"path": str(folder)}})
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_SOURCE", landing)
    tables = declared_tables()
    assert len(tables) == 7
    for table in tables:
        load_table(table, run_id="a run")


def test_everything_builds_and_passes_on_the_real_data(warehouse, real_data, monkeypatch, tmp_path):
    load(real_data, monkeypatch)
    results = build(warehouse, tmp_path)
    kinds = Counter(unique_id.split(".")[0] for unique_id in results)
    assert kinds["model"] == 34
    assert kinds["snapshot"] == 2
    assert kinds["test"] > 150
    assert kinds["unit_test"] > 20
    schemas = warehouse.run(
        "select distinct schemaname from pg_tables where tableowner = 'analyst' order by 1"
    )
    assert schemas == [
        ("dev_me_intermediate",),
        ("dev_me_marts_build",),
        ("dev_me_ops",),
        ("dev_me_snapshots",),
    ]
    (days,) = warehouse.run(
        "select count(*) from dev_me_marts_build.fct_daily_performance_by_product"
    )[0]
    assert days == 67
    page, text = report_of(warehouse, tmp_path)
    for answer in (
        "A visit lasts 3 min 32 s on average (211.5 s)",
        "over 578 visits",
        "361 of 578 visits: 62.5 %",
        "99 of 124 buyers ordered again: 79.8 %",
        "There are 30 products.",
        "Of 578 visits that looked at a plant 361 ordered.",
    ):
        assert answer in text, answer
    assert page.count("<article") == page.count('<article id="') + 6
    assert page.count('class="question"') == len(read_questions(SHOP.report).questions)
    people = warehouse.run(
        "select first_name, last_name, email, phone_number from dev_me_marts_build.dim_users"
    )
    words = {*re.findall(r"[\w@.+-]+", text)}
    assert len(people) == 130
    assert not words & {email for _, _, email, _ in people}
    assert not [name for row in people for name in (" ".join(row[:2]), row[3]) if name in text]


def report_of(warehouse, folder: Path) -> tuple[str, str]:
    """Return the report of what an analyst has built, as it is and as text."""
    for (mart,) in warehouse.run(
        "select tablename from pg_tables where schemaname = 'dev_me_marts_build'"
    ):
        warehouse.run(
            f"create table marts.{mart} as select * from dev_me_marts_build.{mart};"
            f"grant select on marts.{mart} to reader"
        )
    page = write_report(folder / "report").read_text()
    return page, unescape(" ".join(re.sub(r"<[^>]*>", "", page).split()))


def test_everything_builds_and_passes_on_a_shop_without_a_row(warehouse, tmp_path):
    with transaction("loader") as cursor:
        for table in declared_tables().values():
            raw_table.create(cursor, table)
    results = build(warehouse, tmp_path)
    assert len(results) > 200
    kpis = warehouse.run("select metric, value from dev_me_marts_build.fct_kpis")
    assert ("repeat_rate", None) in kpis
    assert ("users", 0) in kpis
    page, _ = report_of(warehouse, tmp_path)
    # a kind of event, a step and a band are there without a row, too
    assert page.count(EMPTY) >= 8
    assert "can't be" not in unescape(page)
    assert "could not be" not in page
    # and once more, by what changed: nothing. This analyst began before the changes had this column
    warehouse.run("alter table dev_me_ops.model_change drop column is_key_change")
    again = build(warehouse, tmp_path, "--select", "dim_promos")
    assert again["model.greenery.dim_promos"]["adapter_response"]["rows_affected"] == 0
    assert warehouse.run("select count(is_key_change) from dev_me_ops.model_change") == [(0,)]


def test_a_few_keys_of_a_staging_view_are_looked_up_in_raw(
    warehouse, real_data, monkeypatch, tmp_path
):
    load(real_data, monkeypatch)
    run_dbt(warehouse, tmp_path, "run", "--select", "staging")
    for name, table in declared_tables().items():
        key = table.primary_key[0]
        plan = warehouse.run(
            # leaves a lookup for each key, if the view lets Postgres do it
            "set enable_hashjoin = off; set enable_mergejoin = off; set enable_seqscan = off;"
            f"explain select * from (values ('a'), ('b')) as keys ({key})"
            f" inner join dev_me_staging.stg_greenery__{name} using ({key})"
        )
        assert f"{name}_pkey" in str(plan)
