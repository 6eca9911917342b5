"""What a day's marts cost after a short and a long history: ``make bench-marts``.

For each history, made by the demo's generator, a warehouse of its own: history and its marts. Then
days are loaded, built by their changes and tested where they are new, a day of each history in
turn, so that a machine that is slow for a while is slow for all. Then the same for one price that
changes, then everything is built and tested whole. Prints CPU seconds of dbt and Postgres as
Markdown tables, with the disk and the memory that they take. The parse of the project and the loads
do not count; what autovacuum and the checkpointer have to do for a build stands by itself.
``--publications`` makes so many days one after the other instead, and prints what is dead in the
tables at the end.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.marts.footprint import PARTS, ask, disk
from benchmarks.marts.measure import (
    Measured,
    full_refresh,
    make_history,
    one_more_day,
    one_price_changed,
    remove,
    warehouse,
)
from benchmarks.marts.run import STEPS, Run
from benchmarks.marts.shop import load_next_day
from devtools.local import postgres

MEGABYTE = 1_000_000


def follow(folder: Path, count: int) -> None:
    """Print what the parts take after many publications, and what a `vacuum full` leaves."""
    with warehouse(folder, autovacuum="on") as (server, landing):
        run = Run(server, folder)
        print(f"| after | {' | '.join(PARTS)} |\n|---|{'---|' * len(PARTS)}", flush=True)
        show_disk("the history", server)
        for number in range(1, count + 1):
            load_next_day(server, landing)
            run(is_tested=False)
            if number % max(1, count // 4) == 0 or number == count:
                show_disk(f"{number} publications", server)
        ask(server, "vacuum full")
        show_disk("`vacuum full`", server)


def measure_days(folders: Mapping[int, Path], days: int, dearest: int) -> dict[int, Measured]:
    """Print what each day costs after each history, and return the median one of each."""
    show_header()
    measured: dict[int, list[Measured]] = {events: [] for events in folders}
    for number in range(1, days + 1):
        for events, folder in folders.items():
            measured[events].append(in_own_process(one_more_day, folder, dearest))
            show(events, f"day {number}", measured[events][-1])
    of_day = {events: middle(found) for events, found in measured.items()}
    for events, found in of_day.items():
        show(events, f"one more day, median of {days}", found)
    show_growth({events: sum(found.seconds) for events, found in of_day.items()})
    return of_day


def measure_whole(folders: Mapping[int, Path], of_day: Mapping[int, Measured]) -> None:
    """Print what a changed price and a full refresh cost, and how much cheaper a day is."""
    show_header()
    ratios = {}
    for events, folder in folders.items():
        show(events, "one price changed", in_own_process(one_price_changed, folder))
        whole = in_own_process(full_refresh, folder)
        show(events, "full refresh", whole)
        ratios[events] = sum(whole.seconds) / sum(of_day[events].seconds)
    for events, ratio in ratios.items():
        print(f"\nAfter {events:,} events a day is {ratio:.1f} times cheaper than a full refresh.")


def in_own_process(act: Callable[..., Any], *arguments: Any) -> Any:
    """Run a function in a new process: the profile of the daily run knows one warehouse."""
    own = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=own) as processes:
        return processes.submit(act, *arguments).result()


def middle(found: Sequence[Measured]) -> Measured:
    """Return the day whose cost is the median, so that its steps add up (of two, the lower)."""
    return sorted(found, key=lambda measured: sum(measured.seconds))[(len(found) - 1) // 2]


def show_header() -> None:
    print(f"\n| events of history | build | {' | '.join(STEPS)} | all | afterwards | memory |")
    print(f"|---|---|{'---|' * len(STEPS)}---|---|---|", flush=True)


def show(events: int, name: str, measured: Measured) -> None:
    seconds = [*measured.seconds, sum(measured.seconds), measured.afterwards]
    figures = " | ".join(f"{figure:.1f} s" for figure in seconds)
    print(f"| {events:,} | {name} | {figures} | {measured.memory / MEGABYTE:,.0f} MB |", flush=True)


def show_growth(of_day: Mapping[int, float]) -> None:
    """Print how a day's CPU seconds grow, and plot them (Mermaid, drawn by GitHub and GitLab)."""
    shortest = min(of_day)
    for events, seconds in of_day.items():
        print(f"\n{events:,} events: {seconds / of_day[shortest]:.2f} times the shortest history")
    histories = ", ".join(f'"{events / 1e6:.3g}M"' for events in of_day)
    print("\n```mermaid\nxychart-beta")
    print(f'    x-axis "events" [{histories}]\n    y-axis "CPU seconds"')
    print(f"    line [{', '.join(f'{seconds:.1f}' for seconds in of_day.values())}]\n```")


def show_disk(when: str, server: postgres.Server) -> None:
    sizes = " | ".join(f"{size / MEGABYTE:,.1f} MB" for size in disk(server).values())
    print(f"| {when} | {sizes} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("events", nargs="*", type=int, default=[1_000_000, 5_000_000], help="of each history")
    add("--day", type=int, default=50_000, help="events of a day (default: %(default)s)")
    add("--days", type=int, default=3, help="how many to measure (default: %(default)s)")
    add("--dearest", type=int, default=0, help="name so many of a day's dearest models and tests")
    add("--only-day", action="store_true", help="leave out the changed price and the full refresh")
    add("--publications", type=int, metavar="N", help="make N days one after the other instead")
    add("--keep", type=Path, metavar="FOLDER", help="keep histories there, and go on with them")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        home = options.keep or Path(temporary)
        folders = {events: home / f"{events}-by-{options.day}" for events in options.events}
        try:
            for events, folder in folders.items():
                in_own_process(make_history, folder, events, options.day)
            if options.publications:
                for folder in folders.values():
                    in_own_process(follow, folder, options.publications)
            else:
                of_day = measure_days(folders, options.days, options.dearest)
                print(f"\n| events of history | {' | '.join(PARTS)} |\n|---|{'---|' * len(PARTS)}")
                for events, folder in folders.items():
                    show_disk(f"{events:,}", postgres.start(folder))
                if not options.only_day:
                    measure_whole(folders, of_day)
        finally:
            for folder in folders.values():
                postgres.stop(folder) if options.keep else remove(folder)


if __name__ == "__main__":
    main()
