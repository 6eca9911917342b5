from __future__ import annotations

import contextlib
import time
from datetime import datetime

import pytest

from elt.publishing.row_diff import RowCounts
from elt.publishing.table_schema import PublishBlockedError, PublishRefusedError
from elt.transform.lineage import Lineage
from elt.warehouse import lease
from elt.warehouse.connection import transaction
from elt.warehouse.lease import LeaseLostError
from tests.elt.publishing.conftest import manifest


def test_the_first_publication_shows_the_build(shop):
    shop.begin()
    assert shop.publish() == RowCounts(inserted=4)
    assert shop.read("marts.fct_orders") == shop.read("marts_build.fct_orders")
    assert shop.read("marts.dim_users") == [("u", "Ohio")]


def test_a_second_publication_changes_no_row(shop):
    shop.begin()
    shop.publish()
    before = shop.warehouse.run("select order_id, xmin::text from marts.fct_orders order by 1")
    assert shop.publish() == RowCounts()
    after = shop.warehouse.run("select order_id, xmin::text from marts.fct_orders order by 1")
    assert before == after


def test_only_what_differs_is_written(shop):
    shop.begin()
    shop.publish()
    shop.build(
        "delete from marts_build.fct_orders where order_id = 'a';"
        "update marts_build.fct_orders set total_usd = 3 where order_id = 'c';"
        "insert into marts_build.fct_orders values ('d', null)"
    )
    assert shop.publish() == RowCounts(inserted=1, updated=1, deleted=1)
    assert shop.read("marts.fct_orders") == shop.read("marts_build.fct_orders")


def test_a_value_that_becomes_null_is_carried_over(shop):
    shop.begin()
    shop.publish()
    shop.build("update marts_build.fct_orders set total_usd = null")
    assert shop.publish() == RowCounts(updated=2)


def test_every_publication_is_noted(shop):
    shop.begin()
    shop.publish()
    assert shop.warehouse.run(
        "select run_id, horizon_load_id, rows_inserted, tables -> 'dim_users' ->> 'inserted' "
        "from ops.publication"
    ) == [("run 1", 2, 4, "1")]


def test_readers_may_read_marts_and_nothing_else(shop):
    shop.begin()
    shop.publish()
    shop.warehouse.run("set role reader; select * from marts.fct_orders")
    shop.warehouse.run("set role reader; select * from marts.data_status")
    for table in ("marts_build.fct_orders", "ops.load", "raw.change_log"):
        with pytest.raises(Exception, match="permission denied"):
            shop.warehouse.run(f"set role reader; select * from {table}")


def test_descriptions_are_carried_over(shop):
    shop.begin()
    shop.publish()
    assert shop.warehouse.run(
        "select obj_description('marts.dim_users'::regclass), "
        "col_description('marts.dim_users'::regclass, 2)"
    ) == [("One row per user.", "Where the user lives.")]


def test_a_reader_with_an_old_snapshot_sees_the_old_marts_whole(shop):
    shop.begin()
    shop.publish()
    with contextlib.closing(shop.warehouse.connect()) as reader, reader.cursor() as cursor:
        reader.set_session(isolation_level="REPEATABLE READ")
        cursor.execute("select count(*) from marts.dim_users")
        shop.build("truncate marts_build.fct_orders; truncate marts_build.dim_users")
        assert shop.publish() == RowCounts(deleted=4)
        cursor.execute("select count(*) from marts.fct_orders")
        assert cursor.fetchone() == (3,)
    assert shop.read("marts.fct_orders") == []


# --- marts that are built by their changes


def test_only_keys_that_the_build_changed_are_looked_at(shop):
    shop.built("fct_orders", version=1, changes_since=1, changed=[])
    shop.begin()
    shop.publish()
    shop.build(
        "delete from marts_build.fct_orders where order_id = 'a';"
        "update marts_build.fct_orders set total_usd = 20 where order_id = 'b';"
        "insert into marts_build.fct_orders values ('d', 4);"
        # nobody was told of this
        "update marts_build.fct_orders set total_usd = 30 where order_id = 'c'"
    )
    changed = [{"order_id": order_id} for order_id in ("a", "b", "b", "d", "never there")]
    shop.built("fct_orders", version=2, changes_since=1, changed=changed)
    assert shop.publish() == RowCounts(inserted=1, updated=1, deleted=1)
    assert shop.read("marts.fct_orders") == [("b", 20), ("c", None), ("d", 4)]
    assert shop.publish() == RowCounts()


def test_touched_keys_alone_are_looked_up_at_the_price_of_pages_in_memory(shop):
    shop.built("dim_users", version=1, changes_since=1, changed=[])
    shop.begin()
    shop.publish()
    shop.warehouse.run(
        "create table public.taken (mart text, cost text);"
        "create function public.note() returns trigger language plpgsql security definer as"
        " $$ begin insert into public.taken"
        " values (tg_table_name, concat_ws(' of ', current_setting('random_page_cost'),"
        " current_setting('seq_page_cost'), current_setting('enable_mergejoin'))); return null;"
        " end $$;"
        "create trigger note after update on marts.fct_orders"
        " for each statement execute function public.note();"
        "create trigger note after update on marts.dim_users"
        " for each statement execute function public.note()"
    )
    shop.build("update marts_build.fct_orders set total_usd = 9 where order_id = 'a'")
    shop.build("update marts_build.dim_users set state = 'Iowa'")
    shop.built("dim_users", version=2, changes_since=1, changed=[{"user_id": "u"}])
    assert shop.publish() == RowCounts(updated=2)
    # fct_orders tells no changes, so all of it is compared
    assert sorted(shop.read("public.taken")) == [
        ("dim_users", "0.11 of 0.1 of off"),
        ("fct_orders", "4 of 1 of on"),
    ]


def test_changes_of_builds_that_were_not_published_are_published_later(shop):
    shop.built("fct_orders", version=1, changes_since=1, changed=[])
    shop.begin()
    shop.publish()
    shop.build("update marts_build.fct_orders set total_usd = 9")
    shop.built("fct_orders", version=2, changes_since=1, changed=[{"order_id": "a"}])
    shop.built("fct_orders", version=3, changes_since=1, changed=[{"order_id": "b"}])
    assert shop.publish() == RowCounts(updated=2)
    assert shop.read("marts.fct_orders") == [("a", 9), ("b", 9), ("c", None)]


@pytest.mark.parametrize(
    "built",
    [
        pytest.param({"version": 2, "changes_since": 2}, id="built whole"),
        pytest.param({"version": 1, "changes_since": 0}, id="an older state was put back"),
    ],
)
def test_a_mart_whose_changes_are_not_all_told_is_compared_whole(shop, built):
    shop.built("fct_orders", version=1, changes_since=1, changed=[])
    shop.begin()
    shop.publish()
    shop.warehouse.run(
        "update ops.model_watermark set position = 2 where position = 1 and %s",
        [built["version"] == 1],
    )
    shop.build("update marts_build.fct_orders set total_usd = 9")
    shop.built("fct_orders", changed=[{"order_id": "a"}], **built)
    assert shop.publish() == RowCounts(updated=3)


def test_a_table_that_was_made_by_hand_is_compared_whole(shop):
    shop.built("fct_orders", version=1, changes_since=1, changed=[])
    shop.begin()
    shop.publish()
    shop.build(
        "drop table marts_build.fct_orders;"
        "create table marts_build.fct_orders (order_id text primary key, total_usd numeric(12, 2))"
    )
    assert shop.publish() == RowCounts(deleted=3)


def test_a_new_column_of_a_mart_is_filled_in_rows_that_did_not_change(shop):
    shop.built("fct_orders", version=1, changes_since=1, changed=[])
    shop.begin()
    shop.publish()
    shop.build("alter table marts_build.fct_orders add column tax_usd numeric(12, 2) default 1")
    shop.publish()
    assert shop.read("marts.fct_orders") == [("a", 1, 1), ("b", 2, 1), ("c", None, 1)]


def test_a_publication_that_fails_leaves_the_changes_to_the_next_one(shop):
    shop.built("fct_orders", version=1, changes_since=1, changed=[])
    shop.begin()
    shop.publish()
    shop.build("update marts_build.fct_orders set total_usd = 9 where order_id = 'a'")
    shop.built("fct_orders", version=2, changes_since=1, changed=[{"order_id": "a"}])
    shop.build("alter table marts_build.dim_users drop column state")
    with contextlib.closing(shop.warehouse.connect()) as reader, reader.cursor() as cursor:
        cursor.execute("select * from marts.dim_users")
        with pytest.raises(PublishBlockedError):
            shop.publish()
    shop.publish()
    assert shop.read("marts.fct_orders")[0] == ("a", 9)


# --- who may publish


def test_a_run_with_a_failed_test_is_not_published(shop):
    shop.begin(good=False)
    with pytest.raises(PublishRefusedError, match=r"4 of the project.*dim_users \(fail\)"):
        shop.publish()
    assert shop.warehouse.run("select to_regclass('marts.fct_orders')") == [(None,)]


def test_a_test_that_did_not_run_holds_the_publication_back(shop):
    shop.begin()
    shop.warehouse.run(
        "delete from ops.node_result where unique_id = 'test.greenery.unique_dim_users'"
    )
    with pytest.raises(PublishRefusedError, match=r"unique_dim_users \(did not run\)"):
        shop.publish()


def test_the_last_try_of_a_node_counts(shop):
    shop.begin(good=False)
    shop.warehouse.run(
        "insert into ops.node_result select run_id, task_id, 2, unique_id, kind, 'warn', 0, null,"
        " 0, now() + interval '1 second' from ops.node_result"
    )
    assert shop.publish().inserted == 4


def test_publishing_an_older_run_after_a_failed_one_is_refused(shop):
    shop.begin("good run")
    shop.publish("good run")
    shop.close("good run")
    shop.begin("failed run", good=False)
    shop.build("delete from marts_build.fct_orders")
    shop.close("failed run")
    with pytest.raises(LeaseLostError, match="failed run"):
        shop.publish("good run")
    assert len(shop.read("marts.fct_orders")) == 3


def test_results_from_before_the_horizon_do_not_count(shop):
    shop.begin()
    with transaction("loader") as cursor:
        lease.freeze_horizon(cursor, "run 1")
    with pytest.raises(PublishRefusedError, match="did not run"):
        shop.publish()


def test_a_file_loaded_after_the_horizon_holds_the_publication_back(shop):
    shop.begin()
    shop.warehouse.run(
        "insert into ops.load"
        " (table_name, source_file, file_size, started_at, finished_at, status)"
        " values ('users', 'users/2.csv', 1, now(), now(), 'loaded')"
    )
    with pytest.raises(PublishRefusedError, match=r"users/2\.csv.*Clear `freeze_horizon`"):
        shop.publish()


# --- columns that come, go and change


def test_a_new_column_is_added_with_its_values(shop):
    shop.begin()
    shop.publish()
    shop.build(
        "alter table marts_build.dim_users add column country text;"
        "update marts_build.dim_users set country = 'United States'"
    )
    assert shop.publish() == RowCounts(updated=1)
    assert shop.read("marts.dim_users") == [("u", "Ohio", "United States")]


def test_a_lost_column_goes(shop):
    shop.begin()
    shop.publish()
    shop.build("alter table marts_build.dim_users drop column state")
    shop.publish()
    assert shop.read("marts.dim_users") == [("u",)]


def test_a_retyped_column_changes(shop):
    shop.begin()
    shop.publish()
    shop.build(
        "alter table marts_build.fct_orders"
        " alter column total_usd type integer using total_usd::int"
    )
    shop.publish()
    assert shop.read("marts.fct_orders") == [("a", 1), ("b", 2), ("c", None)]
    assert shop.warehouse.run(
        "select pg_typeof(total_usd)::text from marts.fct_orders limit 1"
    ) == [("integer",)]


def test_a_changed_key_changes(shop):
    shop.begin()
    shop.publish()
    shop.build(
        "drop table marts_build.fct_orders;"
        "create table marts_build.fct_orders (order_id text, line int, total_usd numeric(12, 2),"
        " primary key (order_id, line));"
        "insert into marts_build.fct_orders values ('a', 1, 5), ('a', 2, 6)"
    )
    shop.publish()
    assert shop.warehouse.run(
        "select order_id, line, total_usd from marts.fct_orders order by 2"
    ) == [
        ("a", 1, 5),
        ("a", 2, 6),
    ]
    assert shop.publish() == RowCounts()


@pytest.mark.parametrize(
    "change",
    [
        "alter table marts_build.dim_users drop column state",
        "alter table marts_build.dim_users alter column state type varchar(50)",
    ],
    ids=["lost", "retyped"],
)
def test_a_column_that_a_readers_view_needs_is_refused_by_its_name(shop, change):
    shop.begin()
    shop.publish()
    shop.warehouse.run(
        "create schema sales; create view sales.by_state as select state from marts.dim_users"
    )
    shop.build(f"{change}; update marts_build.fct_orders set total_usd = 99")
    with pytest.raises(PublishRefusedError, match=r"view sales\.by_state depends on column state"):
        shop.publish()
    assert shop.read("sales.by_state") == [("Ohio",)]
    assert (99,) not in shop.warehouse.run("select total_usd from marts.fct_orders")


def test_a_column_change_does_not_wait_for_a_reader_for_long(shop):
    shop.begin()
    shop.publish()
    shop.build("alter table marts_build.dim_users drop column state")
    with contextlib.closing(shop.warehouse.connect()) as reader, reader.cursor() as cursor:
        cursor.execute("select * from marts.dim_users")
        begun = time.monotonic()
        with pytest.raises(PublishBlockedError, match=r"marts\.dim_users must change"):
            shop.publish()
        assert time.monotonic() - begun < 5
    assert shop.read("marts.dim_users") == [("u", "Ohio")]
    shop.publish()
    assert shop.read("marts.dim_users") == [("u",)]


def test_a_readers_view_and_grants_survive(shop):
    shop.begin()
    shop.publish()
    shop.warehouse.run(
        "create schema sales; create view sales.by_state as select state from marts.dim_users;"
        "grant select on marts.dim_users to analyst"
    )
    shop.build("update marts_build.dim_users set state = 'Utah'")
    shop.publish()
    assert shop.read("sales.by_state") == [("Utah",)]


def test_a_mart_that_is_not_built_any_more_goes(shop):
    shop.begin()
    shop.publish()
    shop.lineage = Lineage(manifest({"dim_users": ["users"]}))
    shop.publish()
    assert shop.warehouse.run("select to_regclass('marts.fct_orders')") == [(None,)]
    assert shop.warehouse.run("select mart from marts.data_status") == [("dim_users",)]


def test_a_mart_without_a_key_is_refused(shop):
    shop.begin()
    shop.build("alter table marts_build.dim_users drop constraint dim_users_pkey")
    with pytest.raises(PublishRefusedError, match="no primary key in their build: dim_users"):
        shop.publish()


# --- what the marts say of themselves


def test_data_is_as_old_as_the_oldest_last_load(shop):
    shop.warehouse.run("update ops.load set finished_at = '2021-02-10' where table_name = 'users'")
    shop.warehouse.run("update ops.load set finished_at = '2021-02-09' where table_name = 'orders'")
    shop.begin()
    shop.publish()
    ages = dict(
        shop.warehouse.run("select mart, data_as_of::date from marts.data_status order by 1")
    )
    assert ages == {
        "dim_users": datetime(2021, 2, 10).date(),
        "fct_orders": datetime(2021, 2, 9).date(),
    }


@pytest.mark.parametrize("cause", ["replay", "erasure"])
def test_what_is_no_delivery_makes_the_data_no_younger(shop, cause):
    shop.warehouse.run("update ops.load set finished_at = '2021-02-10'")
    shop.warehouse.run(
        "insert into ops.load (table_name, source_file, started_at, finished_at, status, cause,"
        " replay_of) values ('users', 'x', now(), now(), 'loaded', %s, %s)",
        (cause, 1 if cause == "replay" else None),
    )
    shop.begin()
    shop.publish()
    ages = shop.warehouse.run("select distinct data_as_of::date::text from marts.data_status")
    assert ages == [("2021-02-10",)]


def test_a_mart_that_rests_on_a_table_never_loaded_has_no_age(shop):
    shop.warehouse.run("delete from ops.load where table_name = 'orders'")
    shop.begin()
    shop.publish()
    ages = dict(shop.warehouse.run("select mart, data_as_of is null from marts.data_status"))
    assert ages == {"dim_users": False, "fct_orders": True}


def quarantine(shop, table: str, rows: int, **changed) -> None:
    values = {"load_id": 1, "resolution": None, "is_replayable": True} | changed
    shop.warehouse.run(
        "insert into ops.quarantine (load_id, table_name, source_file, row_text, reason,"
        " is_replayable, resolved_at, resolution) select %(load_id)s, %(table)s, 'a.csv', 'x', 'y',"
        " %(is_replayable)s, case when %(resolution)s is not null then now() end, %(resolution)s"
        " from generate_series(1, %(rows)s)",
        values | {"table": table, "rows": rows},
    )


def test_a_mart_says_which_rows_it_lacks(shop):
    quarantine(shop, "users", 1200)
    quarantine(shop, "orders", 1)
    # none of these is missing from the marts, or not yet their business
    quarantine(shop, "users", 1, resolution="replayed")
    quarantine(shop, "users", 1, is_replayable=False)
    quarantine(shop, "users", 1, load_id=99)
    quarantine(shop, "products", 1)
    shop.begin()
    shop.publish()
    lacks = "select mart, warnings from marts.data_status order by 1"
    assert shop.warehouse.run(lacks) == [
        ("dim_users", "1,200 rows of users are in quarantine."),
        ("fct_orders", "1 row of orders, 1,200 rows of users are in quarantine."),
    ]
    shop.close()
    shop.warehouse.run("delete from ops.quarantine where table_name = 'users'")
    shop.begin("run 2")
    shop.publish("run 2")
    assert shop.warehouse.run(lacks) == [
        ("dim_users", None),
        ("fct_orders", "1 row of orders is in quarantine."),
    ]


def test_a_mart_says_which_failed_test_was_let_through(shop):
    shop.begin()
    shop.warehouse.run(
        "insert into ops.override (unique_id, reason, made_by, made_at, until)"
        " select unique_id, 'known since May', 'ada', '2021-01-01', '2999-01-01'"
        " from ops.node_result where unique_id like 'test.%%';"
        # one of the two passes anyway
        "update ops.node_result set status = 'warn', failures = 12"
        " where unique_id = 'test.greenery.unique_fct_orders'",
        (),
    )
    shop.publish()
    lacks = "select mart, warnings from marts.data_status order by 1"
    told = (
        "The failed test unique_fct_orders was let through until 1 Jan 2999 00:00 UTC by ada:"
        " known since May."
    )
    assert shop.warehouse.run(lacks) == [("dim_users", None), ("fct_orders", told)]
    ((kept,),) = shop.warehouse.run("select overridden from ops.publication")
    assert [(one["unique_id"], one["failures"]) for one in kept] == [
        ("test.greenery.unique_fct_orders", 12)
    ]
    shop.close()
    shop.begin("run 2")
    shop.publish("run 2")
    assert shop.warehouse.run(lacks) == [("dim_users", None), ("fct_orders", None)]


def test_a_failed_run_is_told_in_words_and_shows_nothing_new(shop):
    shop.begin()
    shop.publish()
    shop.close()
    shop.begin("run 2", good=False)
    shop.warehouse.run(
        "insert into ops.task_failure (run_id, task_id, try_number, message) "
        "values ('run 2', 'build.fct_orders', 1, 'order_id must not be empty: 12 rows')"
    )
    published_at = shop.warehouse.run("select published_at from marts.data_status limit 1")
    shop.close("run 2")
    rows = shop.warehouse.run(
        "select last_run_outcome, last_run_id, reason, published_at from marts.data_status"
    )
    assert len(rows) == 2
    for outcome, run_id, reason, at in rows:
        assert (outcome, run_id, [(at,)]) == ("failed", "run 2", published_at)
        assert reason == "The run run 2 failed: order_id must not be empty: 12 rows"


def test_closing_a_published_run_leaves_its_status(shop):
    shop.begin()
    shop.publish()
    shop.close()
    assert shop.warehouse.run("select distinct last_run_outcome from marts.data_status") == [
        ("published",)
    ]
    assert shop.warehouse.run("select released_at is not null from ops.run_lease") == [(True,)]


def test_a_first_run_that_fails_says_so_of_every_mart(shop):
    shop.begin(good=False)
    shop.close()
    assert shop.warehouse.run(
        "select mart, last_run_outcome, published_at from marts.data_status order by 1"
    ) == [("dim_users", "failed", None), ("fct_orders", "failed", None)]


def test_a_run_that_another_one_has_followed_says_nothing(shop):
    shop.begin("old", good=False)
    shop.close("old")
    shop.begin("new")
    shop.publish("new")
    shop.close("old")
    assert shop.warehouse.run("select distinct last_run_outcome from marts.data_status") == [
        ("published",)
    ]
    assert shop.warehouse.run("select released_at from ops.run_lease") == [(None,)]


def test_a_clock_that_is_set_back_after_the_horizon_was_frozen_stops_no_publication(shop):
    shop.begin()
    shop.warehouse.run("update ops.node_result set finished_at = finished_at - interval '1 hour'")
    assert shop.publish() == RowCounts(inserted=4)


def test_what_was_built_before_the_horizon_was_frozen_again_does_not_count_whatever_its_time(shop):
    shop.begin()
    shop.warehouse.run("update ops.node_result set finished_at = finished_at + interval '1 hour'")
    with transaction("loader") as cursor:
        lease.freeze_horizon(cursor, "run 1")
    with pytest.raises(PublishRefusedError, match="have no good result in this run"):
        shop.publish()
