"""A checkout may lie anywhere: no character of its path, nor its length, means something."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from devtools.local import postgres, postgres_programs
from devtools.local.databases import LOGINS
from devtools.local.state_folder import Home, environment
from tests.support.installation import ROOT

WEIRD = 'it\'s 100 % of $HOME, %(x)s `id` "a":b; é'
NAMES = {
    "plain": ("a-b_c.d", True),
    "blank": ("a b", True),
    "weird": (WEIRD, False),
    "long": ("x" * 100, False),
}
SHOW = """
from airflow.configuration import conf
from airflow.settings import AIRFLOW_HOME
import elt, os
print(AIRFLOW_HOME, conf.get("core", "dags_folder"), conf.get("core", "plugins_folder"), sep="\\n")
print(conf.get("logging", "base_log_folder"), conf.get("cosmos", "cache_dir"), sep="\\n")
print(os.environ["TMPDIR"], elt.__path__[0], sep="\\n")
"""


@pytest.fixture
def home(tmp_path, request):
    root = Path("/var/tmp", f"greenery-test-{os.getpid()}", request.param)
    root.mkdir(parents=True)
    for part in ("config", "dags", "include"):
        (root / part).symlink_to(ROOT / part)
    home = Home(root=root, state=root / ".local")
    yield home
    postgres.remove(home.state)
    home.remove()
    for part in root.iterdir():
        part.unlink()
    root.rmdir()
    with contextlib.suppress(OSError):
        root.parent.rmdir()


@pytest.mark.parametrize(("home", "is_plain"), NAMES.values(), ids=NAMES, indirect=["home"])
def test_airflow_finds_all_folders(home, is_plain, tmp_path):
    server = postgres.Server("unused", 1, dict.fromkeys(LOGINS, "unused"))
    environ = environment(home, server, str(home.demo_landing))
    assert (home.plain() == home) is is_plain
    command = [sys.executable, "-c", SHOW]
    done = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True)
    found = [Path(line).resolve() for line in done.stdout.splitlines()[-7:]]
    real = home.state.resolve()
    assert found == [
        *(real / "airflow", (home.root / "dags").resolve()),
        *((home.root / "config/plugins").resolve(), real / "airflow/logs", real / "cosmos"),
        *(real / "tmp", (home.root / "include/elt").resolve()),
    ], done.stderr
    # as multiprocessing, which Airflow's cache of secrets stands on, makes one
    folder = Path(environ["TMPDIR"], "pymp-12345678")
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "listener-12345678"))


@pytest.mark.parametrize("home", [WEIRD], ids=["weird"], indirect=True)
def test_links_that_are_gone_or_lead_elsewhere_are_made_anew(home, tmp_path):
    first = home.plain().root.parent
    assert home.plain().root.parent == first
    (first / "0").unlink()
    (first / "0").symlink_to(tmp_path)
    second = home.plain().root.parent
    assert second != first
    assert second.stat().st_mode & 0o077 == 0
    home.remove()
    assert not second.exists()
    assert not home.state.exists()
    for link in first.iterdir():
        link.unlink()
    first.rmdir()


@pytest.mark.parametrize("home", [WEIRD], ids=["weird"], indirect=True)
def test_postgres_is_made_and_started(home, monkeypatch):
    """Its programs lie in the checkout as well."""
    postgres_programs.copy(home.root / ".venv")
    wheel = postgres_programs.folder()
    programs = home.root / ".venv" / wheel.relative_to(wheel.parents[1])
    monkeypatch.setattr(postgres_programs, "folder", lambda: programs)
    server = postgres.start(home.state)
    with contextlib.closing(server.connect("postgres")) as connection:
        connection.cursor().execute("select 1")
    assert postgres.stop(home.state)
    shutil.rmtree(home.root / ".venv")
