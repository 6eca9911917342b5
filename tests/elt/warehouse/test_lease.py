from __future__ import annotations

import psycopg2
import pytest

from elt.warehouse import lease
from elt.warehouse.connection import transaction


def take(run_id):
    with transaction("loader") as cursor:
        lease.take(cursor, run_id)


def renew(run_id):
    with transaction("loader") as cursor:
        return lease.renew(cursor, run_id)


def release(run_id):
    with transaction("loader") as cursor:
        lease.release(cursor, run_id)


def test_a_second_run_is_refused_while_the_first_is_at_work(warehouse):
    take("first")
    with pytest.raises(lease.LeaseHeldError, match="run first has been at work"):
        take("second")


def test_taking_it_again_is_allowed_to_its_holder(warehouse):
    take("first")
    take("first")
    assert renew("first") is None


def test_a_released_lease_can_be_taken(warehouse):
    take("first")
    release("first")
    take("second")
    assert warehouse.run("select run_id from ops.run_lease") == [("second",)]


def test_an_expired_lease_can_be_taken(warehouse):
    take("died")
    warehouse.run("update ops.run_lease set expires_at = now() - interval '1 second'")
    take("second")
    assert warehouse.run("select run_id from ops.run_lease") == [("second",)]


def test_a_cleared_task_of_the_last_run_gets_the_lease_back(warehouse):
    take("first")
    release("first")
    renew("first")
    with pytest.raises(lease.LeaseHeldError):
        take("second")


def test_a_cleared_task_of_an_older_run_is_refused(warehouse):
    take("first")
    release("first")
    take("second")
    release("second")
    with pytest.raises(lease.LeaseLostError, match="what the run second made after this one"):
        renew("first")


def test_nobody_can_go_on_where_no_run_has_begun(warehouse):
    with pytest.raises(lease.LeaseLostError, match="No run has begun"):
        renew("first")


def test_releasing_somebody_elses_lease_does_nothing(warehouse):
    take("first")
    release("second")
    assert warehouse.run("select released_at from ops.run_lease") == [(None,)]


def test_the_horizon_is_the_last_good_load(warehouse):
    take("first")
    warehouse.run(
        "insert into ops.load"
        " (table_name, source_file, file_size, started_at, finished_at, status) values"
        " ('orders', 'a', 1, now(), now(), 'loaded'), ('orders', 'b', 1, now(), now(), 'failed')"
    )
    with transaction("loader") as cursor:
        assert lease.freeze_horizon(cursor, "first") == 1
    assert renew("first") == 1


def test_loads_hold_the_lease_together_and_nobody_takes_it_meanwhile(warehouse):
    take("first")
    release("first")
    with transaction("loader") as one, transaction("loader") as other:
        lease.hold(one, "first")
        lease.hold(other, "first")
        with transaction("loader") as cursor:
            cursor.execute("set local lock_timeout = '100ms'")
            with pytest.raises(psycopg2.errors.LockNotAvailable):
                lease.take(cursor, "second")
            cursor.connection.rollback()


def test_a_load_of_an_older_run_is_refused(warehouse):
    take("first")
    release("first")
    take("second")
    with pytest.raises(lease.LeaseLostError, match="second"), transaction("loader") as cursor:
        lease.hold(cursor, "first")


def test_the_holder_is_who_has_not_given_it_back(warehouse):
    with transaction("loader") as cursor:
        assert lease.holder(cursor) is None
    take("first")
    with transaction("loader") as cursor:
        assert lease.holder(cursor) == "first"
    release("first")
    with transaction("loader") as cursor:
        assert lease.holder(cursor) is None
