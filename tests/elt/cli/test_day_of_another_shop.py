"""A day of a shop whose columns have other names: found by its contracts, or refused in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from elt.loading import raw_table
from elt.loading.contract import Column, Table
from elt.transform import rebuild
from elt.transform.lineage import Lineage
from elt.transform.rebuild import mark
from elt.transform.rebuild_plan import Plan, RebuildError, day_column, plan_day
from elt.warehouse import lease
from elt.warehouse.connection import transaction

NOTHING = Lineage({"sources": {}, "nodes": {}})
TEXT, INSTANT, DATE = "text", "timestamptz", "date"


def table(name: str, key: str, load: str = "delta", **columns: str) -> Table:
    declared = (Column(key, TEXT), *(Column(column, kind) for column, kind in columns.items()))
    return Table(name, declared, (key,), load, change_key=(key,))


# named so that a table comes before the one that leads to its day
SHOP = {
    "articles": replace(table("articles", "id", parcel=TEXT), references=(("parcel", "parcels"),)),
    "books": table("books", "id", "full_snapshot", printed_on=DATE),
    "parcels": replace(table("parcels", "id", sale=TEXT), references=(("sale", "sales"),)),
    "sales": replace(table("sales", "id", sold_at=INSTANT, sent_at=INSTANT), day="sold_at"),
    "visits": replace(
        table("visits", "id", came_on=DATE, changed_at=INSTANT), version="changed_at"
    ),
    "words": table("words", "id", text=TEXT),
}


@pytest.fixture
def shop(warehouse):
    with transaction("loader") as cursor:
        for one in SHOP.values():
            raw_table.create(cursor, one)
    warehouse.run(
        "insert into raw.sales values ('s1', '2026-11-20 23:30Z', null, 1),"
        " ('s2', '2026-11-20 12:00Z', '2026-11-21 12:00Z', 1),"
        " ('s3', '2026-11-21 12:00Z', '2026-11-20 12:00Z', 1);"
        "insert into raw.parcels values ('p1', 's1', 1), ('p2', 's2', 1), ('p3', 's3', 1);"
        "insert into raw.articles values ('a1', 'p1', 1), ('a3', 'p3', 1);"
        "insert into raw.visits values ('v1', '2026-11-20', null, 1);"
        "insert into raw.visits values ('v2', '2026-11-19', null, 1);"
        "insert into raw.books values ('b1', '2026-11-20', 1)"
    )
    return warehouse


def marked(day: str, timezone: str = "UTC", tables=SHOP) -> tuple[Plan, dict[str, int]]:
    with transaction("transformer") as cursor:
        plan = plan_day(cursor, NOTHING, tables, day, timezone)
    with lease.held("rebuild"), transaction("loader") as cursor:
        return plan, mark(cursor, NOTHING, tables, plan, "rebuild")


@pytest.mark.parametrize("timezone", ["UTC", "America/Los_Angeles", "Europe/Vienna"])
def test_what_belongs_to_a_day_is_found_by_what_the_contracts_say(shop, timezone):
    late = timezone == "Europe/Vienna"
    plan, found = marked("2026-11-20", timezone)
    # a date is a day in every time zone; a sale leads to its parcel, and that to its articles
    assert found == {
        "sales": 1 if late else 2,
        "visits": 1,
        "parcels": 1 if late else 2,
        "articles": 0 if late else 1,
    }
    assert plan.without_day == ("words",)
    assert "Nothing of words is among it" in rebuild.describe_plan(plan, [])


def test_a_day_is_derived_only_where_there_is_one_instant_that_can_be_it():
    assert {name: day_column(one) for name, one in SHOP.items()} == {
        **dict.fromkeys(["articles", "books", "parcels", "words"]),
        "sales": "sold_at",
        "visits": "came_on",
    }
    assert day_column(replace(SHOP["sales"], day=None)) is None
    assert day_column(replace(SHOP["sales"], day=None, cursor="sent_at")) == "sent_at"
    assert day_column(replace(SHOP["books"], day="printed_on")) == "printed_on"


def test_a_shop_whose_contracts_tell_no_day_is_refused_in_words(shop):
    tables = {**SHOP, "sales": replace(SHOP["sales"], day=None)}
    del tables["visits"]
    with pytest.raises(RebuildError, match=r"Name the column in its contract.*Nothing was done"):
        marked("2026-11-20", tables=tables)
    assert shop.run("select count(*) from ops.load where cause = 'rebuild'") == [(0,)]


def test_a_day_without_rows_is_not_said_to_be_marked(shop, monkeypatch):
    monkeypatch.setattr(rebuild, "declared_tables", lambda: SHOP)
    told = rebuild.request_rebuild(NOTHING, day="2020-01-01", confirm=lambda _: True)
    assert told == "Nothing in raw belongs to the day 1 Jan 2020, so nothing was marked."
    told = rebuild.request_rebuild(NOTHING, day="2026-11-20", confirm=lambda _: True)
    assert told.startswith("Marked: 2 rows of sales")
