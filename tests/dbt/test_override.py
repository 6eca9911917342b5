"""A test that an operator lets through warns in the daily run, until that ends."""

from __future__ import annotations

import shutil
import textwrap

import pytest

from tests.dbt.conftest import PROJECT
from tests.dbt.daily import DailyBuild

FILES = {
    "dbt_project.yml": """
        name: small
        profile: greenery
        flags: {send_anonymous_usage_stats: false}
        """,
    "models/people.sql": "select null::text as person_id union all select 'ann'",
    "models/about.yml": """
        models:
          - name: people
            columns:
              - name: person_id
                data_tests: [not_null, unique]
        """,
}


@pytest.fixture
def build(warehouse, tmp_path) -> DailyBuild:
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(textwrap.dedent(text).strip())
    macro = "macros/postgres__get_test_sql.sql"
    (tmp_path / "macros").mkdir()
    shutil.copy(PROJECT / macro, tmp_path / macro)
    build = DailyBuild(warehouse, tmp_path / "run", tmp_path)
    build("run")
    return build


def statuses(build: DailyBuild) -> dict[str, tuple[str, int]]:
    return {
        result.node.name: (str(result.status), result.failures or 0) for result in build("test")
    }


def test_a_test_that_is_let_through_warns_until_that_ends(warehouse, build):
    fails = {"not_null_people_person_id": ("fail", 1), "unique_people_person_id": ("pass", 0)}
    assert statuses(build) == fails
    warehouse.run(
        "insert into ops.override (unique_id, reason, until)"
        " values (%s, 'known', now() + interval '1 hour')",
        [next(r.node.unique_id for r in build("test") if "not_null" in r.node.name)],
    )
    assert statuses(build) == fails | {"not_null_people_person_id": ("warn", 1)}
    for end in ("until = now()", "until = now() + interval '1 hour', ended_at = now()"):
        warehouse.run(f"update ops.override set {end}")
        assert statuses(build) == fails
