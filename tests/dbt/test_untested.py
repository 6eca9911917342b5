"""The daily run's tests read what came since the last publication, the full test everything."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from tests.dbt.daily import DailyBuild
from tests.dbt.daily_shop import DailyShop
from tests.dbt.landing import read_rows
from tests.support.warehouse import ONE_AT_A_TIME, as_admin, fresh_warehouse

pytestmark = pytest.mark.slow
PUBLISHED = f"published_{os.getpid()}"

KINDS = (
    "accepted_values_stg_greenery__events_event_type__"
    "page_view__add_to_cart__checkout__package_shipped"
)
ONE_USER = "stg_greenery__events__one_user_per_session"
ONE_CHECKOUT = "stg_greenery__events__one_checkout_per_order"
USER_EXISTS = "stg_greenery__orders__user_exists"
POSITIVE = "in_range_fct_orders_order_total_usd"
SESSIONS = "assert_sessions_agree_with_events"
DAYS = "assert_daily_totals_agree_with_their_rows"
PAGE_VIEWS = "assert_page_views_add_up_to_sessions"
FOR_FEW = {"random_page_cost": "0.11", "seq_page_cost": "0.1", "enable_mergejoin": "off"}


@pytest.fixture(scope="module")
def rows(real_data) -> dict[str, list[dict]]:
    return read_rows(real_data)


@pytest.fixture(scope="module")
def published(server, rows, tmp_path_factory) -> Iterator[DailyBuild]:
    """The whole history published but for the last ten events, for each test to have a copy."""
    folder = tmp_path_factory.mktemp("published")
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        fresh_warehouse(server, ONE_AT_A_TIME) as warehouse,
    ):
        build = DailyBuild(warehouse, folder / "build")
        build.parse_once()
        shop = DailyShop(build, folder, monkeypatch)
        shop.landing.deliver({**rows, "events": rows["events"][:-10]})
        shop.run()
        # what dbt has parsed is for this name: the tests' copies have it, one after another
        as_admin(
            server,
            f"alter database {ONE_AT_A_TIME} rename to {PUBLISHED}",
            f"create database {ONE_AT_A_TIME}",
        )
    yield build
    as_admin(server, f"drop database {PUBLISHED}")


@pytest.fixture
def shop(published, monkeypatch, tmp_path) -> Iterator[DailyShop]:
    with fresh_warehouse(published.warehouse.server, ONE_AT_A_TIME, PUBLISHED):
        shop = DailyShop(published, tmp_path, monkeypatch)
        shop.runs = shop.landing.delivery = 1
        yield shop


def failing(shop: DailyShop, *tests: str) -> dict[str, int]:
    """Return how many rows each of the tests finds, of those that find any."""
    results = shop.build("test", "--select", *tests)
    assert len(results) == len(tests)
    return {r.node.name: r.failures for r in results if str(r.status) != "pass"}


def build_with(shop: DailyShop, **tables: list[dict]) -> None:
    shop.landing.deliver(tables)
    shop.begin()
    shop.build("run")


def test_what_was_published_is_tested_again_by_the_full_test_alone(shop, rows, monkeypatch):
    old, new = rows["events"][0], rows["events"][-1]
    shop.warehouse.run(
        "update raw.events set event_type = 'odd' where event_id = %s", [old["event_id"]]
    )
    shop.warehouse.run(
        "update marts_build.fct_orders set order_total_usd = -1 where order_id = %s",
        [rows["orders"][0]["order_id"]],
    )
    shop.warehouse.run(
        "update marts_build.fct_user_sessions set page_view_count = 99 where session_id = %s",
        [old["session_id"]],
    )
    build_with(shop, events=[new])
    assert failing(shop, KINDS, POSITIVE, SESSIONS) == {}
    monkeypatch.setenv("GREENERY_TEST_EVERYTHING", "1")
    assert failing(shop, KINDS, POSITIVE, SESSIONS) == {KINDS: 1, POSITIVE: 1, SESSIONS: 1}


def test_what_is_new_is_tested_with_what_it_must_agree_with(shop, rows):
    """A new checkout of an old order, a new order of a person long gone, a new odd event."""
    checkout = next(row for row in rows["events"] if row["event_type"] == "checkout")
    build_with(
        shop,
        events=[
            {**checkout, "event_id": "the same order again"},
            {**rows["events"][-1], "event_type": "odd"},
        ],
        orders=[{**rows["orders"][0], "order_id": "a new one", "user_id": "nobody"}],
    )
    assert failing(shop, KINDS, ONE_CHECKOUT, USER_EXISTS, POSITIVE) == {
        **{KINDS: 1, ONE_CHECKOUT: 1, USER_EXISTS: 1}
    }


def test_a_day_is_tested_when_what_it_adds_up_has_changed(shop, rows):
    """A new order makes the one before it, of another day, no longer its buyer's last one."""
    before = max(rows["orders"], key=lambda row: row["created_at"])
    build_with(
        shop, orders=[{**before, "order_id": "the next", "created_at": "2021-03-01 10:00:00"}]
    )
    assert shop.warehouse.run(
        "select is_last_order from marts_build.fct_orders where order_id = %s", [before["order_id"]]
    ) == [(False,)]
    spoil = "update marts_build.fct_daily_orders set order_count = 99 where date_day = %s"
    shop.warehouse.run(spoil, [before["created_at"][:10]])
    assert failing(shop, DAYS) == {}
    shop.warehouse.run(spoil, ["2021-03-01"])
    assert failing(shop, DAYS) == {DAYS: 1}


def test_visit_that_an_event_has_left_is_tested_too(shop, rows):
    """Also where the build did not notice: then nothing of it is told but in raw's change log."""
    event, *_ = (row for row in rows["events"] if row["event_type"] == "page_view")
    left, joined = event["session_id"], rows["events"][-20]["session_id"]
    build_with(shop, events=[{**event, "session_id": joined}])
    assert failing(shop, SESSIONS, PAGE_VIEWS) == {}
    is_left = {"event": event["event_id"], "left": left}
    for table, test in {
        "intermediate.int_page_views": PAGE_VIEWS,
        "marts_build.fct_events": SESSIONS,
    }.items():
        shop.warehouse.run(
            "drop table if exists stale; create temporary table stale as"
            f" select * from {table} where event_id = %(event)s;"
            f" update stale set session_id = %(left)s; insert into {table} select * from stale",
            is_left,
        )
        assert failing(shop, SESSIONS, PAGE_VIEWS) == {test: 1}
        shop.warehouse.run(
            f"delete from {table} where event_id = %(event)s and session_id = %(left)s", is_left
        )
    shop.warehouse.run(
        "update marts_build.fct_user_sessions set page_view_count = page_view_count + 1"
        " where session_id = %(left)s;"
        " delete from ops.model_change where key ->> 'session_id' = %(left)s",
        {"left": left},
    )
    assert failing(shop, SESSIONS) == {SESSIONS: 1}


def test_old_children_are_tested_when_a_parent_is_deleted(shop, rows):
    buyer = rows["orders"][0]["user_id"]
    build_with(shop, users=[row for row in rows["users"] if row["user_id"] != buyer])
    # excused, so it warns: see has_parent
    assert failing(shop, USER_EXISTS)[USER_EXISTS] < 0


def test_what_is_new_in_a_history_is_tested(shop, rows, monkeypatch):
    last, chain = (
        f"orders_history__{what}"
        for what in ("last_version_is_the_order_now", "versions_follow_each_other")
    )
    old, new = rows["orders"][:2]
    build_with(shop, orders=[{**new, "status": "preparing"}])
    change = "update snapshots.orders_history set {} where order_id = %s and dbt_valid_to is null"
    shop.warehouse.run(change.format("order_status = 'odd'"), [old["order_id"]])
    shop.warehouse.run(
        "update snapshots.orders_history set dbt_valid_to = dbt_valid_to - interval '1 s'"
        " where order_id = %s and dbt_valid_to is not null",
        [new["order_id"]],
    )
    assert failing(shop, last, chain) == {chain: 1}
    shop.warehouse.run(change.format("order_status = 'odd'"), [new["order_id"]])
    assert failing(shop, last) == {last: 2}
    monkeypatch.setenv("GREENERY_TEST_EVERYTHING", "1")
    assert failing(shop, last) == {last: 4}


def test_what_failed_is_tested_whole_until_it_passes(shop, rows):
    old = rows["events"][0]
    shop.warehouse.run(
        "update raw.events set event_type = 'odd' where event_id = %s", [old["event_id"]]
    )
    shop.warehouse.run(
        "update ops.node_result set status = 'warn' where unique_id like %s", [f"%.{KINDS}.%"]
    )
    assert failing(shop, KINDS) == {KINDS: 1}


def note_reads(shop) -> Callable[[], tuple[bool, bool]]:
    """Return what tells whether events were read with the settings for few rows, and else."""
    view = "staging.stg_greenery__events"
    for_few = " and ".join(f"current_setting('{name}') = '{few}'" for name, few in FOR_FEW.items())
    ((definition,),) = shop.warehouse.run(f"select rtrim(pg_get_viewdef('{view}'), ';')")
    # a test leaves nothing behind, but a sequence keeps what it counted
    shop.warehouse.run(
        "create sequence public.few; create sequence public.whole;"
        "create function public.note() returns boolean language plpgsql security definer as"
        f" $$ begin perform nextval(case when {for_few}"
        " then 'public.few' else 'public.whole' end::regclass);"
        " return true; end $$;"
        f"create or replace view {view} as select * from ({definition}) as rows where public.note()"
    )

    def is_noted() -> tuple[bool, bool]:
        (noted,) = shop.warehouse.run(
            "select few.is_called, whole.is_called from public.few cross join public.whole"
        )
        return noted

    return is_noted


def test_what_is_new_is_looked_up_at_the_price_of_pages_in_memory(shop, rows, monkeypatch):
    build_with(shop, events=[rows["events"][-1]])
    is_noted = note_reads(shop)
    assert failing(shop, KINDS) == {}
    assert is_noted() == (True, False)
    monkeypatch.setenv("GREENERY_TEST_EVERYTHING", "1")
    assert failing(shop, KINDS) == {}
    assert is_noted() == (True, True)


@pytest.mark.parametrize("test", [ONE_USER, SESSIONS])
def test_few_keys_of_many_rows_are_looked_up(shop, rows, test):
    last = rows["events"][-1]
    build_with(shop, events=[{**last, "event_id": f"again {number}"} for number in range(5000)])
    shop.warehouse.run("analyze")
    (result,) = shop.build("test", "--select", test)
    # whoever is told of a failure can run its SQL
    assert shop.warehouse.run(result.node.compiled_code) == []
    plan = shop.warehouse.run(
        # a table of this size is read whole for less
        "set enable_seqscan = off; explain " + result.node.compiled_code
    )
    assert "Index Cond: (session_id = " in "\n".join(line for (line,) in plan)


@pytest.mark.parametrize(
    ("done", "whole"),
    [
        pytest.param(
            "update ops.model_state set defined_moment = nextval('ops.moment')"
            " where model like 'stg_%%'",
            {KINDS: 1},
            id="view",
        ),
        pytest.param(
            "update ops.model_state set definition_hash = null", {KINDS: 1, POSITIVE: 1}, id="model"
        ),
        pytest.param(
            "delete from ops.publication; delete from ops.model_watermark where model = 'publish'",
            {KINDS: 1, POSITIVE: 1},
            id="publication",
        ),
    ],
)
def test_everything_is_tested_when_it_is_not_known_what_is_new(shop, rows, done, whole):
    shop.warehouse.run(done)
    shop.begin()
    shop.build("run")
    shop.warehouse.run(
        "update raw.events set event_type = 'odd' where event_id = %s",
        [rows["events"][0]["event_id"]],
    )
    shop.warehouse.run(
        "update marts_build.fct_orders set order_total_usd = -1 where order_id = %s",
        [rows["orders"][0]["order_id"]],
    )
    assert failing(shop, KINDS, POSITIVE) == whole
