from __future__ import annotations

import contextlib
import os
import shutil
import socket
import stat
from dataclasses import replace
from pathlib import Path

import psutil
import psycopg2
import pytest

from devtools.local import postgres, postgres_programs
from devtools.local.databases import LOGINS
from devtools.local.server_account import PostgresError


@pytest.fixture
def state(tmp_path):
    folder = tmp_path / "state"
    yield folder
    postgres.remove(folder)


def ask(server, question: str, login: str = "postgres") -> object:
    with contextlib.closing(server.connect(login)) as connection, connection.cursor() as cursor:
        cursor.execute(question)
        return cursor.fetchone()[0]


def process_of(server) -> psutil.Process:
    return psutil.Process(int(Path(server.home, "data/postmaster.pid").read_text().split()[0]))


def test_it_starts_stops_and_starts_again_with_its_data_and_its_port(state):
    first = postgres.start(state)
    with contextlib.closing(first.connect("postgres")) as connection, connection:
        connection.cursor().execute("create table public.kept as select 42 as answer")
    assert postgres.stop(state)
    assert not postgres.stop(state)
    second = postgres.start(state)
    assert second == first
    assert ask(second, "select answer from public.kept") == 42


def test_starting_twice_is_starting_once(state):
    assert postgres.start(state) == postgres.start(state)


def test_it_takes_another_port_when_its_own_was_taken_meanwhile(state):
    first = postgres.start(state)
    postgres.stop(state)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", first.port))
        other.listen()
        second = postgres.start(state)
    assert second.port != first.port
    assert ask(second, "select 1") == 1


def test_it_listens_on_loopback_only_and_not_as_root(state):
    process = process_of(postgres.start(state))
    addresses = {c.laddr.ip for c in process.net_connections() if c.status == psutil.CONN_LISTEN}
    assert addresses == {"127.0.0.1"}
    assert process.uids().effective != 0


def test_it_lets_nobody_in_without_the_right_password(state):
    server = postgres.start(state)
    for login in LOGINS:
        wrong = replace(server, passwords={login: "guess"})
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            wrong.connect(login, "postgres")


def test_passwords_are_readable_by_their_owner_alone(state):
    postgres.start(state)
    assert stat.S_IMODE(os.stat(state / "postgres.json").st_mode) == 0o600


def test_no_permission_above_the_state_folder_changes(state):
    above = list(state.parents)
    before = [folder.stat().st_mode for folder in above]
    postgres.start(state)
    assert [folder.stat().st_mode for folder in above] == before


def test_it_speaks_utc_and_sorts_by_bytes(state):
    server = postgres.start(state)
    assert ask(server, "show timezone") == "UTC"
    assert ask(server, "select 'B' < 'a'") is True


def test_a_large_shop_may_give_it_more_memory(state, monkeypatch):
    server = postgres.start(state)
    assert ask(server, "show shared_buffers") == "256MB"
    postgres.stop(state)
    monkeypatch.setenv("GREENERY_SHARED_BUFFERS", "64MB")
    assert ask(postgres.start(state), "show shared_buffers") == "64MB"
    postgres.stop(state)
    monkeypatch.setenv("GREENERY_SHARED_BUFFERS", "much")
    with pytest.raises(postgres.PostgresError, match='"shared_buffers": "much"'):
        postgres.start(state)


def test_the_analyst_reads_everything_and_writes_to_no_schema_of_the_run(state):
    server = postgres.start(state)
    assert ask(server, "select has_schema_privilege('raw', 'usage')", "analyst") is True
    for schema in ("raw", "ops", "staging", "intermediate", "snapshots", "marts_build", "marts"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            ask(server, f"create table {schema}.mine as select 1", "analyst")
    for schema in ("dev_me", "greenery", "loader"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            ask(server, f"create schema {schema}", "analyst")
    with contextlib.closing(server.connect("analyst")) as connection, connection:
        connection.cursor().execute(
            "call sandbox.create_schema('dev_me'); create table dev_me.mine as select 1"
        )


@pytest.mark.parametrize("name", ["greenery", "pg_dev_me", "Dev_me", "", "dev"])
def test_the_analysts_own_schemas_have_no_other_name_than_dev(state, name):
    server = postgres.start(state)
    with pytest.raises(psycopg2.errors.InvalidSchemaName, match="is called dev_<name>"):
        ask(server, f"call sandbox.create_schema('{name}')", "analyst")


def test_the_runs_log_in_may_do_nothing_before_it_takes_a_role(state):
    server = postgres.start(state)
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        ask(server, "create table raw.mine as select 1", "greenery")
    for role in ("loader", "transformer", "publisher"):
        assert ask(server, f"set role {role}; select current_user", "greenery") == role
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        ask(server, "set role postgres; select 1", "greenery")


def test_data_that_vanished_is_said_in_words(state):
    server = postgres.start(state)
    postgres.stop(state)
    Path(server.home, "data").rename(Path(server.home, "moved"))
    with pytest.raises(PostgresError, match=r"is gone.*make reset"):
        postgres.start(state)


def test_reset_works_where_the_whole_folder_vanished(state):
    server = postgres.start(state)
    postgres.stop(state)
    shutil.rmtree(server.home)
    assert not postgres.stop(state)
    postgres.remove(state)
    assert postgres.start(state) != server


def test_two_checkouts_run_side_by_side(state, tmp_path):
    other = tmp_path / "other"
    try:
        assert postgres.start(state).port != postgres.start(other).port
    finally:
        postgres.remove(other)


def test_removing_leaves_nothing_behind(state):
    server = postgres.start(state)
    postgres.remove(state)
    assert not Path(server.home).exists()
    assert not (state / "postgres.json").exists()


def test_another_server_may_be_named(state, tmp_path, monkeypatch):
    postgres_programs.copy(tmp_path)
    (programs,) = tmp_path.glob("*/*/bin/psql")
    monkeypatch.setenv("GREENERY_POSTGRES", str(programs.parents[1]))
    assert postgres.binary("psql") == str(programs)
    assert ask(postgres.start(state), "select 1") == 1


def test_a_name_that_leads_to_no_server_is_refused_in_words(state, tmp_path, monkeypatch):
    monkeypatch.setenv("GREENERY_POSTGRES", str(tmp_path))
    with pytest.raises(PostgresError, match=f"no bin/postgres in GREENERY_POSTGRES.*{tmp_path}"):
        postgres.start(state)
    assert not state.exists() or not any(state.rglob("data"))


def test_data_of_another_version_is_refused_in_words(state, monkeypatch):
    postgres.start(state)
    postgres.stop(state)
    older = postgres_programs.wheel().with_name("pginstall")
    monkeypatch.setenv("GREENERY_POSTGRES", str(older))
    with pytest.raises(PostgresError, match=rf"made by PostgreSQL 18, and {older} has .* 16\."):
        postgres.start(state)
    monkeypatch.delenv("GREENERY_POSTGRES")
    assert ask(postgres.start(state), "select 1") == 1
