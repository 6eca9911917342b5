"""Warehouses with a history of so many events, made by the demo's generator."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from unittest import mock

from benchmarks.marts.run import Run
from include.demo.files import TABLES, drop_file
from include.demo.generate import write_landing
from include.demo.settings import DemoSettings, default_settings
from include.extract.task import load_table
from include.local import postgres
from include.local.home import warehouse_connection
from include.warehouse.migrate import migrate

LAST_DAY = date(2026, 1, 1)
EVENTS_PER_SESSION = 6.5
# as in the real shop: 578 sessions of 124 people
SESSIONS_PER_USER = 4.6
# of the accounts there are on the first day, so many open each day (include/demo/sql)
SIGNUPS_PER_DAY = 0.015
SNAPSHOTS = ("addresses", "users", "products", "promos")


def shop_of(events: int, day_events: int) -> DemoSettings:
    """Return a shop with a history of so many events, and one more day; people come back seldom."""
    sessions, days = max(1, round(day_events / EVENTS_PER_SESSION)), round(events / day_events) + 1
    users = sessions * days / SESSIONS_PER_USER / (1 + SIGNUPS_PER_DAY * days)
    return default_settings(LAST_DAY, days, users=max(5, round(users)), sessions_per_day=sessions)


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


def load(
    server: postgres.Server,
    landing: Path,
    shop: DemoSettings,
    days: Sequence[date],
    *,
    keeps_prices: bool = False,
) -> None:
    """Make the drops of days and load them; of snapshots only the last one, to save time.

    Args:
        keeps_prices: products cost what they cost in the drop before.
    """
    for table in SNAPSHOTS:
        for day in days[:-1]:
            # a file that is there is not made
            file = drop_file(landing, table, day, compress=False)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
    with contextlib.closing(server.connect("analyst")) as connection:
        write_landing(connection, landing, shop, days)
    for table in TABLES:
        if table in SNAPSHOTS:
            *older, newest = sorted((landing / table).iterdir())
            if table == "products" and keeps_prices:
                _set_prices(newest, _prices(older[-1]))
            for file in older:
                file.unlink()
        load_table(table, run_id="load", confirm_shrunk=[table])
    _vacuum(server)


def change_price(server: postgres.Server, landing: Path) -> None:
    """Load the products once more, the first of them a dollar dearer."""
    newest = max((landing / "products").iterdir())
    (product, price), *_ = _prices(newest).items()
    _set_prices(newest, {product: str(Decimal(price) + 1)})
    load_table("products", run_id="load")
    _vacuum(server)


def _prices(file: Path) -> dict[str, str]:
    with file.open(newline="") as lines:
        return {row["product_id"]: row["price"] for row in csv.DictReader(lines)}


def _set_prices(file: Path, prices: Mapping[str, str]) -> None:
    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    with file.open("w", newline="") as lines:
        writer = csv.DictWriter(lines, rows[0])
        writer.writeheader()
        for row in rows:
            writer.writerow(row | {"price": prices.get(row["product_id"], row["price"])})


def _vacuum(server: postgres.Server) -> None:
    """Do what autovacuum and the checkpointer would have done by the next day."""
    with contextlib.closing(server.connect("postgres")) as connection:
        connection.autocommit = True
        connection.cursor().execute("vacuum (analyze)")
        connection.cursor().execute("checkpoint")


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
