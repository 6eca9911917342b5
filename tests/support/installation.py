"""A whole installation for end-to-end tests: a copy of the checkout with its own Airflow."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from devtools.local import postgres, services
from devtools.local.api import AirflowApi
from devtools.local.state_folder import Home, environment, source_connection
from tests.support import hostile
from tests.support.warehouse import Warehouse, fresh_warehouse, make_template

ROOT = Path(__file__).parents[2]
OF_THE_TEST_SESSION = (
    *("AIRFLOW__", "AIRFLOW_HOME", "AIRFLOW_CONN_GREENERY_WAR", "GREENERY_DBT", "GREENERY_REPORT"),
)
PARTS = ("config", "dags", "dbt", "include", "tests", "pyproject.toml", "Makefile")

# models, as patterns: the marts that readers ask (tests/support/readers.py), an order's lines, and
# what these are made from
ORDERS_AND_KPIS = (
    *("stg_*", "int_user_orders", "int_product_prices", "int_session_events_agg"),
    *("int_daily_sessions", "dim_users", "fct_orders", "fct_order_items", "fct_user_orders"),
    *("fct_daily_orders", "fct_kpis"),
)


def copy_checkout(to: Path) -> Path:
    """Copy what the product is made of, without state, so that a test may change its files."""
    ignore = shutil.ignore_patterns("target", "logs", "__pycache__", ".*")
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, to / part, ignore=ignore)
        else:
            shutil.copy2(source, to / part)
    return to


def keep_models(checkout: Path, names: Collection[str]) -> None:
    """Leave a few models in a copy of the checkout: a run takes a third of the time.

    Args:
        names: of models, as patterns. Nothing that stays may need one that goes.
    """
    project = checkout / "dbt/greenery"
    for file in [
        *(f for f in project.glob("models/**/*.sql") if not any(map(Path(f.stem).match, names))),
        *project.glob("models/**/*__unit_tests.yml"),
        *project.glob("models/marts/_marts__*.yml"),
        *project.glob("snapshots/*"),
        *project.glob("tests/*.*"),
    ]:
        file.unlink()
    for file in project.glob("models/**/*__models.yml"):
        content = yaml.safe_load(file.read_text())
        there = {model.stem for model in file.parent.glob("*.sql")}
        content["models"] = [model for model in content["models"] if model["name"] in there]
        file.write_text(yaml.safe_dump(content, allow_unicode=True))


def retry_at_once(checkout: Path) -> None:
    """Have a failed task of a copy of the checkout wait 1 s for its next try."""
    tasks = checkout / "include/elt/airflow/run_tasks.py"
    waits = '"retry_delay": pendulum.duration(seconds=20)'
    assert waits in tasks.read_text()
    tasks.write_text(tasks.read_text().replace(waits, waits.replace("20", "1")))


def without_session() -> dict[str, str]:
    """Return the environment less what the test session has set for itself."""
    return {
        key: value for key, value in os.environ.items() if not key.startswith(OF_THE_TEST_SESSION)
    }


def command(checkout: Path, module: str, *arguments: str) -> subprocess.CompletedProcess:
    """Run one of the commands behind the Makefile in a copy of the checkout.

    Whoever runs it has set libpq's variables for databases of their own.
    """
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=checkout,
        env={
            **without_session(),
            **hostile.VARIABLES,
            "GREENERY_STATE": str(checkout / ".local"),
            # the copy's own code and settings, not those that are installed
            "PYTHONPATH": str(checkout / "include"),
        },
        capture_output=True,
        text=True,
    )


def local_command(checkout: Path, *arguments: str) -> subprocess.CompletedProcess:
    return command(checkout, "devtools.local", *arguments)


@dataclass
class Shop:
    """A fresh warehouse and landing folder behind a running Airflow."""

    api: AirflowApi
    warehouse: Warehouse
    landing: Path

    def run(self) -> tuple[str, str]:
        """Trigger a run, wait for its end, and return its id and state."""
        run_id = self.api.trigger()
        return run_id, self.wait(run_id)

    def wait(self, run_id: str) -> str:
        for _ in self.api.follow(run_id):
            pass
        return self.api.state(run_id)

    def states(self, run_id: str) -> dict[str, str]:
        return {task["task_id"]: task["state"] for task in self.api.tasks(run_id)}

    def explain(self, run_id: str) -> str:
        """Return what failed in a run, in its own words, for the message of an assertion."""
        messages = self.warehouse.run(
            "select task_id, message from ops.task_failure where run_id = %s", (run_id,)
        )
        unhappy = {task: state for task, state in self.states(run_id).items() if state != "success"}
        return f"{messages}\n{unhappy}"

    def drop(self, table: str, name: str, text: str) -> Path:
        """Put a drop into the landing folder, at once and whole."""
        folder = self.landing / table
        folder.mkdir(exist_ok=True)
        hidden = folder / f".{name}"
        hidden.write_text(text)
        return hidden.rename(folder / name)

    def marts(self) -> dict[str, list[tuple]]:
        """Return every row of every mart with the transaction that wrote it."""
        names = self.warehouse.run(
            "select tablename from pg_tables where schemaname = 'marts' "
            "and tablename <> 'data_status' order by 1"
        )
        rows = 'select xmin::text, t.* from marts."{}" as t order by t::text'
        return {name: self.warehouse.run(rows.format(name)) for (name,) in names}

    def published_at(self) -> list[tuple]:
        return self.warehouse.run("select distinct published_at from marts.data_status")


@dataclass
class Installation:
    """A running Airflow in a copy of the checkout; its connections can be pointed elsewhere."""

    checkout: Path
    home: Home
    server: postgres.Server
    api: AirflowApi = field(init=False)

    def __post_init__(self) -> None:
        self.api = AirflowApi(self.home.url)

    def connect(self, connection_id: str, as_json: str) -> None:
        """Make or change an Airflow connection, as a person would in the UI."""
        wanted = json.loads(as_json)
        body = {
            "connection_id": connection_id,
            "conn_type": wanted["conn_type"],
            **{
                key: wanted[key]
                for key in ("host", "port", "login", "password", "schema")
                if key in wanted
            },
            "extra": json.dumps(wanted.get("extra", {})),
        }
        self.disconnect(connection_id)
        self.api.call("POST", "/connections", json=body)

    def disconnect(self, connection_id: str) -> None:
        with contextlib.suppress(Exception):
            self.api.call("DELETE", f"/connections/{connection_id}")

    @contextlib.contextmanager
    def shop(self, landing: Path) -> Iterator[Shop]:
        """Yield a fresh warehouse for a landing folder, and point Airflow at both."""
        with fresh_warehouse(self.server) as warehouse:
            self.connect("greenery_warehouse", warehouse.airflow_connection)
            self.connect("greenery_source", source_connection(str(landing)))
            yield Shop(self.api, warehouse, landing)
            for run_id in self.api.unfinished_runs():
                self.api.fail(run_id)


@contextlib.contextmanager
def running_installation(checkout: Path, **variables: str) -> Iterator[Installation]:
    """Start an Airflow of its own in a copy of the checkout; stop it at the end.

    Args:
        checkout: the copy.
        variables: of its environment, besides or in place of the usual ones.
    """
    home = Home(root=checkout, state=checkout / ".local")
    server = postgres.start(home.state)
    make_template(server)
    environ = environment(home, server, source="unused")
    for name in ("GREENERY_WAREHOUSE", "GREENERY_SOURCE", "GREENERY_SLACK"):
        # these come from Airflow's own database here, so that each test can have its own
        environ.pop(f"AIRFLOW_CONN_{name}", None)
    environ |= services.FOR_ONE_RUN | variables
    try:
        services.migrate_metadata(environ, home)
        services.start(home, environ, source="unused")
        installation = Installation(checkout, home, server)
        installation.api.wait_for_dag()
        yield installation
    finally:
        services.stop(home)
        postgres.remove(home.state)
        home.remove()
