"""An analyst who calls functions, operators, casts and tables like the catalog's, and like ours."""

from __future__ import annotations

import contextlib
from pathlib import Path

import psycopg2

from elt.loading.sources_yaml import declared_tables
from elt.privacy.forget import forget
from elt.publishing.rollback import roll_back
from elt.transform import overrides
from elt.transform.rebuild import request_rebuild
from elt.warehouse.bootstrap import SCRIPT
from elt.warehouse.connection import transaction
from elt.warehouse.lease import remember_source
from elt.warehouse.migrate import migrate
from tests.dbt.daily import DailyBuild
from tests.dbt.daily_shop import DailyShop
from tests.dbt.landing import read_rows

TRAPS = Path(__file__).with_name("traps.sql").read_text()
# "$user" in a search path stands for the log-ins and roles of the run; the rest is what an analyst
# may have today
PLACES = ("greenery", "loader", "transformer", "publisher", "postgres", "public", "dev_me")


def lay_traps(warehouse, *places: str) -> None:
    """Fill each of these schemas, as an analyst of the days when they could make any."""
    for place in places:
        warehouse.run(
            f"create schema if not exists {place} authorization analyst;"
            f" grant all on schema {place} to analyst with grant option"
        )
        warehouse.run(
            f"set trap.schema = {place}; {TRAPS} revoke all on sequence {place}.caught from public",
            login="analyst",
        )


def caught(warehouse, *places: str) -> list[str]:
    """Return the schemas of which anything was run."""
    return [
        place for place in places if warehouse.run(f"select is_called from {place}.caught")[0][0]
    ]


def test_the_traps_catch_a_session_that_looks_there(warehouse):
    lay_traps(warehouse, "greenery")
    assert caught(warehouse, "greenery") == []
    path = '-c search_path="$user",public'
    for statement in (
        "select pg_advisory_lock(7301958)",
        "select 'a'::varchar = 'a'::varchar",
        "set search_path = greenery, pg_catalog; select * from pg_class",
    ):
        url = warehouse.url("greenery")
        with contextlib.closing(psycopg2.connect(url, options=path)) as opened:
            opened.cursor().execute(statement)
        assert caught(warehouse, "greenery") == ["greenery"]
        warehouse.run("select setval('greenery.caught', 1, false)")


def test_nothing_of_an_analysts_is_run_by_the_run_or_by_what_is_done_by_hand(
    warehouse, real_data, monkeypatch, tmp_path
):
    lay_traps(warehouse, *PLACES)
    # the first update of a warehouse, by an administrator whose program looks there first
    warehouse.run("drop schema raw, ops, marts, untested cascade")
    path = '-c search_path="$user",public'
    with contextlib.closing(psycopg2.connect(warehouse.url(), options=path)) as admin, admin:
        admin.cursor().execute(SCRIPT.read_text())
    assert migrate()
    assert migrate() == []
    with transaction("loader") as cursor:
        remember_source(cursor, "file:///shop")

    shop = DailyShop(DailyBuild(warehouse, tmp_path / "build"), tmp_path, monkeypatch)
    shop.build.parse_once()
    rows = read_rows(real_data)
    shop.landing.deliver(rows)
    shop.run()
    shop.build("test", "--exclude-resource-type", "unit_test")
    # later loads, builds and publications go other ways than the first
    shop.landing.deliver({"orders": rows["orders"][:50], "users": rows["users"][:-1]})
    request_rebuild(shop.lineage, day="2021-02-10", confirm=lambda _: True)
    shop.run()
    shop.build("test", "--exclude-resource-type", "unit_test", "--select", "fct_orders")
    with transaction("loader") as cursor:
        overrides.decide(cursor, shop.lineage, "unique_dim_users_user_id", reason="known", days=2)
        assert "known" in overrides.decide(cursor, None, "")
    assert roll_back("ann", "wrong")
    forget(rows["users"][5]["user_id"], declared_tables(), "forget")
    assert caught(warehouse, *PLACES) == []
