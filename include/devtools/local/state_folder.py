"""Where a checkout keeps its state, and the environment its Airflow runs in."""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devtools.local import postgres
from devtools.local.databases import METADATA, WAREHOUSE
from devtools.local.plain_paths import are_links, is_plain, is_short, make_links, remove_links
from devtools.local.postgres import Server
from elt.docker.environment import write_private
from elt.transform.project import cosmos_target

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Home:
    """The state folder of a checkout. Two checkouts share nothing: neither ports nor caches."""

    root: Path = ROOT
    state: Path = field(
        default_factory=lambda: Path(os.environ.get("GREENERY_STATE", ROOT / ".local")).absolute()
    )

    @property
    def airflow(self) -> Path:
        return self.state / "airflow"

    @property
    def dbt_target(self) -> Path:
        """Where Cosmos keeps what it parsed for the daily run."""
        return cosmos_target(self.cosmos)

    @property
    def cosmos(self) -> Path:
        return self.state / "cosmos"

    @property
    def demo_landing(self) -> Path:
        return self.state / "landing"

    @property
    def report(self) -> Path:
        """Where the report of each publication goes; ``index.html`` in it is the newest."""
        return self.state / "report"

    @property
    def stage(self) -> Home:
        """The installation that scenarios break, apart from this one."""
        return Home(root=self.root, state=self.state / "scenario")

    @property
    def logs(self) -> Path:
        return self.airflow / "logs"

    def plain(self) -> Home:
        """Return the same folders by paths that every program takes, links if need be."""
        folders = (self.root, self.state)
        if all(map(is_plain, folders)) and is_short(self.state):
            return self
        self.state.mkdir(parents=True, exist_ok=True)
        links = Path(self.remembered("links", lambda: str(make_links(*folders))))
        if not are_links(links, *folders):
            links = Path(self.remembered("links", lambda: str(make_links(*folders)), anew=True))
        return Home(root=links / "0", state=links / "1")

    def remove(self) -> None:
        """Delete the state folder, and what leads to it."""
        file = self.state / "settings.json"
        links = json.loads(file.read_text()).get("links") if file.exists() else None
        if links and are_links(Path(links), self.root, self.state):
            remove_links(Path(links))
        shutil.rmtree(self.state, ignore_errors=True)
        if self.state.exists() and any(self.state.iterdir()):
            shutil.rmtree(self.state)  # says what is in the way

    def remembered(self, name: str, make: Any, *, anew: bool = False) -> Any:
        """Return a value kept under the state folder, made at the first call, or anew if asked."""
        file = self.state / "settings.json"
        settings = json.loads(file.read_text()) if file.exists() else {}
        if anew or name not in settings:
            settings[name] = make()
            write_private(file, json.dumps(settings, indent=1))
        return settings[name]

    @property
    def port(self) -> int:
        """The port of Airflow's API and UI, the same from one start to the next."""
        return int(self.remembered("airflow_port", postgres.free_port))

    def leave_taken_port(self) -> None:
        """Choose another port for Airflow if somebody else took ours meanwhile."""
        if port_is_taken(self.port):
            self.remembered("airflow_port", postgres.free_port, anew=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def warehouse_connection(server: Server) -> str:
    """Return the Airflow connection of the local warehouse, as JSON."""
    return json.dumps(
        {
            "conn_type": "postgres",
            "host": "127.0.0.1",
            "port": server.port,
            "login": "greenery",
            "password": server.passwords["greenery"],
            "schema": WAREHOUSE,
        }
    )


def source_connection(source: str) -> str:
    """Return the Airflow connection of a landing folder (a path or a URL) or database, as JSON."""
    # it imports Airflow, which the quick commands must not wait for
    from elt.loading.database.source import database_at, is_database_url

    if is_database_url(source):
        return json.dumps(database_at(source).as_connection())
    return json.dumps({"conn_type": "fs", "extra": {"path": source}})


def environment(home: Home, server: Server, source: str) -> dict[str, str]:
    """Return the environment for Airflow's processes: all settings of the local installation."""
    home = home.plain()
    airflow = {
        "CORE__DAGS_FOLDER": home.root / "dags",
        "CORE__PLUGINS_FOLDER": home.root / "config" / "plugins",
        "CORE__EXECUTOR": "LocalExecutor",
        # a task of dbt waits for Postgres and Airflow's API about half of its time
        "CORE__PARALLELISM": 2 * (os.cpu_count() or 2),
        "CORE__LOAD_EXAMPLES": False,
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": False,
        # the first reading makes dbt's manifest, which takes its time on a busy machine
        "CORE__DAGBAG_IMPORT_TIMEOUT": 120,
        "CORE__FERNET_KEY": home.remembered(
            "fernet_key", lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        ),
        "CORE__EXECUTION_API_SERVER_URL": f"{home.url}/execution/",
        # no log-in, so loopback only
        "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": True,
        "API__HOST": "127.0.0.1",
        "API__PORT": home.port,
        "API__BASE_URL": home.url,
        "API__WORKERS": 1,
        "API__SECRET_KEY": home.remembered("secret_key", lambda: secrets.token_urlsafe(32)),
        "API_AUTH__JWT_SECRET": home.remembered("jwt_secret", lambda: secrets.token_urlsafe(64)),
        "DATABASE__SQL_ALCHEMY_CONN": server.url(METADATA, METADATA, "postgresql+psycopg2"),
        "LOGGING__BASE_LOG_FOLDER": home.logs,
        "USAGE_DATA_COLLECTION__ENABLED": False,
        "COSMOS__CACHE_DIR": home.cosmos,
        "COSMOS__ENABLE_TELEMETRY": False,
    }
    scratch = home.state / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    return {
        **os.environ,
        **{f"AIRFLOW__{name}": str(value) for name, value in airflow.items()},
        "AIRFLOW_HOME": str(home.airflow),
        "AIRFLOW_CONN_GREENERY_WAREHOUSE": warehouse_connection(server),
        "AIRFLOW_CONN_GREENERY_SOURCE": source_connection(source),
        "DO_NOT_TRACK": "1",
        "GREENERY_DBT_TARGET": str(home.dbt_target),
        # empty: none is wanted
        "GREENERY_REPORT": os.environ.get("GREENERY_REPORT", str(home.report)),
        # tasks talk to Airflow's API on loopback, whatever proxy leads to the world
        **{name: _without_proxy(os.environ.get(name)) for name in ("NO_PROXY", "no_proxy")},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join([str(home.root / "include"), str(home.root / "config")]),
        # without it every start and every task would compile hundreds of files again
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONUNBUFFERED": "1",
        "TMPDIR": str(scratch),
        "TZ": "UTC",
    }


def _without_proxy(hosts: str | None) -> str:
    return ",".join([*filter(None, [hosts]), "127.0.0.1", "localhost"])


def port_is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
