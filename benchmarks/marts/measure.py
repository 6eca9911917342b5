"""What a day and a full refresh cost after a history of so many events."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field
from unittest import mock

from benchmarks.marts.footprint import OwnMemory, ask, disk
from benchmarks.marts.shop import LAST_DAY, change_price, load, published, shop_of
from include.demo.settings import days_until


@dataclass
class Measured:
    """What one history cost: CPU seconds of each step by build, bytes of each part, peak memory."""

    events: int = 0
    builds: dict[str, list[float]] = field(default_factory=dict)
    disk: dict[str, int] = field(default_factory=dict)
    memory: dict[str, int] = field(default_factory=dict)


def measure(events: int, day_events: int, dearest: int = 0, is_refreshed: bool = True) -> Measured:
    """Return what a day costs after a history, then a price that changes, then a full refresh.

    A changed price is measured by itself: all orders of its product, however old, are made anew.
    """
    be_quiet()
    shop = shop_of(events, day_events)
    *history, last = days_until(shop, LAST_DAY)
    measured = Measured()
    with published(shop, history) as (run, landing):

        def build(name: str, *arguments: str) -> None:
            with OwnMemory(run.postmaster) as memory:
                measured.builds[name] = run(*arguments)
            measured.memory[name] = memory.peak

        load(run.server, landing, shop, [last], keeps_prices=True)
        build("one more day")
        run.dearest(dearest)
        measured.disk = disk(run.server)
        change_price(run.server, landing)
        build("one price changed")
        if is_refreshed:
            with mock.patch.dict(os.environ, {"GREENERY_TEST_EVERYTHING": "1"}):
                build("full refresh", "--full-refresh")
        ((measured.events,),) = ask(run.server, "select count(*) from raw.events")
    return measured


def be_quiet() -> None:
    """Leave out the line for each file that is loaded."""
    logging.disable(logging.INFO)
