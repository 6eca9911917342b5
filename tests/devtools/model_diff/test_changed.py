"""A small project is changed; what that does to its published marts is told as Markdown."""

from __future__ import annotations

import shutil
import textwrap
from pathlib import Path

import pytest

from devtools.model_diff.changed import changed
from devtools.model_diff.report import Outcome, markdown
from elt.transform.project import PROJECT
from tests.dbt.daily import DailyBuild
from tests.dbt.daily_shop import DailyShop
from tests.dbt.landing import read_rows

pytestmark = pytest.mark.timeout(300)

FILES = {
    "dbt_project.yml": """
        name: small
        profile: greenery
        flags: {send_anonymous_usage_stats: false}
        vars: {shipping: 5}
        models:
          small:
            staging: {+schema: staging, +materialized: view}
            marts: {+schema: marts_build, +materialized: table}
        """,
    "models/about.yml": """
        sources:
          - name: shop
            schema: raw
            tables: [{name: orders}]
        models:
          - name: stg_orders
            config: {event_time: ordered_at}
          - name: fct_orders
            constraints: [{type: primary_key, columns: [order_id]}]
            columns:
              - name: order_id
                data_tests: [unique]
              - name: status
                data_tests:
                  - accepted_values: {arguments: {values: [open, sent]}}
          - name: fct_days
            constraints: [{type: primary_key, columns: [ordered_on]}]
          - name: fct_untouched
            constraints: [{type: primary_key, columns: [order_id]}]
        """,
    "models/staging/stg_orders.sql": "select * from {{ source('shop', 'orders') }}",
    "models/marts/fct_orders.sql": """
        select order_id, status, paid + {{ var('shipping') }} as paid, ordered_at
        from {{ ref('stg_orders') }}
        """,
    "models/marts/fct_days.sql": """
        select cast(ordered_at at time zone 'UTC' as date) as ordered_on, sum(paid) as paid
        from {{ ref('fct_orders') }} group by 1
        """,
    "models/marts/fct_untouched.sql": "select order_id from {{ ref('stg_orders') }}",
}
# what the daily run built and published of it
PUBLISHED = """
    create table raw.orders (order_id text, status text, paid integer, ordered_at timestamptz);
    insert into raw.orders values ('o1', 'open', 10, '2021-02-10Z'),
        ('o2', 'sent', 20, '2021-02-11Z'), ('o3', 'sent', 30, '2021-02-11Z');
    create view staging.stg_orders as select * from raw.orders;
    create table marts.fct_orders as select order_id, status, paid + 5 as paid, ordered_at
        from raw.orders;
    create table marts.fct_days as select cast(ordered_at at time zone 'UTC' as date)
        as ordered_on, sum(paid) as paid from marts.fct_orders group by 1;
    create table marts.fct_untouched as select order_id from raw.orders;
"""


class Branch:
    """A project before and after a change."""

    def __init__(self, warehouse, folder: Path) -> None:
        self.warehouse, self.folder = warehouse, folder
        self.before, self.after = folder / "repository", folder / "work"
        for name, text in FILES.items():
            file = self.before / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(textwrap.dedent(text).strip() + "\n")
        shutil.copytree(PROJECT / "macros", self.before / "macros")
        shutil.copy(PROJECT / "profiles.yml", self.before)
        for macro in (self.before / "macros").glob("postgres__snapshot_*.sql"):
            macro.unlink()
        shutil.copytree(self.before, self.after)
        warehouse.run(PUBLISHED)

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.after / name).read_text()
        assert old in text
        (self.after / name).write_text(text.replace(old, new))

    def compare(self, sample: str | None = None) -> Outcome:
        outcome = changed(self.after, self.before, "main", self.folder / "scratch", sample)
        left = self.warehouse.run("select nspname from pg_namespace where nspname like 'dev%'")
        assert left == []
        return outcome


def analyst(warehouse) -> dict[str, str]:
    return {
        "HOST": "127.0.0.1",
        "PORT": str(warehouse.server.port),
        "USER": "analyst",
        "PASSWORD": warehouse.server.passwords["analyst"],
        "DATABASE": warehouse.database,
    }


@pytest.fixture
def branch(warehouse, monkeypatch, tmp_path) -> Branch:
    for name, value in analyst(warehouse).items():
        monkeypatch.setenv(f"GREENERY_DBT_{name}", value)
    return Branch(warehouse, tmp_path)


def test_a_changed_formula_a_new_column_a_lost_row_and_a_broken_test_are_told(branch):
    branch.edit("models/marts/fct_orders.sql", "paid + ", "paid * 2 + ")
    branch.edit("models/marts/fct_orders.sql", "ordered_at", "ordered_at, 1 as parcels")
    branch.edit("models/marts/fct_orders.sql", "}}\n", "}} where order_id <> 'o1'\n")
    branch.edit("models/about.yml", "[open, sent]", "[open]")
    outcome = branch.compare()
    assert sorted(outcome.built) == ["model.small.fct_days", "model.small.fct_orders"]
    assert list(outcome.failed.values()) == ["1 rows"]
    told = markdown(outcome)
    assert "| `fct_orders` | 3 → 2 | 0 | 1 | 2 | `paid` 2; `parcels` is new, integer |" in told
    assert "ran 2 tests: **1 failed**" in told
    # the day of the lost order is gone, the other one's money is more
    assert "| `fct_days` | 2 → 1 | 0 | 1 | 1 | `paid` 1 |" in told
    assert "o1" not in told


@pytest.mark.slow
@pytest.mark.rare
def test_nothing_changed_is_said(branch):
    outcome = branch.compare()
    assert markdown(outcome) == "Nothing that dbt builds or tests has changed since `main`."
    assert not outcome.failed


@pytest.mark.slow
@pytest.mark.rare
def test_a_sample_compares_both_versions_over_the_same_days(branch):
    branch.edit("models/marts/fct_orders.sql", "paid + ", "paid * 2 + ")
    outcome = branch.compare("2021-02-11")
    assert outcome.differences["fct_orders"].before == 2
    told = markdown(outcome)
    assert "| `fct_orders` | 2 → 2 | 0 | 0 | 2 | `paid` 2 |" in told
    assert "| `fct_days` | 1 → 1 | 0 | 0 | 1 | `paid` 1 |" in told
    assert "sample 2021-02-11" in told


@pytest.mark.slow
@pytest.mark.rare
def test_the_shop_itself(warehouse, real_data, monkeypatch, tmp_path):
    """Whole and by a sample; marts that are not touched, and histories, are the daily run's."""
    shop = DailyShop(DailyBuild(warehouse, tmp_path / "build"), tmp_path, monkeypatch)
    shop.landing.deliver(read_rows(real_data))
    shop.run()
    for name, value in analyst(warehouse).items():
        monkeypatch.setenv(f"GREENERY_DBT_{name}", value)
    work = tmp_path / "work"
    shutil.copytree(PROJECT, work, ignore=shutil.ignore_patterns("target", "logs"))
    model = work / "models/marts/core/fct_orders.sql"
    text = model.read_text()
    assert "as item_count" in text
    model.write_text(
        text.replace("items_by_order.item_count, 0)", "items_by_order.item_count, 0) + 1")
    )
    outcome = changed(work, PROJECT, "main", tmp_path / "scratch")
    assert outcome.differences["fct_orders"].by_column == {"item_count": 361}
    assert not outcome.differences["fct_order_status_durations"].is_any
    assert "fct_user_sessions" not in outcome.differences
    assert not [node for node in outcome.built if node.endswith("_history")]
    # a unit test says so as well
    assert list(outcome.failed) == ["fct_orders__order_without_lines_counts_0"]
    told = markdown(outcome)
    assert "| `fct_orders` | 361 → 361 | 0 | 0 | 361 | `item_count` 361 |" in told
    sampled = changed(work, PROJECT, "main", tmp_path / "sampled", "2021-02-10")
    found = sampled.differences["fct_orders"]
    assert 0 < found.before == found.changed < 361


@pytest.mark.slow
@pytest.mark.rare
def test_a_new_mart_and_a_changed_variable(branch):
    """dbt does not know who depends on a variable."""
    (branch.after / "models/marts/fct_new.sql").write_text("select 1 as number")
    branch.edit("dbt_project.yml", "shipping: 5", "shipping: 6")
    told = markdown(branch.compare())
    assert "| `fct_new` | new → 1 |" in told
    assert "| `fct_orders` | 3 → 3 | 0 | 0 | 3 | `paid` 3 |" in told
    assert "A variable of the project has changed" in told
    assert "Built and equal: `fct_untouched`." in told
