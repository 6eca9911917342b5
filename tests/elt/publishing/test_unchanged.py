"""Whose results a run with nothing new takes over, and what makes it build by itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from elt.alerting.run_facts import NodeResult, keep_results
from elt.publishing.rollback import release, roll_back
from elt.publishing.unchanged import take_over_results
from elt.transform.project import PROJECT, fingerprint
from elt.warehouse import lease
from elt.warehouse.connection import transaction

SAME = fingerprint(PROJECT)


def first_run(shop, run_id: str = "run 1", *, project: str = SAME) -> None:
    shop.begin(run_id)
    with transaction("loader") as cursor:
        cursor.execute("update ops.run_lease set project = %s", (project,))
    shop.publish(run_id)
    shop.close(run_id)


def follow(shop, run_id: str = "run 2", *, project: str = SAME) -> str | None:
    """Begin a run with nothing built, and return whose results it takes over."""
    with transaction("loader") as cursor:
        lease.take(cursor, run_id)
        lease.freeze_horizon(cursor, run_id, project)
        return take_over_results(cursor, run_id, *same_day(cursor))


def same_day(cursor) -> tuple[datetime, ZoneInfo]:
    """Return the moment of the first run's results, where no day begins soon before or after."""
    cursor.execute("select min(finished_at) from ops.node_result")
    (at,) = cursor.fetchone()
    return at, ZoneInfo("UTC" if 2 < at.astimezone(UTC).hour < 22 else "Asia/Tokyo")


def test_a_run_with_nothing_new_publishes_by_the_results_of_the_one_before(shop):
    first_run(shop)
    for number in (2, 3):
        run_id = f"run {number}"
        assert follow(shop, run_id) == f"run {number - 1}"
        assert shop.publish(run_id).changed == 0
        shop.close(run_id)
    assert shop.warehouse.run(
        "select run_id, count(*), count(distinct finished_at) from ops.node_result group by 1"
        " order by 1"
    ) == [("run 1", 4, 1), ("run 2", 4, 1), ("run 3", 4, 1)]
    assert shop.warehouse.run(
        "select distinct last_run_id, last_run_outcome, published_at > now() - interval '1 minute'"
        " from marts.data_status"
    ) == [("run 3", "published", True)]


def test_what_a_run_that_begins_again_builds_itself_is_not_taken_over(shop):
    first_run(shop)
    assert follow(shop) == "run 1"
    built = NodeResult("model.greenery.fct_orders", "model", "success", None, None, 1)
    keep_results("run 2", "a task", 1, [built])
    assert shop.warehouse.run(
        "select unique_id from ops.node_result where run_id = 'run 2' and taken_from is null"
    ) == [(built.unique_id,)]


@pytest.mark.parametrize(
    "happened",
    [
        # a drop, a bad row of one, and what is done by hand
        "insert into ops.load (table_name, source_file, started_at, finished_at, status,"
        " rows_read, rows_inserted) values ('users', '2.csv', now(), now(), 'loaded', 1, 1)",
        "insert into ops.load (table_name, source_file, started_at, finished_at, status,"
        " rows_read, rows_quarantined) values ('users', '2.csv', now(), now(), 'loaded', 1, 1)",
        "insert into ops.load (table_name, source_file, started_at, finished_at, status, cause)"
        " values ('users', 'a rebuild', now(), now(), 'loaded', 'rebuild')",
        # in force, and ended early
        "insert into ops.override (unique_id, reason, until)"
        " values ('test.greenery.unique_fct_orders', 'known', now() + interval '1 day')",
        "insert into ops.override (unique_id, reason, made_at, until, ended_at)"
        " values ('test.greenery.unique_fct_orders', 'known', now() - interval '1 day',"
        " now() + interval '1 day', now())",
        # a bad row that a drop has mended, though it brought nothing new
        "insert into ops.quarantine (load_id, table_name, source_file, line_number, reason,"
        " row_text, resolved_at, resolution)"
        " values (1, 'users', '1.csv', 2, 'odd', 'a,b', now(), 'superseded')",
        # what is to be built whole
        "insert into ops.model_state (model, version, changes_since) values ('fct_orders', 1, 1)",
        # whatever else had the warehouse, a failed run among it
        "update ops.run_lease set run_id = 'rebuild of a key'",
    ],
    ids=["rows", "bad rows", "a rebuild", "an override", "its end", "a mend", "whole", "others"],
)
def test_what_has_changed_is_built_and_tested(shop, happened):
    first_run(shop)
    shop.warehouse.run(f"set role loader; {happened}")
    assert follow(shop) is None
    assert shop.warehouse.run("select count(*) from ops.node_result where run_id = 'run 2'") == [
        (0,)
    ]


def test_another_project_and_one_that_changed_during_its_run_are_built(shop):
    first_run(shop)
    assert follow(shop, project="another") is None
    shop.close("run 2")
    first_run(shop, "run 3", project="as it was when run 3 began")
    assert follow(shop, "run 4", project="as it was when run 3 began") is None


def test_a_read_of_the_source_that_brought_nothing_is_nothing_new(shop):
    first_run(shop)
    shop.warehouse.run(
        "insert into ops.load (table_name, source_file, started_at, finished_at, status,"
        " rows_read, rows_unchanged) values ('users', 'users', now(), now(), 'loaded', 1, 1)"
    )
    assert follow(shop) == "run 1"
    assert shop.publish("run 2").changed == 0


def test_the_first_run_of_a_day_builds_whatever_is_new(shop):
    first_run(shop)
    assert follow(shop) == "run 1"
    shop.publish("run 2")
    shop.close("run 2")
    # a day after the build, though not after the run that took its results over
    shop.warehouse.run("update ops.node_result set finished_at = finished_at - interval '1 day'")
    with transaction("loader") as cursor:
        lease.take(cursor, "run 3")
        lease.freeze_horizon(cursor, "run 3", SAME)
        at, timezone = same_day(cursor)
        assert take_over_results(cursor, "run 3", at, timezone) == "run 2"
        assert take_over_results(cursor, "run 3", at + timedelta(days=1), timezone) is None


def test_the_first_delivery_of_a_day_is_built_though_it_brought_nothing(shop):
    """A mart may have a row for each day of deliveries."""
    first_run(shop)
    shop.warehouse.run("update ops.load set finished_at = finished_at - interval '1 day'")
    assert follow(shop) == "run 1"
    shop.publish("run 2")
    shop.close("run 2")
    shop.warehouse.run(
        "set role loader; insert into ops.load (table_name, source_file, started_at, finished_at,"
        " status, rows_read, rows_unchanged) values ('users', 'users', now(), now(), 'unchanged',"
        " 1, 1)"
    )
    assert follow(shop, "run 3") is None


def test_what_another_run_has_built_and_not_published_is_built_anew(shop):
    """It may have been made by another project, which is gone again."""
    first_run(shop)
    assert follow(shop) == "run 1"
    with transaction("loader") as cursor:
        lease.begin_build(cursor, "run 2", SAME)
    assert follow(shop) is None


def test_what_a_worker_with_other_models_has_built_in_is_taken_over_by_no_run(shop):
    shop.begin("run 1")
    with transaction("loader") as cursor:
        cursor.execute("update ops.run_lease set project = %s", (SAME,))
        assert lease.begin_build(cursor, "run 1", SAME)
        assert not lease.begin_build(cursor, "run 1", "of an older image")
    shop.publish("run 1")
    shop.close("run 1")
    assert follow(shop) is None


def test_what_was_rolled_back_is_built_and_tested_before_it_is_shown_again(shop):
    first_run(shop)
    shop.build("update marts_build.fct_orders set total_usd = 5")
    first_run(shop, "run 2")
    assert roll_back("ann", "wrong")
    release()
    shop.warehouse.run("update ops.run_lease set run_id = 'run 2'")
    assert follow(shop, "run 3") is None


def test_a_run_that_failed_and_begins_again_has_the_results_that_it_takes_over(shop):
    first_run(shop)
    assert follow(shop) == "run 1"
    shop.warehouse.run(
        "update ops.node_result set status = 'fail', message = 'a row' where run_id = 'run 2'"
    )
    assert follow(shop) == "run 1"
    assert shop.warehouse.run(
        "select distinct status, message from ops.node_result where run_id = 'run 2'"
    ) == [("pass", None)]
    assert shop.publish("run 2").changed == 0


def test_a_run_that_begins_again_still_follows_the_one_before_it(shop):
    first_run(shop)
    assert follow(shop) == "run 1"
    assert follow(shop) == "run 1"
    # but what it published itself by now says nothing of what came since
    shop.publish("run 2")
    assert follow(shop) is None
