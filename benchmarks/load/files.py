"""The events files of the benchmark, made from the demo shop: the same ones each time."""

from __future__ import annotations

import itertools
import math
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from psycopg2.extensions import connection

from devtools.demo.generate import write_landing
from devtools.demo.settings import DemoSettings

FIRST_DAY = date(2021, 1, 1)
DAYS = 30
# the demo shop's visits have 6.5 events on average; some happen after the last day
EVENTS_PER_SESSION = 6
CHANGED_EVERY = 100


@dataclass(frozen=True)
class Rows:
    """How many rows the files have: ``small`` once, ``large``, and ``new`` ones after those."""

    small: int
    large: int
    new: int

    @classmethod
    def at(cls, scale: float) -> Rows:
        small = round(1_000_000 * scale)
        return cls(small, 5 * small, round(50_000 * scale))


def make(folder: Path, rows: Rows, database: connection) -> None:
    """Write the files `small`, `large`, `new`, `changed` and `bad` into a folder, unless there.

    ``changed`` is ``small`` with another page in 1 % of its rows, ``bad`` is ``small`` with one
    instant in its middle that is none.
    """
    if (folder / "new.csv").exists():
        return
    shop = folder / "shop"
    days = [FIRST_DAY + timedelta(days=number) for number in range(DAYS)]
    sessions = math.ceil((rows.large + rows.new) / EVENTS_PER_SESSION / DAYS)
    write_landing(database, shop, DemoSettings(FIRST_DAY, 1, max(5, sessions), sessions), days)
    lines = _events(shop)
    header = next(lines)
    with ExitStack() as files:

        def open_file(name: str) -> object:
            file = files.enter_context(open(folder / f"{name}.csv", "wb", buffering=1 << 20))
            file.write(header)
            return file

        small, large, changed, bad = map(open_file, ("small", "large", "changed", "bad"))
        for number, line in enumerate(itertools.islice(lines, rows.small)):
            small.write(line)
            large.write(line)
            is_changed = number % CHANGED_EVERY == 0
            changed.write(line.replace(b"example/", b"example/new/") if is_changed else line)
            bad.write(line.replace(b":", b";") if number == rows.small // 2 else line)
        large.writelines(itertools.islice(lines, rows.large - rows.small))
    # last, and under its name when it is whole: its being there says that all are
    with open(folder / ".new.csv", "wb") as file:
        file.writelines([header, *itertools.islice(lines, rows.new)])
    (folder / ".new.csv").rename(folder / "new.csv")
    shutil.rmtree(shop)


def _events(shop: Path) -> Iterator[bytes]:
    """Yield the lines of all drops as of one file."""
    for place, drop in enumerate(sorted((shop / "events").glob("*.csv"))):
        with open(drop, "rb") as lines:
            yield from itertools.islice(lines, min(place, 1), None)


def link(landing: Path, files: list[Path]) -> None:
    """Make a landing folder whose drops of events are these files, in this order."""
    drops = landing / "events"
    shutil.rmtree(landing, ignore_errors=True)
    drops.mkdir(parents=True)
    for number, file in enumerate(files, 1):
        os.link(file, drops / f"{number}.csv")
