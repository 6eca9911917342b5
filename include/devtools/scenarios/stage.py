"""Where scenarios are played: a demo shop with its own warehouse, Airflow and Slack."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from psycopg2 import sql

from devtools.demo.generate import mend, plant_fault, write_landing
from devtools.demo.settings import days_until, default_settings, read_note
from devtools.local import fake_slack as local_slack
from devtools.local import postgres
from devtools.local.api import AirflowApi
from devtools.local.databases import METADATA, WAREHOUSE
from devtools.local.postgres import Server
from devtools.local.run import airflow
from devtools.local.state_folder import Home
from elt.docker.environment import local_connection
from elt.errors import EltError
from elt.warehouse.rows import one_value

# a day is judged by four of its weekday before it, and the first day of a shop is none of them
DAYS = 30
SQL = Path(__file__).parent / "sql"
# a history of loads knows of no change by hand; without it, it begins anew
FORGET_HISTORY = "drop table if exists snapshots.orders_history;"
# where rows of raw are kept while a scenario has others there
KEPT, CHANGED = "scenario", ("events", "orders", "order_items")
# no change is noted of rows that were changed by hand
BUILD_WHOLE = {"full_refresh": ["all"]}


class ScenarioError(EltError):
    """A scenario did not go as it should; the message says what was seen instead."""


@dataclass
class Stage:
    """A running installation that may be broken at will."""

    home: Home
    server: Server
    api: AirflowApi
    # address of the fake Slack
    slack: str

    def run(self, conf: dict[str, Any] | None = None) -> str:
        """Run the DAG once, to its end, and return its state."""
        run_id = self.api.trigger(conf)
        for _ in self.api.follow(run_id):
            pass
        return self.api.state(run_id)

    def run_well(self, conf: dict[str, Any] | None = None) -> None:
        """Run the DAG once more.

        Raises:
            ScenarioError: if it fails.
        """
        if self.run(conf) != "success":
            raise ScenarioError("A run of the mended shop failed. Its log says why.")

    def run_in_vain(self) -> None:
        """Run the DAG once on what is broken.

        Raises:
            ScenarioError: if it succeeds.
        """
        if self.run() != "failed":
            raise ScenarioError("The run succeeded, although something was broken on purpose.")

    def remind(self) -> None:
        """Run the DAG that tells what was not told; by itself it comes every five minutes."""
        alerts = AirflowApi(self.home.url, "greenery_alerts")
        for _ in alerts.follow(alerts.trigger()):
            pass

    def break_drop(self, kind: str) -> None:
        """Plant a fault of the demo shop in its last drop."""
        note = read_note(self.home.demo_landing)
        yesterday = datetime.now(UTC).date() - timedelta(days=1)
        with contextlib.closing(self.server.connect("analyst")) as connection:
            plant_fault(connection, self.home.demo_landing, note.settings, yesterday, kind)

    def mend_drop(self) -> None:
        """Write the last drop as it should be; nothing if it is so."""
        note = read_note(self.home.demo_landing)
        with contextlib.closing(self.server.connect("analyst")) as connection:
            mend(connection, self.home.demo_landing, note.settings)

    def change_last_day(self, name: str) -> None:
        """Have what came of the last day be something else, as a file in ``sql`` says.

        What has come can't come again otherwise, so it is changed where it lies; `give_back_rows`
        has the rows as they were.
        """
        yesterday = datetime.now(UTC).date() - timedelta(days=1)
        self.give_back_rows()
        keep = "".join(f"create table {KEPT}.{t} as table raw.{t};" for t in CHANGED)
        statement = (SQL / f"{name}.sql").read_text()
        self.in_warehouse(
            f"create schema {KEPT}; {keep} {FORGET_HISTORY} {statement}", {"day": yesterday}
        )

    def give_back_rows(self) -> bool:
        """Put back what `change_last_day` has changed; return whether there was anything."""
        if not self.ask(f"select to_regnamespace('{KEPT}') is not null"):
            return False
        back = "".join(
            f"truncate raw.{t}; insert into raw.{t} select * from {KEPT}.{t};" for t in CHANGED
        )
        self.in_warehouse(f"{back} {FORGET_HISTORY} drop schema {KEPT} cascade")
        return True

    def ask(self, query: str) -> Any:
        """Return the one value of a query in the warehouse."""
        with contextlib.closing(self.server.connect("postgres")) as connection:
            with connection.cursor() as cursor:
                cursor.execute(query)
                return one_value(cursor)

    def let_in(self, allowed: bool) -> None:
        """Have the warehouse take connections or not; Airflow's own database goes on."""
        database = sql.Identifier(WAREHOUSE)
        flag = sql.Literal(allowed)
        with contextlib.closing(self.server.connect("postgres", "postgres")) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                alter = sql.SQL("alter database {} allow_connections {}")
                cursor.execute(alter.format(database, flag))
                if not allowed:
                    cursor.execute(
                        "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s",
                        (WAREHOUSE,),
                    )

    def in_warehouse(self, statement: str, values: dict[str, Any] | None = None) -> None:
        """Change by hand what the run remembers."""
        with contextlib.closing(self.server.connect("postgres")) as connection, connection:
            with connection.cursor() as cursor:
                cursor.execute(statement, values)

    def in_airflow(self, statement: str) -> None:
        """Change by hand what Airflow remembers."""
        with contextlib.closing(self.server.connect("postgres", METADATA)) as connection:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement)

    @contextlib.contextmanager
    def holding(self, table: str) -> Iterator[None]:
        """Have everybody else who wants a table wait."""
        with contextlib.closing(self.server.connect("postgres")) as connection:
            with connection, connection.cursor() as cursor:
                cursor.execute(f"lock table {table} in access exclusive mode")
                yield

    def is_at_work(self, run_id: str, task_id: str) -> bool:
        states = {task["task_id"]: task["state"] for task in self.api.tasks(run_id)}
        return states.get(task_id) == "running"

    def forget_warnings(self) -> None:
        """Have today's digest of warnings be one that was never sent."""
        self.in_warehouse("delete from ops.notification where kind = 'warnings'")
        httpx.delete(f"http://{self.slack}/messages", trust_env=False).raise_for_status()

    def behave(self, mode: str, seconds: float = 0) -> None:
        """Have Slack behave so, see its page."""
        answer = httpx.post(
            f"http://{self.slack}/behave", json={"mode": mode, "seconds": seconds}, trust_env=False
        )
        answer.raise_for_status()

    def messages(self) -> list[dict[str, Any]]:
        """Return what Slack shows, replies included, the oldest first."""
        return httpx.get(f"http://{self.slack}/messages", trust_env=False).json()

    def has_published(self) -> bool:
        return self.ask("select to_regclass('marts.data_status') is not null") and self.ask(
            "select count(*) > 0 and bool_and(last_run_outcome = 'published') "
            "from marts.data_status"
        )

    def make_ready(self) -> None:
        """Undo what a scenario that was interrupted left broken, and publish if nothing is."""
        self.let_in(True)
        self.behave("fine")
        self.mend_drop()
        for run_id in self.api.unfinished_runs():
            self.api.fail(run_id)
        if self.give_back_rows():
            self.run_well(BUILD_WHOLE)
        elif not self.has_published():
            self.run_well()


@contextlib.contextmanager
def opened(home: Home, days: int = DAYS) -> Iterator[Stage]:
    """Yield a stage with a demo shop that has published; its Slack goes on at the end.

    Args:
        days: that a new shop has been there.
    """
    server = postgres.start(home.state)
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    note = read_note(home.demo_landing)
    settings = note.settings if note else default_settings(yesterday, days)
    with contextlib.closing(server.connect("analyst")) as connection:
        write_landing(connection, home.demo_landing, settings, days_until(settings, yesterday))
    slack = local_slack.start(home)
    told = {local_slack.VARIABLE: local_connection(slack)}
    with airflow(home, server, str(home.demo_landing), told) as api:
        stage = Stage(home, server, api, slack)
        stage.make_ready()
        yield stage


def wait_until(is_so: Any, seconds: float = 60, pause: float = 0.2) -> bool:
    """Return whether something became true within so many seconds."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True
