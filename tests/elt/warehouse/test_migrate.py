from __future__ import annotations

import contextlib
import shutil
import threading

import pytest

from elt.warehouse.connection import transaction
from elt.warehouse.migrate import (
    MIGRATIONS,
    MigrationError,
    OlderCodeError,
    WarehouseLockedError,
    migrate,
)


@pytest.fixture
def bare(server):
    """A warehouse with roles and schemas, and nothing in them."""
    from tests.support.warehouse import fresh_warehouse

    with fresh_warehouse(server) as warehouse:
        warehouse.run("drop schema raw, ops, marts, untested cascade")
        from elt.warehouse.bootstrap import SCRIPT

        warehouse.run(SCRIPT.read_text())
        yield warehouse


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(MIGRATIONS, tmp_path / "migrations")
    return tmp_path / "migrations"


def test_every_migration_is_applied_once(bare):
    names = sorted(file.name for file in MIGRATIONS.glob("*.sql"))
    assert names
    assert migrate() == names
    assert migrate() == []


def test_tables_belong_to_the_roles_of_the_architecture(bare):
    migrate()
    owners = dict(
        bare.run(
            "select schemaname || '.' || tablename, tableowner from pg_tables "
            "where schemaname in ('raw', 'ops', 'marts')"
        )
    )
    assert owners["raw.change_log"] == "loader"
    assert owners["ops.load"] == "loader"
    assert owners["marts.data_status"] == "publisher"


def test_a_broken_migration_leaves_nothing_behind(bare, folder):
    (folder / "9999_broken.sql").write_text(
        "set local role loader; create table ops.half (a int); select 1 / 0;"
    )
    with pytest.raises(Exception, match="division by zero"):
        migrate(folder)
    assert bare.run("select to_regclass('ops.half')") == [(None,)]
    assert bare.run("select count(*) from ops.migration where name like '9999%'") == [(0,)]


def test_a_changed_migration_is_refused(bare, folder):
    migrate(folder)
    first = min(folder.glob("*.sql"))
    first.write_text(first.read_text() + "\n-- one more thing")
    with pytest.raises(MigrationError, match=f"{first.name} was changed"):
        migrate(folder)


def test_a_warehouse_of_a_newer_version_is_refused(bare, folder):
    newer = folder / "9999_newer.sql"
    newer.write_text("select 1;")
    migrate(folder)
    newer.unlink()
    with pytest.raises(OlderCodeError, match=r"9999_newer\.sql"):
        migrate(folder)


def test_a_warehouse_without_its_roles_is_said_in_words(bare):
    bare.run("revoke loader from greenery")
    try:
        with pytest.raises(MigrationError, match=r"not prepared.*greenery bootstrap"):
            migrate()
    finally:
        bare.run("grant loader to greenery with inherit false, set true")


@pytest.mark.parametrize(
    "right", ["create on database {database} to analyst", "pg_read_all_data to analyst"]
)
def test_a_warehouse_that_an_older_version_prepared_is_refused(bare, right):
    migrate()
    with bare.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"grant {right.format(database=bare.database)}")
    try:
        with pytest.raises(MigrationError, match=r"older version.*greenery bootstrap"):
            migrate()
    finally:
        # roles are the whole server's
        with bare.connect() as connection, connection.cursor() as cursor:
            cursor.execute("revoke pg_read_all_data from analyst")


def test_an_analyst_who_takes_the_advisory_locks_of_old_keeps_nobody_waiting(bare):
    with contextlib.closing(bare.connect("analyst")) as connection:
        connection.cursor().execute("select pg_advisory_lock(7301958)")
        assert migrate(wait="1s")


def test_who_else_migrates_is_waited_for_and_named(bare):
    migrate()
    with transaction("loader") as other:
        other.execute("lock table ops.migration in share update exclusive mode")
        with pytest.raises(
            WarehouseLockedError,
            match=rf"for 200ms .*greenery \(greenery, process {other.connection.info.backend_pid}, "
            r"since \d\d \w+ \d\d:\d\d UTC\)",
        ):
            migrate(wait="200ms")
    assert migrate() == []


def test_a_reader_who_keeps_a_migration_waiting_is_named(bare, folder):
    migrate(folder)
    (folder / "9999_more.sql").write_text(
        "set local role loader; alter table ops.load add column more text;"
    )
    with contextlib.closing(bare.connect("analyst")) as connection, connection.cursor() as reader:
        reader.execute("select count(*) from ops.load")
        with pytest.raises(WarehouseLockedError, match=r"analyst \(greenery, process \d+, since"):
            migrate(folder, wait="200ms")
    assert migrate(folder) == ["9999_more.sql"]


def test_two_that_migrate_an_empty_warehouse_at_once_apply_each_migration_once(bare):
    applied: list[list[str]] = []
    both = [threading.Thread(target=lambda: applied.append(migrate())) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert len(applied) == 2
    assert sorted(applied[0] + applied[1]) == sorted(file.name for file in MIGRATIONS.glob("*.sql"))


def test_what_came_first_is_known_of_what_was_there_before_it_was_counted(bare, folder):
    (itself,) = folder.glob("*_what_came_first.sql")
    for file in folder.glob("*.sql"):
        if file.name >= itself.name:
            file.unlink()
    migrate(folder)
    bare.run(
        "insert into ops.node_result"
        " (run_id, task_id, try_number, unique_id, kind, status, finished_at)"
        " select 'run', 't', 1, 'test.' || hour, 'test', 'pass',"
        " timestamptz '2026-01-01 00:00Z' + hour * interval '1 hour'"
        " from generate_series(1, 10) as hour;"
        "insert into ops.run_lease (run_id, taken_at, expires_at, horizon_frozen_at)"
        " values ('run', now(), now(), '2026-01-01 05:30Z');"
        "insert into ops.model_state (model, version, changes_since, built_at)"
        " values ('a', 1, 1, '2026-01-01 03:00Z'), ('b', 1, 1, '2025-01-01')"
    )
    migrate()
    assert bare.run("select array_agg(moment order by finished_at) from ops.node_result") == [
        (list(range(1, 11)),)
    ]
    assert bare.run("select frozen_moment from ops.run_lease") == [(5,)]
    states = "select model, defined_moment from ops.model_state order by 1"
    assert bare.run(states) == [("a", 3), ("b", 0)]
