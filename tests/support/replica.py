"""A streaming replica of a server of its own, as pg_basebackup makes one."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from devtools.local import postgres
from devtools.local.postgres import Server, binary, free_port
from devtools.local.server_account import run_as_server, server_account
from tests.support.warehouse import make_template

REPLICATED = {"wal_level": "replica", "max_wal_senders": "4"}


@dataclasses.dataclass(frozen=True)
class Replicated:
    """A server, and the one that follows it."""

    server: Server
    replica: Server

    def ask_replica(self, statement: str) -> list[tuple]:
        with contextlib.closing(self.replica.connect("postgres", "postgres")) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall()

    def wait_for_database(self, name: str) -> None:
        """Wait until a database that was just made can be connected to on the replica."""
        end = time.monotonic() + 30
        while (name,) not in self.ask_replica("select datname from pg_database"):
            assert time.monotonic() < end, "the replica does not follow"
            time.sleep(0.05)


@contextlib.contextmanager
def replicated(state: Path) -> Iterator[Replicated]:
    """Yield a server with a replica; both are gone afterwards."""
    with mock.patch.dict(postgres.SERVER_SETTINGS, REPLICATED):
        server = postgres.start(state)
    try:
        make_template(server)
        with _replica(server) as replica:
            yield Replicated(server, replica)
    finally:
        postgres.remove(state)


@contextlib.contextmanager
def _replica(server: Server) -> Iterator[Server]:
    port = free_port()
    with tempfile.TemporaryDirectory(dir=Path(server.home).parent) as folder:
        home = Path(folder)
        if account := server_account():
            os.chown(home, account.pw_uid, account.pw_gid)
        run_as_server(
            home,
            binary("pg_basebackup", server),
            f"--dbname={server.url('postgres', 'postgres')}",
            "--pgdata=data",
            "--write-recovery-conf",
            "--checkpoint=fast",
        )
        control = (binary("pg_ctl", server), "--pgdata=data", "--wait")
        settings = {**postgres.SERVER_SETTINGS, **REPLICATED, "port": str(port)}
        options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
        run_as_server(home, *control, "start", "--log=log", f"--options={options}")
        try:
            yield dataclasses.replace(server, home=folder, port=port)
        finally:
            run_as_server(home, *control, "stop", "--mode=immediate")
