"""A shop's history of so many events and its next days, made by the demo's generator and loaded."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from benchmarks.marts.footprint import ask
from devtools.demo.files import TABLES, drop_file
from devtools.demo.generate import write_landing
from devtools.demo.settings import DemoSettings, days_until, default_settings, read_note
from devtools.local import postgres
from elt.airflow.load_tasks import load_table

LAST_DAY_OF_HISTORY = date(2026, 1, 1)
EVENTS_PER_SESSION = 6.5
# as in the real shop: 578 sessions of 124 people
SESSIONS_PER_USER = 4.6
# of the accounts there are on the first day, so many open each day (include/devtools/demo/sql)
SIGNUPS_PER_DAY = 0.015
SNAPSHOTS = ("addresses", "users", "products", "promos")


def shop_of(events: int, day_events: int) -> DemoSettings:
    """Return a shop that has had so many events on the last day of its history."""
    sessions, days = max(1, round(day_events / EVENTS_PER_SESSION)), round(events / day_events)
    users = sessions * days / SESSIONS_PER_USER / (1 + SIGNUPS_PER_DAY * days)
    people = max(5, round(users))
    return default_settings(LAST_DAY_OF_HISTORY, days, users=people, sessions_per_day=sessions)


def load_history(server: postgres.Server, landing: Path, shop: DemoSettings) -> None:
    """Load all days of the history; it takes a minute or two for each million events."""
    _load(server, landing, shop, days_until(shop, LAST_DAY_OF_HISTORY))


def load_next_day(server: postgres.Server, landing: Path, *, keeps_prices: bool = False) -> None:
    """Load the day after the last one that is there.

    Args:
        keeps_prices: products cost what they cost in the drop before.
    """
    note = read_note(landing)
    if note is None:
        raise FileNotFoundError(f"no history was made in {landing}")
    last = max(date.fromisoformat(file.stem) for file in (landing / "events").iterdir())
    _load(server, landing, note.settings, [last + timedelta(days=1)], keeps_prices=keeps_prices)


def _load(
    server: postgres.Server,
    landing: Path,
    shop: DemoSettings,
    days: Sequence[date],
    *,
    keeps_prices: bool = False,
) -> None:
    """Make the drops of days and load them; of snapshots only the last one, to save time."""
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
    vacuum(server)


def change_price(server: postgres.Server, landing: Path) -> None:
    """Load the products once more, the first of them a dollar dearer."""
    newest = max((landing / "products").iterdir())
    (product, price), *_ = _prices(newest).items()
    _set_prices(newest, {product: str(Decimal(price) + 1)})
    load_table("products", run_id="load")
    vacuum(server)


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


# When autovacuum comes to a table, by its defaults. Of what was inserted it counts the share that
# no earlier vacuum has frozen (PostgreSQL 18).
_IS_DUE = {
    "vacuum": "n_dead_tup > 50 + 0.2 * reltuples or n_ins_since_vacuum"
    " > 1000 + 0.2 * reltuples * (1 - coalesce(relallfrozen / nullif(relpages, 0)::float, 0))",
    "analyze": "n_mod_since_analyze > 50 + 0.1 * reltuples",
}


def vacuum(server: postgres.Server) -> None:
    """Do what autovacuum and the checkpointer would have done by the next day."""
    for command, is_due in _IS_DUE.items():
        tables = ask(
            server,
            "select format('%I.%I', schemaname, pg_class.relname) from pg_stat_user_tables"
            f" inner join pg_class on pg_class.oid = relid where {is_due}",
        )
        for (table,) in tables:
            ask(server, f"{command} {table}")
    ask(server, "checkpoint")
