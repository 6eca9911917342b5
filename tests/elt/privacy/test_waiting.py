"""While somebody else has a table locked, it waits for a while, says so, and ends in words."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from elt.cli.commands import greenery
from elt.loading import raw_table, sources_yaml
from elt.loading.contract import Column, Table
from elt.privacy import forget as forgetting
from elt.privacy.forget import forget
from elt.privacy.outcome import BusyError, left_to_do
from elt.warehouse import lease
from elt.warehouse.connection import transaction

PEOPLE = Table(
    "people",
    (Column("person_id", "text"), Column("name", "text", True)),
    ("person_id",),
    "delta",
    person="person_id",
)
VISITS = replace(
    PEOPLE, name="visits", columns=(Column("id", "text"), PEOPLE.columns[0]), primary_key=("id",)
)
TABLES = {"people": PEOPLE, "visits": VISITS}


@pytest.fixture
def shop(warehouse, monkeypatch):
    monkeypatch.setattr(sources_yaml, "declared_tables", lambda: TABLES)
    with transaction("loader") as cursor:
        for table in TABLES.values():
            raw_table.create(cursor, table)
        cursor.execute(
            "insert into raw.people values ('ann-0001', 'Annabella', 1);"
            "insert into raw.visits values ('v1', 'ann-0001', 1);"
            "insert into ops.task_failure (run_id, task_id, try_number, message)"
            " values ('a run', 'a', 1, 'Annabella stood in the way')"
        )
    return warehouse


@contextlib.contextmanager
def somebody(shop, statement: str):
    """Have another session at work, until the end or a commit."""
    with contextlib.closing(shop.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        yield connection


def test_a_load_that_does_not_end_is_waited_for_and_then_told(shop, monkeypatch, capsys):
    monkeypatch.setattr(forgetting, "LOCK_SECONDS", 1)
    with somebody(shop, "lock table raw.visits in share row exclusive mode"):
        assert greenery.run(["forget", "ann-0001"]) == 1
    said = capsys.readouterr().err
    assert "Somebody is at work on raw.visits: waiting up to 1 seconds." in said
    assert "kept a table locked for more than 1 seconds: session" in said
    assert "Nothing was changed. Try again" in said
    assert shop.run("select count(*) from raw.people") == [(1,)]
    assert shop.run("select released_at is not null from ops.run_lease") == [(True,)]


def test_a_load_that_ends_in_time_keeps_nobody_from_being_forgotten(shop, capsys):
    with (
        ThreadPoolExecutor() as pool,
        somebody(shop, "lock table raw.visits in share row exclusive mode") as load,
    ):
        done = pool.submit(greenery.run, ["forget", "ann-0001"])
        while not shop.run("select 1 from pg_locks where not granted"):
            assert not done.done()
        load.commit()
        assert done.result() == 0
    assert shop.run("select count(*) from raw.visits") == [(0,)]


def test_somebody_at_a_mart_is_waited_for_no_longer(shop, monkeypatch):
    monkeypatch.setattr(forgetting, "LOCK_SECONDS", 1)
    shop.run("set role publisher; create table marts.dim_people (person_id text)")
    with (
        somebody(shop, "lock table marts.dim_people in exclusive mode"),
        pytest.raises(BusyError, match="Nothing was changed"),
    ):
        forget("ann-0001", TABLES, "forget")
    assert shop.run("select count(*) from raw.people") == [(1,)]


def test_the_disk_that_could_not_be_cleared_is_told(shop, monkeypatch):
    monkeypatch.setattr(forgetting, "VACUUM_LOCK_SECONDS", 1)
    with somebody(shop, "lock table ops.task_failure in share update exclusive mode"):
        done = forget("ann-0001", TABLES, "forget")
    assert done.not_vacuumed == ("ops.task_failure",)
    assert "ops.task_failure: in use" in "\n".join(left_to_do(done))


def test_a_run_with_a_load_at_work_is_told_at_once(shop, monkeypatch, capsys):
    """Its load has the row of the lease locked: nobody waits for that row to read it."""
    monkeypatch.setattr(lease, "WAIT", lease.timedelta(seconds=1))
    with transaction("loader") as cursor:
        lease.take(cursor, "the daily run")
    with lease.loading("the daily run"):
        assert greenery.run(["forget", "ann-0001"]) == 1
    assert "The run the daily run has been at work" in capsys.readouterr().err


def test_a_load_that_outlived_its_run_is_told(shop, monkeypatch, capsys):
    monkeypatch.setattr(lease, "WAIT", lease.timedelta(seconds=1))
    with transaction("loader") as cursor:
        lease.take(cursor, "a run")
        lease.release(cursor, "a run")
    with lease.loading("a run"):
        assert greenery.run(["forget", "ann-0001"]) == 1
    assert (
        "A load of a run that gave the warehouse back is still at work" in capsys.readouterr().err
    )
