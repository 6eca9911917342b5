"""PgBouncer before the tests' server, where Debian's package is installed."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2

from devtools.local.postgres import Server, free_port

PROGRAM = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")


@contextlib.contextmanager
def bouncer(
    server: Server, *, mode: str, ignored: str = "options", certificate: Path | None = None
) -> Iterator[Server]:
    """Yield the server as it is reached through a pool of this mode.

    Args:
        server: the real one.
        mode: session or transaction.
        ignored: which settings of a log-in the pool drops instead of refusing them.
        certificate: what it shows, with its key beside it as `.key`; it takes TLS alone then.
    """
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        users = Path(folder, "users.txt")
        users.write_text("".join(f'"{name}" "{word}"\n' for name, word in server.passwords.items()))
        settings = Path(folder, "pgbouncer.ini")
        settings.write_text(
            f"[databases]\n* = host=127.0.0.1 port={server.port}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = scram-sha-256\nauth_file = {users}\npool_mode = {mode}\n"
            f"ignore_startup_parameters = {ignored}\nadmin_users = postgres\n"
        )
        files = [users, settings]
        if certificate:
            shown, key = Path(folder, "shown.pem"), Path(folder, "shown.key")
            shutil.copyfile(certificate, shown)
            shutil.copyfile(certificate.with_suffix(".key"), key)
            files += [shown, key]
            with settings.open("a") as opened:
                opened.write(
                    "client_tls_sslmode = require\n"
                    f"client_tls_cert_file = {shown}\nclient_tls_key_file = {key}\n"
                )
        # it refuses to run as root, and then reads its files as somebody else
        for path in (Path(folder), *files):
            path.chmod(0o755 if path.is_dir() else 0o644)
        process = subprocess.Popen([PROGRAM, "--quiet", "--user=nobody", str(settings)])
        pooled = dataclasses.replace(server, port=port)
        try:
            _wait_for(pooled)
            yield pooled
        finally:
            process.terminate()
            process.wait(10)


def _wait_for(pooled: Server) -> None:
    end = time.monotonic() + 10
    while True:
        with contextlib.suppress(psycopg2.OperationalError):
            psycopg2.connect(pooled.url("postgres", "pgbouncer")).close()
            return
        assert time.monotonic() < end, "PgBouncer did not start"
        time.sleep(0.05)
