"""`make restore`, with a docker in its place that hands psql to a real server."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from devtools.local.postgres import binary
from tests.support.installation import ROOT

DOCKER = """#!/bin/sh
echo "$@" >>calls
case "$*" in
    *" psql "*)
        while [ "$1" != psql ]; do
            [ "$1" != --env ] || export "$2"
            shift
        done
        exec "$@" ;;
    *) [ -t 0 ] || cat >/dev/null ;;
esac
"""
ROLE = """
CREATE ROLE restored_by_test;
ALTER ROLE restored_by_test WITH NOLOGIN;
GRANT pg_monitor TO restored_by_test;
"""


@pytest.fixture
def restore(tmp_path, server):
    """Restore a backup whose roles are made by a script, and return how that ended."""
    docker = tmp_path / "bin/docker"
    docker.parent.mkdir()
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    backup = tmp_path / "backup"
    backup.mkdir()
    for name in ("warehouse.dump", "metadata.dump", "secrets.tar", "metadata-roles.sql"):
        (backup / name).write_text("-- nothing\n")

    def run(roles: str) -> subprocess.CompletedProcess[str]:
        (backup / "warehouse-roles.sql").write_text(roles)
        return subprocess.run(
            ["sh", str(ROOT / "include/elt/docker/backup.sh"), "restore", "backup"],
            cwd=tmp_path,
            env={
                "PATH": f"{docker.parent}:{Path(binary('psql')).parent}:{os.environ['PATH']}",
                "PGHOST": "127.0.0.1",
                "PGPORT": str(server.port),
                "PGPASSWORD": server.passwords["postgres"],
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )

    yield run
    with server.connect("postgres") as connection, connection.cursor() as cursor:
        cursor.execute("drop role if exists restored_by_test")


def test_roles_that_are_there_already_are_no_error(restore, server):
    for _ in range(2):
        done = restore(ROLE)
        assert (done.returncode, done.stderr) == (0, "")
    with server.connect("postgres") as connection, connection.cursor() as cursor:
        cursor.execute("select pg_has_role('restored_by_test', 'pg_monitor', 'member')")
        assert cursor.fetchone() == (True,)


def test_any_other_error_is_shown_and_no_database_is_dropped(restore, tmp_path):
    done = restore("ALTER ROLE nobody_of_this_name WITH LOGIN;\n")
    assert done.returncode != 0
    assert 'role "nobody_of_this_name" does not exist' in done.stderr
    assert "dropdb" not in (tmp_path / "calls").read_text()
