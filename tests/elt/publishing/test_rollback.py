"""The publication before the last one is shown again, and stays until it is released."""

from __future__ import annotations

import contextlib
import time

import pytest

from elt.publishing.rollback import (
    NothingToRollBackError,
    PublicationPinnedError,
    release,
    roll_back,
)
from elt.publishing.row_diff import RowCounts
from elt.publishing.table_schema import PublishBlockedError, PublishRefusedError
from elt.transform.lineage import Lineage
from tests.elt.publishing.conftest import manifest

CHANGE = (
    "delete from marts_build.fct_orders where order_id = 'a';"
    "update marts_build.fct_orders set total_usd = 99 where order_id = 'b';"
    "insert into marts_build.fct_orders values ('d', 4)"
)
STATUS = (
    "select mart, data_as_of, published_at, last_run_outcome, pinned from marts.data_status"
    " order by mart"
)


@pytest.fixture
def marts(shop):
    """Return what was shown before a second publication."""
    shop.begin()
    shop.publish()
    shop.close()
    shown = {table: shop.read(f"marts.{table}") for table in ("fct_orders", "dim_users")}
    shop.warehouse.run("update ops.load set finished_at = finished_at + interval '1 day'")
    return shown


def publish_again(shop, run_id: str = "run 2"):
    shop.begin(run_id)
    try:
        return shop.publish(run_id)
    finally:
        shop.close(run_id)


def shown(shop) -> dict[str, list[tuple]]:
    return {table: shop.read(f"marts.{table}") for table in ("fct_orders", "dim_users")}


def test_what_was_shown_before_is_shown_again(shop, marts):
    before = shop.warehouse.run(STATUS)
    shop.build(CHANGE)
    assert publish_again(shop).changed == 3
    told = roll_back("ada", "the totals are wrong.")
    assert shown(shop) == marts
    assert "3 rows changed" in told
    assert "by ada: the totals are wrong. The publication of" in told
    after = shop.warehouse.run(STATUS)
    assert [row[:3] for row in after] == [row[:3] for row in before]
    assert {row[3] for row in after} == {"rolled back"}
    assert all("by ada: the totals are wrong" in row[4] for row in after)


def test_values_come_back_to_the_last_digit_and_nothing_else_is_written(shop, marts):
    shop.build("update marts_build.dim_users set state = 'Utah'")
    publish_again(shop)
    rows = "select order_id, xmin::text from marts.fct_orders order by 1"
    before = shop.warehouse.run(rows)
    columns = (
        "add column at timestamptz, add column share double precision,"
        " add column amount numeric(20, 4), add column raw jsonb"
    )
    shop.warehouse.run(
        f"set role publisher; alter table marts.dim_users {columns};"
        "update marts.dim_users set state = E'a \"quoted\" \\\\ line\\n\\u00fc',"
        " at = '2021-02-10 12:34:56.123456Z', share = 1::float / 3,"
        " amount = 1234567890123456.7891, raw = '{\"a\": null}'"
    )
    wanted = shop.read("marts.dim_users")
    shop.build(f"alter table marts_build.dim_users {columns}")
    publish_again(shop, "run 3")
    assert shop.read("marts.dim_users") == [("u", "Utah", None, None, None, None)]
    roll_back()
    assert shop.read("marts.dim_users") == wanted
    assert shop.warehouse.run(rows) == before


def test_a_second_rollback_changes_nothing_and_says_so(shop, marts):
    shop.build(CHANGE)
    publish_again(shop)
    roll_back()
    before = shop.warehouse.run(STATUS)
    assert roll_back("bob").startswith("It is done already. Pinned since")
    assert (shown(shop), shop.warehouse.run(STATUS)) == (marts, before)


def test_while_it_is_pinned_a_good_run_is_held_back_in_words(shop, marts):
    shop.build(CHANGE)
    publish_again(shop)
    roll_back("ada", "wrong")
    with pytest.raises(PublicationPinnedError, match=r"Not published\. Pinned since .* by ada: wr"):
        publish_again(shop, "run 3")
    assert shown(shop) == marts
    rows = shop.warehouse.run(
        "select last_run_outcome, last_run_id, reason, pinned is not null from marts.data_status"
    )
    assert len(rows) == 2
    for outcome, run_id, reason, pinned in rows:
        assert (outcome, run_id, pinned) == ("held back", "run 3", True)
        assert reason.startswith("Not published. Pinned since")
    assert shop.warehouse.run("select released_at is not null from ops.run_lease") == [(True,)]


def test_a_failed_run_is_told_though_it_is_pinned(shop, marts):
    shop.build(CHANGE)
    publish_again(shop)
    roll_back()
    shop.begin("run 3", good=False)
    with pytest.raises(PublishRefusedError):
        shop.publish("run 3")
    shop.close("run 3")
    assert shop.warehouse.run(
        "select distinct last_run_outcome, pinned is not null from marts.data_status"
    ) == [("failed", True)]


def test_after_the_release_the_next_publication_is_right(shop, marts):
    shop.built("fct_orders", version=1, changes_since=1, changed=[])
    publish_again(shop, "run 1b")
    shop.build(CHANGE)
    changed = [{"order_id": order_id} for order_id in "abd"]
    shop.built("fct_orders", version=2, changes_since=1, changed=changed)
    publish_again(shop)
    roll_back()
    assert "Released" in release("ada")
    assert release() == "Nothing is pinned. The next run publishes as usual."
    # nothing more was built, and all of it is published again
    assert publish_again(shop, "run 3") == RowCounts(inserted=1, updated=1, deleted=1)
    assert shop.read("marts.fct_orders") == shop.read("marts_build.fct_orders")
    assert shop.warehouse.run(
        "select distinct last_run_outcome, reason, pinned from marts.data_status"
    ) == [("published", None, None)]
    # and it can be rolled back once more
    roll_back()
    assert shown(shop) == marts


def test_publications_that_changed_nothing_go_with_the_one_before_them(shop, marts):
    shop.build(CHANGE)
    publish_again(shop)
    assert publish_again(shop, "run 3") == RowCounts()
    roll_back()
    assert shown(shop) == marts
    assert shop.warehouse.run(
        "select run_id, undone_at is not null from ops.publication order by publication_id"
    ) == [("run 1", False), ("run 2", True), ("run 3", True)]


def test_one_step_back_is_kept_and_no_more(shop, marts):
    shop.build(CHANGE)
    publish_again(shop)
    shop.build("update marts_build.dim_users set state = 'Utah'")
    publish_again(shop, "run 3")
    assert shop.warehouse.run("select mart, row_data from ops.row_before") == [
        ("dim_users", {"user_id": "u", "state": "Ohio"})
    ]
    roll_back()
    release()
    with pytest.raises(NothingToRollBackError, match="one step back is kept"):
        roll_back()


def test_a_first_publication_has_none_before_it(shop):
    with pytest.raises(NothingToRollBackError, match="Nothing was ever published"):
        roll_back()
    shop.begin()
    shop.publish()
    with pytest.raises(NothingToRollBackError, match="no publication before this first one"):
        roll_back()
    # nor does it cost anything to keep
    assert shop.warehouse.run("select * from ops.row_before") == []
    assert len(shop.read("marts.fct_orders")) == 3


@pytest.mark.parametrize(
    "change",
    [
        "alter table marts_build.dim_users add column country text default 'Canada'",
        "alter table marts_build.dim_users drop column state",
        "alter table marts_build.fct_orders alter column total_usd type text",
        "drop table marts_build.dim_users; create table marts_build.dim_users"
        " (user_id text, state text, line int, primary key (user_id, line));"
        "insert into marts_build.dim_users values ('u', 'Ohio', 1), ('u', 'Utah', 2)",
    ],
    ids=["a new column", "a lost column", "a retyped column", "another key"],
)
def test_columns_come_back_with_their_values(shop, marts, change):
    shop.build(change)
    publish_again(shop)
    assert shown(shop) != marts
    roll_back()
    assert shown(shop) == marts
    release()
    publish_again(shop, "run 3")
    for table in marts:
        assert shop.read(f"marts.{table}") == shop.read(f"marts_build.{table}")


def test_a_mart_that_came_goes_and_one_that_went_comes_back(shop, marts):
    shop.build(
        "create table marts_build.dim_promos (promo_id text primary key);"
        "insert into marts_build.dim_promos values ('p')"
    )
    shop.lineage = Lineage(manifest({"dim_users": ["users"], "dim_promos": ["orders"]}))
    publish_again(shop)
    assert shop.warehouse.run("select to_regclass('marts.fct_orders')") == [(None,)]
    roll_back()
    assert shown(shop) == marts
    assert shop.warehouse.run("select to_regclass('marts.dim_promos')") == [(None,)]
    assert [row[0] for row in shop.warehouse.run(STATUS)] == ["dim_users", "fct_orders"]
    shop.warehouse.run("set role reader; select * from marts.fct_orders")


def test_what_a_reader_built_on_a_new_column_is_named_and_nothing_is_undone(shop, marts):
    shop.build(
        f"{CHANGE}; alter table marts_build.dim_users add column country text default 'Canada'"
    )
    publish_again(shop)
    after = shown(shop)
    shop.warehouse.run(
        "create schema sales; create view sales.v as select country from marts.dim_users"
    )
    with pytest.raises(PublishRefusedError, match=r"view sales\.v depends on column country"):
        roll_back()
    assert shown(shop) == after
    assert shop.warehouse.run("select * from ops.pin") == []


def test_columns_do_not_wait_for_a_reader_for_long(shop, marts):
    shop.build("alter table marts_build.dim_users drop column state")
    publish_again(shop)
    with contextlib.closing(shop.warehouse.connect()) as reader, reader.cursor() as cursor:
        cursor.execute("select * from marts.dim_users")
        begun = time.monotonic()
        with pytest.raises(PublishBlockedError):
            roll_back()
        assert time.monotonic() - begun < 5


def test_readers_keep_their_snapshot_and_nobody_waits(shop, marts):
    shop.build(CHANGE)
    publish_again(shop)
    after = shop.read("marts.fct_orders")
    with contextlib.closing(shop.warehouse.connect()) as reader, reader.cursor() as cursor:
        reader.set_session(isolation_level="REPEATABLE READ")
        cursor.execute("select * from marts.fct_orders order by 1")
        assert cursor.fetchall() == after
        roll_back()
        cursor.execute("select * from marts.fct_orders order by 1")
        assert cursor.fetchall() == after
    assert shown(shop) == marts


def test_a_rollback_need_not_wait_for_a_run_that_is_at_work(shop, marts):
    shop.build(CHANGE)
    publish_again(shop)
    shop.begin("run 3")
    roll_back()
    assert shown(shop) == marts
    with pytest.raises(PublicationPinnedError):
        shop.publish("run 3")


def test_what_people_are_told_is_shown_is_the_older_publication(shop, marts):
    from elt.alerting.run_facts import read_facts
    from elt.warehouse.connection import transaction

    shop.build(CHANGE)
    publish_again(shop)
    roll_back()
    with transaction("loader") as cursor:
        assert read_facts(cursor, "run 2").published_run_id == "run 1"


def test_what_is_shown_is_the_publication_before_even_if_the_clock_was_set_back(shop, marts):
    shop.build(CHANGE)
    publish_again(shop)
    shop.build("delete from marts_build.fct_orders")
    publish_again(shop, "run 3")
    shop.warehouse.run(
        "update ops.publication set published_at ="
        " timestamptz '2026-11-30 12:00Z' - publication_id * interval '1 hour'"
    )
    assert "of 30 Nov 2026 09:00 UTC was undone; shown is the one of 30 Nov 2026 10:00" in (
        roll_back()
    )
