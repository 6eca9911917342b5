"""What many runs in a row leave behind: ``python -m benchmarks.many_runs --runs 100``.

An Airflow as `make up` starts it, with a state of its own and demo data, lives through all of them.
Each is triggered when the one before has ended; most find nothing new, every tenth a small file.
At the end the housekeeping forgets all but the last minutes, twice, with some runs in between.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import os
import tempfile
import time
import uuid
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import psutil
from psycopg2 import sql

from benchmarks.daily_run import pss
from devtools.local import daily, postgres, postmaster, services
from devtools.local.api import AirflowApi
from devtools.local.databases import METADATA, WAREHOUSE
from devtools.local.ended_processes import watch
from devtools.local.postgres import Server
from devtools.local.processes import exit_when_told
from devtools.local.source import choose_source
from devtools.local.state_folder import Home, environment
from elt.docker import housekeeping
from elt.warehouse.rows import all_values, one_row

NOTED = (1, 5, 10, 25, 50, 75, 100)
WARM = 10
# the housekeeping has days; a DAG that was not read since would be forgotten, too
HORIZON = timedelta(minutes=2)
# `make up` looks once a second for what can go on: a hundred runs would take the longer for it
PACE = {"AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3"}


def families(home: Home, server: Server) -> dict[str, list[psutil.Process]]:
    """Return the processes of each component of Airflow, and of Postgres."""
    parents = services.running(home)
    if database := postmaster.running(Path(server.home, "data")):
        parents["postgres"] = database
    return {name: [one, *one.children(recursive=True)] for name, one in parents.items()}


def cpu(home: Home, server: Server) -> float:
    """Return the CPU seconds of all these so far, with those of their children that have ended."""
    found = 0.0
    for process in (one for family in families(home, server).values() for one in family):
        with contextlib.suppress(psutil.Error):
            found += sum(process.cpu_times()[:4])
    return found


def files(home: Home, server: Server) -> dict[str, float]:
    """Return number and MB of the files below the state folder, but for Postgres' own."""
    found: dict[str, float] = {}
    for name in ("airflow/logs", "report", "tmp", ""):
        below = [path for path in (home.state / name).rglob("*") if path.is_file()]
        sizes = [one.stat().st_size for one in below if not one.is_relative_to(server.home)]
        found[f"files {name or 'in all'}"] = len(sizes)
        found[f"files {name or 'in all'}, MB"] = sum(sizes) / 2**20
    return found


def tables(server: Server, database: str, schema: str) -> dict[str, float]:
    """Return rows and MB of each table of a schema, and of all."""
    found: dict[str, float] = {}
    count = sql.SQL("select count(*), pg_total_relation_size({}) / 1048576.0 from {}")
    connection = server.connect("postgres", database)
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute("select tablename from pg_tables where schemaname = %s", (schema,))
        for table in sorted(all_values(cursor, str)):
            name = sql.Identifier(schema, table)
            cursor.execute(count.format(sql.Literal(name.as_string(cursor)), name))
            rows, size = map(float, one_row(cursor))
            found |= {f"{schema}.{table}": rows, f"{schema}.{table}, MB": size}
    sizes = [value for name, value in found.items() if name.endswith(", MB")]
    rows_in_all = sum(found.values()) - sum(sizes)
    return {f"{schema} in all": rows_in_all, f"{schema} in all, MB": sum(sizes), **found}


def note(home: Home, server: Server) -> dict[str, float]:
    """Return all that could grow, between two runs."""
    found = {}
    for name, family in families(home, server).items():
        found[f"{name}, PSS MB"] = sum(map(pss, family)) / 2**20
    for database, schema in ((WAREHOUSE, "ops"), (METADATA, "public")):
        found |= tables(server, database, schema)
    return found | files(home, server)


def deliver(landing: Path, number: int) -> None:
    """Write a file of 50 page views that nobody has seen, like those of the last day."""
    last_day = max((landing / "events").glob("????-??-??.csv"))
    with open(last_day, newline="") as views:
        rows = [row for row in csv.DictReader(views) if row["event_type"] == "page_view"]
    with open(last_day.with_name(f"{last_day.stem}-{number}.csv"), "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows({**row, "event_id": uuid.uuid4()} for row in rows[:50])


def one_run(api: AirflowApi, home: Home, server: Server) -> dict[str, float]:
    """Have a run, to its end, and return what it took."""
    before, begun = cpu(home, server), time.monotonic()
    run_id = api.trigger()
    failed = [task["task_id"] for task in api.follow(run_id, 0.3) if task["state"] == "failed"]
    if api.state(run_id) != "success":
        raise SystemExit(f"{run_id} failed at {', '.join(failed)}: see {home.logs}")
    took = {"wall s": time.monotonic() - begun, "CPU s": cpu(home, server) - before}
    print(f"{run_id}: {took['wall s']:.1f} s, {took['CPU s']:.1f} CPU s", flush=True)
    return took


def report(noted: dict[str, dict[str, float]]) -> None:
    """Print what was noted, of Airflow's tables the five that grew most, and what a run adds."""
    numbers = [int(name) for name in noted if name.isdigit()]
    first = min(numbers[:-1] or numbers, key=lambda number: abs(number - WARM))
    last = max(numbers)
    before, runs = noted[str(first)], max(last - first, 1)
    grown = {name: (now - before.get(name, 0)) / runs for name, now in noted[str(last)].items()}
    tables = [name.removesuffix(", MB") for name in grown if "." in name and name[-4:] == ", MB"]
    by_size = sorted(tables, key=lambda table: grown[f"{table}, MB"])
    shown = [table for table in by_size if table.startswith("public.")][-5:]
    shown += [one for one in tables if one.startswith("ops.") and grown[one] + grown[f"{one}, MB"]]
    print(f"\n| | {' | '.join(noted)} | by a run |\n|---|{'---|' * (len(noted) + 1)}")
    for name, by_run in grown.items():
        if (table := name.removesuffix(", MB")) not in tables or table in shown:
            values = " | ".join(f"{figures.get(name, 0):,.5g}" for figures in noted.values())
            print(f"| {name} | {values} | {by_run:+,.3g} |")


def measure(home: Home, options: argparse.Namespace) -> None:
    """Start Airflow, have the runs and print what they leave, as far as it comes."""
    server = postgres.start(home.state)
    source = choose_source(home, server, None)
    daily.start(home, server, source)
    api = AirflowApi(home.url, watch=partial(watch, home))
    api.wait_for_dag()
    # the schedule begins one by itself, for which everything is new
    for scheduled in api.unfinished_runs():
        all(api.follow(scheduled))
    noted: dict[str, dict[str, float]] = {}
    deadline = time.monotonic() + options.minutes * 60
    number = 0
    try:
        while number < options.runs and time.monotonic() < deadline:
            number += 1
            if number % options.every == 0:
                deliver(home.demo_landing, number)
            took = one_run(api, home, server)
            if number in NOTED:
                noted[str(number)] = took | note(home, server)
        noted.setdefault(str(number), took | note(home, server))
        os.environ |= environment(home, server, source)
        housekeeping.forget(datetime.now(UTC) - HORIZON, home.logs)
        noted["housekeeping"] = took | note(home, server)
        for _ in range(options.after):
            took = one_run(api, home, server)
        housekeeping.forget(datetime.now(UTC) - HORIZON, home.logs)
        noted[f"{options.after} more, and again"] = took | note(home, server)
    finally:
        if noted:
            report(noted)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=600, help="begin none after them")
    parser.add_argument("--every", type=int, default=10, help="which of them find something new")
    parser.add_argument("--after", type=int, default=10, help="runs between two housekeepings")
    parser.add_argument("--state", type=Path, help="a folder that stays, for a look afterwards")
    options = parser.parse_args()
    exit_when_told()
    os.environ |= PACE
    with tempfile.TemporaryDirectory() as folder:
        home = Home(state=(options.state or Path(folder)).absolute())
        try:
            measure(home, options)
        finally:
            services.stop(home)
            postgres.stop(home.state) if options.state else postgres.remove(home.state)


if __name__ == "__main__":
    main()
