"""What a day's marts cost after a short and a long history: ``make bench-marts``.

For each history, made by the demo's generator, a warehouse of its own: history and its marts, then
one more day is loaded, built by its changes and tested where it is new, then everything is built
and tested whole. Prints CPU seconds of dbt and Postgres as a Markdown table, with the disk and the
memory that they take. The parse of the project and the loads do not count. ``--publications`` makes
so many days one after the other instead, and prints what is dead in the tables at the end.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from unittest import mock

import psutil
from dbt.cli.main import dbtRunner

from include.demo.files import TABLES
from include.demo.generate import write_landing
from include.demo.settings import DemoSettings, days_until, default_settings
from include.extract.task import load_table
from include.local import postgres
from include.local.home import warehouse_connection
from include.publish.publish import publish
from include.transform.dbt_config import manifest_path, open_profile
from include.transform.lineage import Lineage
from include.transform.manifest import PROJECT
from include.warehouse import lease
from include.warehouse.connection import transaction
from include.warehouse.migrate import migrate

LAST_DAY = date(2026, 1, 1)
EVENTS_PER_SESSION = 6.5
# as in the real shop: 578 sessions of 124 people
SESSIONS_PER_USER = 4.6
# of the accounts there are on the first day, so many open each day (include/demo/sql)
SIGNUPS_PER_DAY = 0.015
SNAPSHOTS = ("addresses", "users", "products", "promos")
STEPS = ("transform", "tests", "publish")
# `dbt run` would leave out the snapshots
BUILD = ("build", "--resource-type", "model", "--resource-type", "snapshot")


# what is loaded; what is built, tested and shown; what is kept to undo and to tell
PARTS = {
    "raw": "raw",
    "built": "staging intermediate marts_build snapshots untested",
    "shown": "marts",
    "kept": "ops previous",
}
MEGABYTE = 1_000_000


@dataclass
class Measured:
    """What one history cost: CPU seconds of each step by build, bytes of each part, peak memory."""

    events: int = 0
    builds: dict[str, list[float]] = field(default_factory=dict)
    disk: dict[str, int] = field(default_factory=dict)
    memory: dict[str, int] = field(default_factory=dict)


class OwnMemory(threading.Thread):
    """Watches what this process and the backends of a server have to themselves, in bytes."""

    def __init__(self, postmaster: psutil.Process) -> None:
        super().__init__(daemon=True)
        self.processes, self.peak, self.is_over = (psutil.Process(), postmaster), 0, False

    def run(self) -> None:
        pause = threading.Event()
        while not self.is_over:
            ours = [self.processes[0], *self.processes[1].children()]
            self.peak = max(self.peak, sum(map(self._own, ours)))
            pause.wait(0.1)

    @staticmethod
    def _own(process: psutil.Process) -> int:
        try:
            used = process.memory_info()
        except psutil.Error:
            return 0
        return used.rss - used.shared

    def __enter__(self) -> OwnMemory:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.is_over = True
        self.join()


class Run:
    """Daily runs without Airflow: dbt in this process, for the warehouse of a server."""

    def __init__(self, server: postgres.Server, folder: Path) -> None:
        self.server, self.folder, self.number = server, folder, 0
        self.results: list[Any] = []
        self.postmaster = psutil.Process(
            int(Path(server.home, "data/postmaster.pid").read_text().split()[0])
        )
        self.lineage = Lineage.read(manifest_path())
        self.manifest = self.dbt("parse")

    def dbt(self, *command: str) -> Any:
        """Run a dbt command as the daily run does and return its results."""
        with open_profile() as (profiles, environment), mock.patch.dict(os.environ, environment):
            done = dbtRunner(manifest=getattr(self, "manifest", None)).invoke(
                [
                    *("--quiet", *command, "--project-dir", str(PROJECT), "--target", "prod"),
                    *("--profiles-dir", str(profiles.parent), "--target-path", str(self.folder)),
                    *("--log-path", str(self.folder)),
                ]
            )
        if not done.success:
            raise SystemExit(f"dbt {' '.join(command)} failed: {done.exception or 'see above'}")
        return done.result

    def cpu(self) -> float:
        """Return the CPU seconds of this process and of Postgres so far."""
        # the ended backends are in the postmaster's own account
        used = [os.times()[:2], self.postmaster.cpu_times()[:4]]
        for backend in self.postmaster.children():
            with contextlib.suppress(psutil.NoSuchProcess):
                used.append(backend.cpu_times()[:2])
        return sum(map(sum, used))

    def __call__(self, *arguments: str, is_tested: bool = True) -> list[float]:
        """Build, test and publish; return the CPU seconds of each.

        Without tests, all count as passed: to come quickly to where a history is published.
        """
        self.number += 1
        run_id = f"run {self.number}"
        with transaction("loader") as cursor:
            lease.take(cursor, run_id)
            lease.freeze_horizon(cursor, run_id)
        self.results = []
        steps: Sequence[Callable[[], Any]] = (
            lambda: self.results.extend(self.dbt(*BUILD, *arguments)),
            lambda: self.results.extend(self._test()) if is_tested else None,
            lambda: publish(run_id, self.lineage),
        )
        seconds = []
        for step, act in zip(STEPS, steps, strict=True):
            if step == "publish":
                self._note(run_id)
            before = self.cpu()
            act()
            seconds.append(self.cpu() - before)
        with transaction("loader") as cursor:
            lease.release(cursor, run_id)
        return seconds

    def _test(self) -> Any:
        return self.dbt("test", "--exclude-resource-type", "unit_test")

    def dearest(self, count: int) -> None:
        """Print which models and tests of the last run took longest, in seconds of the clock."""
        slowest = sorted(self.results, key=lambda result: -result.execution_time)
        for result in slowest[:count]:
            print(f"  {result.execution_time:6.2f} s  {result.node.name}")

    def _note(self, run_id: str) -> None:
        statuses = dict.fromkeys(self.lineage.of_type("model", "test"), "pass")
        statuses |= {result.node.unique_id: str(result.status) for result in self.results}
        with transaction("loader") as cursor:
            for unique_id, status in statuses.items():
                cursor.execute(
                    "insert into ops.node_result"
                    " (run_id, task_id, try_number, unique_id, kind, status)"
                    " values (%s, 'benchmark', 1, %s, 'test', %s)",
                    (run_id, unique_id, status),
                )


@contextlib.contextmanager
def warehouse(folder: Path) -> Iterator[postgres.Server]:
    """Yield a server of its own, as the warehouse of this process; nothing of it stays."""
    server = postgres.start(folder)
    landing = json.dumps({"conn_type": "fs", "extra": {"path": str(folder / "landing")}})
    settings = {
        "AIRFLOW_CONN_GREENERY_WAREHOUSE": warehouse_connection(server),
        "AIRFLOW_CONN_GREENERY_SOURCE": landing,
        "GREENERY_SETTLE_SECONDS": "0",
        "GREENERY_DBT_TARGET": str(folder / "dbt"),
    }
    try:
        with mock.patch.dict(os.environ, settings):
            migrate()
            yield server
    finally:
        postgres.remove(folder)


def load(server: postgres.Server, landing: Path, shop: DemoSettings, days: Sequence[date]) -> None:
    """Make the drops of days and load them; of snapshots only the last one, to save time."""
    with contextlib.closing(server.connect("analyst")) as connection:
        write_landing(connection, landing, shop, days)
    for table in TABLES:
        if table in SNAPSHOTS:
            for file in sorted((landing / table).iterdir())[:-1]:
                file.unlink()
        load_table(table, run_id="load", confirm_shrunk=[table])
    # as autovacuum would have done by the next day
    with contextlib.closing(server.connect("postgres")) as connection:
        connection.autocommit = True
        connection.cursor().execute("vacuum (analyze)")


def shop_of(events: int, day_events: int) -> DemoSettings:
    """Return a shop with a history of so many events, and one more day; people come back seldom."""
    sessions, days = max(1, round(day_events / EVENTS_PER_SESSION)), round(events / day_events) + 1
    users = sessions * days / SESSIONS_PER_USER / (1 + SIGNUPS_PER_DAY * days)
    return default_settings(LAST_DAY, days, users=max(5, round(users)), sessions_per_day=sessions)


def ask(server: postgres.Server, statement: str) -> Any:
    with contextlib.closing(server.connect("postgres")) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else None


def disk(server: postgres.Server) -> dict[str, int]:
    """Return the bytes of each part of the warehouse, with indexes."""
    sizes = dict(
        ask(
            server,
            "select nspname, sum(pg_total_relation_size(pg_class.oid))::bigint from pg_class"
            " inner join pg_namespace on pg_namespace.oid = relnamespace"
            " where relkind = 'r' group by 1",
        )
    )
    return {
        part: sum(sizes.get(schema, 0) for schema in schemas.split())
        for part, schemas in PARTS.items()
    }


@contextlib.contextmanager
def published(shop: DemoSettings, history: Sequence[date]) -> Iterator[tuple[Run, Path]]:
    """Yield runs of a warehouse in which a history is published, and its landing folder."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        with warehouse(Path(folder)) as server:
            landing = Path(folder, "landing")
            load(server, landing, shop, history)
            run = Run(server, Path(folder, "target"))
            run(is_tested=False)
            yield run, landing


def measure(events: int, day_events: int, dearest: int = 0, is_refreshed: bool = True) -> Measured:
    """Return what a day costs after a history, and a full refresh of both."""
    shop = shop_of(events, day_events)
    *history, last = days_until(shop, LAST_DAY)
    measured = Measured()
    with published(shop, history) as (run, landing):
        load(run.server, landing, shop, [last])
        with OwnMemory(run.postmaster) as memory:
            measured.builds["one more day"] = run()
        measured.memory["one more day"] = memory.peak
        run.dearest(dearest)
        measured.disk = disk(run.server)
        if is_refreshed:
            with (
                OwnMemory(run.postmaster) as memory,
                mock.patch.dict(os.environ, {"GREENERY_TEST_EVERYTHING": "1"}),
            ):
                measured.builds["full refresh"] = run("--full-refresh")
            measured.memory["full refresh"] = memory.peak
        ((measured.events,),) = ask(run.server, "select count(*) from raw.events")
    return measured


def follow(events: int, day_events: int, count: int) -> None:
    """Print what the parts take after many publications, and what a `vacuum full` leaves."""
    shop = shop_of(events + day_events * (count - 1), day_events)
    days = days_until(shop, LAST_DAY)
    with published(shop, days[:-count]) as (run, landing):
        print(f"| after | {' | '.join(PARTS)} |\n|---|{'---|' * len(PARTS)}", flush=True)
        show_disk("the history", run.server)
        for number, day in enumerate(days[-count:], 1):
            load(run.server, landing, shop, [day])
            run(is_tested=False)
            if number % max(1, count // 4) == 0 or number == count:
                show_disk(f"{number} publications", run.server)
        ask(run.server, "vacuum full")
        show_disk("`vacuum full`", run.server)


def show_disk(when: str, server: postgres.Server) -> None:
    sizes = " | ".join(f"{size / MEGABYTE:,.1f} MB" for size in disk(server).values())
    print(f"| {when} | {sizes} |", flush=True)


def show(measured: Measured) -> None:
    for name, seconds in measured.builds.items():
        figures = " | ".join(f"{figure:.1f} s" for figure in [*seconds, sum(seconds)])
        memory = f"{measured.memory[name] / MEGABYTE:,.0f} MB"
        print(f"| {measured.events:,} | {name} | {figures} | {memory} |", flush=True)
    if len(measured.builds) > 1:
        day, whole = map(sum, measured.builds.values())
        print(f"| | full refresh / day | | | | {whole / day:.1f} | |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("events", nargs="*", type=int, default=[1_000_000, 5_000_000], help="of each history")
    add("--day", type=int, default=50_000, help="events of the one more day (default: %(default)s)")
    add("--dearest", type=int, default=0, help="name so many of the day's dearest models and tests")
    add("--only-day", action="store_true", help="leave out the full refresh")
    add("--publications", type=int, metavar="N", help="make N days one after the other instead")
    options = parser.parse_args()
    if options.publications:
        for events in options.events:
            follow(events, options.day, options.publications)
        return
    print("| events, the day's among them | build | transform | tests | publish | all | memory |")
    print("|---|---|---|---|---|---|---|")
    found = []
    for events in options.events:
        found.append(measure(events, options.day, options.dearest, not options.only_day))
        show(found[-1])
    print(f"\n| events | {' | '.join(f'{part}, MB' for part in PARTS)} |")
    print(f"|---|{'---|' * len(PARTS)}")
    for measured in found:
        sizes = " | ".join(f"{size / MEGABYTE:,.0f}" for size in measured.disk.values())
        print(f"| {measured.events:,} | {sizes} |")


if __name__ == "__main__":
    main()
