"""What a kill leaves of the local Postgres, at each moment: the next command puts it right."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import psutil
import pytest

from devtools.local import databases, postgres, postmaster
from devtools.local.server_account import PostgresError, run_as_server, server_account
from tests.support.installation import ROOT


@pytest.fixture
def state(tmp_path):
    folder = tmp_path / "state"
    yield folder
    postgres.remove(folder)


def ask(server, question: str) -> object:
    with (
        contextlib.closing(server.connect("postgres")) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(question)
        return cursor.fetchone()[0]


def keep(server) -> None:
    with contextlib.closing(server.connect("postgres")) as connection, connection:
        connection.cursor().execute("create table public.kept as select 42 as answer")


@pytest.fixture
def stranger(state):
    """A program of the server's account, which Postgres itself would take for a server."""
    account = server_account()
    identity = {"user": account.pw_uid, "group": account.pw_gid} if account else {}
    process = subprocess.Popen(["sleep", "600"], cwd="/", **identity)
    yield process
    process.kill()
    process.wait()


def give_number_to(stranger: subprocess.Popen, server) -> None:
    """Have the file of a server that was killed name another process, as after a new start."""
    file = Path(server.home, "data/postmaster.pid")
    lines = file.read_text().split("\n")
    psutil.Process(int(lines[0])).kill()
    file.write_text("\n".join([str(stranger.pid), *lines[1:]]))
    assert wait(lambda: not postmaster.at_work(Path(server.home, "data")))


def wait(is_so, seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while not (done := is_so()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return bool(done)


def test_a_stranger_with_the_number_of_a_server_that_died_is_left_alone(state, stranger):
    server = postgres.start(state)
    keep(server)
    give_number_to(stranger, server)
    assert not postgres.is_running(state)
    assert not postgres.stop(state)
    assert stranger.poll() is None
    # and the file that names it does not keep the server from starting
    assert ask(postgres.start(state), "select answer from public.kept") == 42
    give_number_to(stranger, server)
    postgres.remove(state)
    assert stranger.poll() is None
    assert not Path(server.home).exists()


def test_what_works_on_without_its_server_is_waited_for_before_another_starts(state):
    server = postgres.start(state)
    keep(server)
    data = Path(server.home, "data")
    number = postmaster.running(data).pid
    with contextlib.closing(server.connect("postgres")) as connection:
        backend = connection.get_backend_pid()
        # it notices nothing while it is stopped
        os.kill(backend, signal.SIGSTOP)
        os.kill(number, signal.SIGKILL)
        assert wait(lambda: not postmaster.running(data))
        assert [process.pid for process in postmaster.at_work(data)] == [backend]
        postmaster.ORPHAN_TIMEOUT, before = 0.5, postmaster.ORPHAN_TIMEOUT
        try:
            again = postgres.start(state)
        finally:
            postmaster.ORPHAN_TIMEOUT = before
        # the number may stay for a while: whose child it was decides when it is taken back
        assert backend not in [process.pid for process in postmaster.at_work(data)]
    assert ask(again, "select answer from public.kept") == 42


def test_what_can_not_even_be_killed_is_named_and_not_waited_for_for_ever(tmp_path, monkeypatch):
    process = mock.Mock(pid=4711)
    process.wait.side_effect = psutil.TimeoutExpired(0)
    monkeypatch.setattr(postmaster, "ORPHAN_TIMEOUT", 0.05)
    monkeypatch.setattr(postmaster, "at_work", lambda _: [process])
    with pytest.raises(PostgresError, match="processes 4711 do not end"):
        postmaster.clear(tmp_path)
    assert process.kill.called
    monkeypatch.setattr(postmaster, "running", lambda _: process)
    with pytest.raises(PostgresError, match="processes 4711 do not end"):
        postmaster.stop(process, tmp_path)


def test_a_server_whose_starter_was_killed_is_found_with_its_port(state):
    server = postgres.start(state)
    file = state / "postgres.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"port": 0}))
    again = postgres.start(state)
    assert again == server
    assert ask(again, "select 1") == 1


START = "import sys; from pathlib import Path; from devtools.local import postgres; "
BEGIN = START + "postgres.start(Path(sys.argv[1]))"


def kill_when(state: Path, is_so) -> None:
    """Start a server in a process of its own, and kill that at a moment."""
    process = subprocess.Popen([sys.executable, "-c", BEGIN, str(state)], cwd=ROOT)
    assert wait(is_so)
    process.kill()
    process.wait()


def homes(state: Path, pattern: str) -> list[Path]:
    return [found for home in postgres._homes(state) for found in home.glob(pattern)]


@pytest.mark.parametrize(
    "moment",
    [f"{postgres.MAKING}*", f"{postgres.MAKING}*/data/PG_VERSION", postgres.MADE],
    ids=["before initdb", "in initdb", "after initdb"],
)
def test_a_kill_while_the_server_is_made_leaves_nothing_that_is_in_the_way(state, moment):
    kill_when(state, lambda: homes(state, moment) or homes(state, "data"))
    left = [home for home in postgres._homes(state) if not (home / "data").exists()]
    server = postgres.start(state)
    assert ask(server, "select 1") == 1
    assert homes(state, f"{postgres.MAKING}*") == []
    # outside of the state folder, too
    assert [home for home in left if home.exists() and home != Path(server.home)] == []


def test_data_that_is_whole_is_taken_into_use_though_a_kill_came_between(state):
    first = postgres.start(state)
    keep(first)
    postgres.stop(state)
    Path(first.home, "data").rename(Path(first.home, postgres.MADE))
    assert ask(postgres.start(state), "select answer from public.kept") == 42


def test_a_kill_between_a_database_and_its_role_is_made_good(state):
    server = postgres.start(state)
    with contextlib.closing(server.connect("postgres")) as connection:
        connection.autocommit = True
        for statement in (
            "alter database airflow owner to postgres",
            "revoke all on database airflow from airflow",
            "drop role airflow",
        ):
            connection.cursor().execute(statement)
    databases.bootstrap(server)
    owner = "select rolname from pg_roles join pg_database on datdba = pg_roles.oid where datname="
    assert ask(server, f"{owner}'airflow'") == "airflow"


def test_a_warehouse_whose_passwords_are_lost_is_never_taken_away_by_a_start(state):
    server = postgres.start(state)
    (state / "postgres.json").unlink()
    if Path(server.home).parent != state:
        (state / postgres.ELSEWHERE).write_text(server.home)
    with pytest.raises(PostgresError, match=r"holds a warehouse, but .* is gone"):
        postgres.start(state)
    assert Path(server.home, "data/PG_VERSION").exists()
    # it can still be stopped, and reset takes it away
    assert postgres.stop(state)
    postgres.remove(state)
    assert not Path(server.home).exists()


def test_run_as_server_is_the_account_of_the_stranger():
    """Else the stranger would prove nothing: Postgres minds no process that it may not signal."""
    assert run_as_server(Path("/"), "id", "-u").stdout.strip() != "0"
