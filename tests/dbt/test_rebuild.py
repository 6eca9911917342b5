"""A day or a key that is marked is built anew by the next run, and nothing else is."""

from __future__ import annotations

import pytest

from elt.loading.contract import Column, Table
from elt.loading.sources_yaml import declared_tables
from elt.publishing import data_status
from elt.transform import rebuild
from elt.transform.lineage import Lineage
from elt.transform.project import business_timezone
from elt.transform.rebuild import mark
from elt.transform.rebuild_plan import Cost, RebuildError, cost, plan_day, plan_key
from elt.warehouse import lease
from elt.warehouse.connection import transaction
from tests.dbt.daily import DailyBuild
from tests.dbt.landing import Landing, read_rows
from tests.dbt.test_incremental_by_key import Small

VISITS = {
    "visits": Table(
        "visits",
        (Column("visit_id", "text"), Column("created_at", "timestamptz")),
        ("visit_id",),
        "delta",
        change_key=("person_id",),
    )
}
DAMAGE = (
    "update marts_build.people set seconds = 77; update marts_build.regulars set person_count = 77"
)


@pytest.fixture
def small(warehouse, tmp_path) -> Small:
    small = Small(warehouse, tmp_path)
    warehouse.run("alter table raw.visits add column created_at timestamptz")
    small.load({"1": ("ann", 10), "2": ("ann", 20), "3": ("bob", 30), "4": ("cat", 40)})
    warehouse.run(
        "update raw.visits set created_at = case visit_id when '1' then timestamptz"
        " '2026-11-20 23:30Z' else '2026-11-19 12:00Z' end"
    )
    small.build()
    warehouse.run(DAMAGE)
    return small


@pytest.fixture
def lineage(small) -> Lineage:
    return Lineage.read(small.build.folder / "target" / "manifest.json")


def have_built(lineage, plan) -> tuple[list[Cost], dict[str, int]]:
    with transaction("transformer") as cursor:
        costs = cost(cursor, lineage, plan)
    with lease.held("rebuild"), transaction("loader") as cursor:
        marked = mark(cursor, lineage, VISITS, plan, "rebuild")
    with transaction("loader") as cursor:
        # the build reads up to the horizon of a run
        lease.take(cursor, "a run")
        lease.freeze_horizon(cursor, "a run")
    return costs, marked


@pytest.mark.parametrize(
    ("timezone", "people"), [("UTC", {"ann"}), ("Europe/Vienna", set())], ids=["UTC", "Vienna"]
)
def test_what_belongs_to_a_day_is_built_anew(small, lineage, timezone, people):
    with transaction("transformer") as cursor:
        plan = plan_day(cursor, lineage, VISITS, "2026-11-20", timezone)
    costs, marked = have_built(lineage, plan)
    assert marked == {"visits": len(people)}
    assert [(one.model, one.keys, one.rows) for one in costs] == [
        ("people", len(people), len(people))
    ]
    small.build()
    assert small.build.built_whole() == set()
    assert {person for person, _, seconds in small.people() if seconds != 77} == people


def test_a_key_of_a_model_is_built_anew(small, lineage):
    costs, marked = have_built(lineage, plan_key(lineage, "people", "cat"))
    assert [(one.model, one.keys, one.rows) for one in costs] == [("people", 1, 1)]
    assert marked == {}
    small.build()
    assert small.people() == [("ann", 2, 77), ("bob", 1, 77), ("cat", 1, 40)]


def test_a_key_of_a_model_that_reads_models_alone_is_built_anew(small, lineage):
    have_built(lineage, plan_key(lineage, "regulars", "2"))
    small.build()
    assert small.build.built_whole() == set()
    assert small.regulars() == [(1, 77), (2, 1)]


@pytest.mark.slow
def test_a_row_that_was_lost_comes_back_by_its_key(small, lineage):
    small.warehouse.run("delete from marts_build.people where person_id = 'cat'")
    have_built(lineage, plan_key(lineage, "people", "cat"))
    small.build()
    assert ("cat", 1, 40) in small.people()


def test_what_cannot_be_built_is_refused_in_words_and_marks_nothing(small, lineage):
    with pytest.raises(RebuildError, match="no model `persons`"):
        plan_key(lineage, "persons", "cat")
    with pytest.raises(RebuildError, match="`stg_visits` is worked out whole by each run"):
        plan_key(lineage, "stg_visits", "1")
    with pytest.raises(RebuildError, match="no visit_count of regulars: it must be a valid bigint"):
        have_built(lineage, plan_key(lineage, "regulars", "many"))
    with transaction("transformer") as cursor, pytest.raises(RebuildError, match=r"20\.11\. is no"):
        plan_day(cursor, lineage, VISITS, "20.11.", "UTC")
    with pytest.raises(RebuildError, match="Say what to build"):
        rebuild.request_rebuild(
            lineage, day="2026-11-20", model="a", key="b", confirm=lambda _: True
        )
    assert small.warehouse.run("select count(*) from ops.load where cause = 'rebuild'") == [(0,)]


def test_the_cost_is_told_first_and_without_a_yes_nothing_is_done(small, lineage):
    told = []
    keys = {"model": "people", "key": "cat"}
    assert rebuild.request_rebuild(lineage, **keys, confirm=lambda text: told.append(text)) is None
    assert "people" in told[0]
    assert "1 of about" in told[0]
    # a key may be somebody's id
    assert "cat" not in told[0]
    assert small.warehouse.run("select count(*) from ops.load where cause = 'rebuild'") == [(0,)]
    assert rebuild.request_rebuild(lineage, **keys, confirm=lambda _: True).startswith(
        "Marked: a key of"
    )
    assert small.warehouse.run("select source_file from ops.load where cause = 'rebuild'") == [
        ("rebuild of one person_id of people",)
    ]
    assert small.warehouse.run("select released_at is not null from ops.run_lease") == [(True,)]


@pytest.mark.slow
def test_a_rebuild_makes_the_data_no_younger(small, lineage):
    with transaction("publisher") as cursor:
        before = data_status.last_loads(cursor, 99)
    have_built(lineage, plan_key(lineage, "people", "cat"))
    with transaction("publisher") as cursor:
        assert data_status.last_loads(cursor, 99) == before


@pytest.mark.slow
def test_a_run_at_work_is_not_disturbed(small, lineage):
    with transaction("loader") as cursor:
        lease.take(cursor, "the daily run")
    with pytest.raises(lease.LeaseHeldError, match="the daily run"):
        rebuild.request_rebuild(lineage, model="people", key="cat", confirm=lambda _: True)


@pytest.mark.slow
def test_a_day_of_the_shop_is_built_anew_in_every_mart_that_has_it(
    warehouse, real_data, monkeypatch, tmp_path
):
    Landing(tmp_path / "landing", monkeypatch).deliver(read_rows(real_data))
    build = DailyBuild(warehouse, tmp_path / "build")
    build.parse_once()
    build()
    lineage = Lineage.read(build.folder / "target" / "manifest.json")
    damaged = {
        "fct_orders": ("ordered_date", "order_total_usd = -1"),
        "fct_events": ("event_date", "page_url = 'nowhere'"),
        "fct_order_items": ("ordered_date", "quantity = 0"),
        "fct_daily_performance_by_product": ("date_day", "order_count = 77"),
    }
    (day,) = warehouse.run("select min(ordered_date)::text from marts_build.fct_orders")[0]
    # events of a visit are mended together: on the next day too, which would then be added up anew
    whole = {
        "fct_events": "where session_id not in (select session_id from marts_build.fct_events"
        " group by 1 having count(distinct event_date) > 1)"
    }
    for mart, (_, damage) in damaged.items():
        warehouse.run(f"update marts_build.{mart} set {damage} {whole.get(mart, '')}")
    with transaction("transformer") as cursor:
        zone = business_timezone().key
        plan = plan_day(cursor, lineage, declared_tables(), day, zone)
    told = have_built_of_shop(lineage, plan)
    assert {*damaged} <= {one.model for one in told}
    build()
    assert build.built_whole() == set()
    for mart, (column, damage) in damaged.items():
        wrong = (
            f"select count(*), count(*) filter (where {column} = '{day}') from marts_build.{mart}"
        )
        (left, of_the_day) = warehouse.run(f"{wrong} where {damage}")[0]
        assert of_the_day == 0, mart
        assert left > 0, mart


def have_built_of_shop(lineage, plan) -> list[Cost]:
    with transaction("transformer") as cursor:
        costs = cost(cursor, lineage, plan)
    with lease.held("rebuild"), transaction("loader") as cursor:
        mark(cursor, lineage, declared_tables(), plan, "rebuild")
    with transaction("loader") as cursor:
        lease.take(cursor, "a run")
        lease.freeze_horizon(cursor, "a run")
    return costs
