"""What a day, a changed price and a full refresh cost in a warehouse that is kept in a folder."""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.marts.footprint import OwnMemory, ask
from benchmarks.marts.run import Run
from benchmarks.marts.shop import change_price, load_history, load_next_day, shop_of, vacuum
from devtools.local import postgres
from devtools.local.state_folder import warehouse_connection
from elt.transform.project import environment_with
from elt.warehouse.migrate import migrate


@dataclass(frozen=True)
class Measured:
    """What a build cost: CPU seconds of each step, and the most memory in bytes.

    ``afterwards`` are the CPU seconds of the vacuums and the checkpoint that it leaves to do. When
    autovacuum comes is chance, so it is off and comes between the builds.
    """

    seconds: list[float]
    memory: int
    afterwards: float


@contextlib.contextmanager
def warehouse(folder: Path, *, autovacuum: str = "off") -> Iterator[tuple[postgres.Server, Path]]:
    """Yield the server of a folder as the warehouse of this process, and the landing folder.

    The server goes on afterwards, until `stop` or `remove`.
    """
    logging.disable(logging.INFO)
    server, landing = postgres.start(folder), folder / "landing"
    ask(server, f"alter system set autovacuum = {autovacuum}")
    ask(server, "select pg_reload_conf()")
    settings = {
        "AIRFLOW_CONN_GREENERY_WAREHOUSE": warehouse_connection(server),
        "AIRFLOW_CONN_GREENERY_SOURCE": json.dumps(
            {"conn_type": "fs", "extra": {"path": str(landing)}}
        ),
        "GREENERY_SETTLE_SECONDS": "0",
        "GREENERY_DBT_TARGET": str(folder / "dbt"),
    }
    with environment_with(settings):
        migrate()
        yield server, landing


def make_history(folder: Path, events: int, day_events: int) -> None:
    """Load and publish a history, unless one is published in the folder already."""
    with warehouse(folder) as (server, landing):
        ((publications,),) = ask(server, "select count(*) from ops.publication")
        if not publications:
            load_history(server, landing, shop_of(events, day_events))
            Run(server, folder)(is_tested=False)


def one_more_day(folder: Path, dearest: int = 0) -> Measured:
    """Load the next day and measure its run.

    No price changes: of a product whose price does all orders are made anew, however old.

    Args:
        dearest: how many of the dearest models and tests to print.
    """
    with warehouse(folder) as (server, landing):
        load_next_day(server, landing, keeps_prices=True)
        run = Run(server, folder)
        measured = _measure(server, run)
        run.dearest(dearest)
        return measured


def one_price_changed(folder: Path) -> Measured:
    with warehouse(folder) as (server, landing):
        change_price(server, landing)
        return _measure(server, Run(server, folder))


def full_refresh(folder: Path) -> Measured:
    everything = environment_with({"GREENERY_TEST_EVERYTHING": "1"})
    with warehouse(folder) as (server, _), everything:
        return _measure(server, Run(server, folder), "--full-refresh")


def _measure(server: postgres.Server, run: Run, *arguments: str) -> Measured:
    with OwnMemory(run.postmaster) as memory:
        seconds = run(*arguments)
    before = run.cpu()
    vacuum(server)
    return Measured(seconds, memory.peak, run.cpu() - before)


def remove(folder: Path) -> None:
    """Stop the server of the folder and delete all of it."""
    postgres.remove(folder)
    shutil.rmtree(folder, ignore_errors=True)
