"""``make dbt`` and the like: programs that are shown the way to the local warehouse."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from devtools.local import postgres
from devtools.local.databases import WAREHOUSE
from devtools.local.state_folder import Home
from elt.shop import SHOP
from elt.transform.project import DBT


def dbt(home: Home, arguments: Sequence[str]) -> NoReturn:
    """Become dbt, with the arguments handed on."""
    project = SHOP.dbt_project
    target = home.state / "dbt"
    environ = {
        **_analyst(home),
        "DBT_PROJECT_DIR": str(project),
        "DBT_PROFILES_DIR": str(project),
        # not the run's: another profile in it would make every task parse again
        "DBT_TARGET_PATH": str(target),
        "DBT_LOG_PATH": str(target),
        # a test runs when all it reads is selected or comes before; others would find no table
        "DBT_INDIRECT_SELECTION": "buildable",
        "DO_NOT_TRACK": "1",
    }
    os.execve(sys.executable, [*DBT, *arguments], environ)


def ci_changed(home: Home) -> NoReturn:
    """Become the comparison with an older version, in the warehouse that GREENERY_DBT_… names."""
    environ = dict(os.environ) if "GREENERY_DBT_HOST" in os.environ else _analyst(home)
    os.execve(sys.executable, [sys.executable, "-m", "devtools.model_diff"], environ)


def _analyst(home: Home) -> dict[str, str]:
    server = postgres.start(home.state)
    return {
        **os.environ,
        "GREENERY_DBT_HOST": "127.0.0.1",
        "GREENERY_DBT_PORT": str(server.port),
        "GREENERY_DBT_USER": "analyst",
        "GREENERY_DBT_PASSWORD": server.passwords["analyst"],
        "GREENERY_DBT_DATABASE": WAREHOUSE,
    }


def psql(home: Home, arguments: Sequence[str]) -> NoReturn:
    """Become psql, with the arguments handed on."""
    server = postgres.start(home.state)
    login = os.environ.get("LOGIN") or "analyst"
    if login not in server.passwords:
        sys.exit(f"There is no log-in {login}. Choose from: {', '.join(server.passwords)}.")
    environ = {
        **os.environ,
        "PGHOST": "127.0.0.1",
        "PGPORT": str(server.port),
        "PGUSER": login,
        "PGDATABASE": WAREHOUSE,
        # not on the command line, where every user of the machine could read it
        "PGPASSWORD": server.passwords[login],
    }
    os.execve(postgres.binary("psql"), ["psql", *arguments], environ)
