"""What a day's marts cost after a short and a long history: ``make bench-marts``.

For each history, made by the demo's generator, a warehouse of its own: history and its marts, then
one more day is loaded, built by its changes and tested where it is new, then the same for one price
that changes, then everything is built and tested whole. Prints CPU seconds of dbt and Postgres as a
Markdown table, with the disk and the memory that they take. The parse of the project and the loads
do not count. ``--publications`` makes so many days one after the other instead, and prints what is
dead in the tables at the end.
"""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from benchmarks.marts.footprint import PARTS, ask, disk
from benchmarks.marts.measure import Measured, be_quiet, measure
from benchmarks.marts.shop import LAST_DAY, load, published, shop_of
from include.demo.settings import days_until
from include.local import postgres

MEGABYTE = 1_000_000


def follow(events: int, day_events: int, count: int) -> None:
    """Print what the parts take after many publications, and what a `vacuum full` leaves."""
    be_quiet()
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
    if "full refresh" in measured.builds:
        day, whole = (sum(measured.builds[name]) for name in ("one more day", "full refresh"))
        print(f"| | full refresh / day | | | | {whole / day:.1f} | |", flush=True)


def plot(found: Sequence[Measured]) -> None:
    """Print the CPU seconds over the history as a chart that GitHub and GitLab draw (Mermaid)."""
    histories = ", ".join(f'"{measured.events / 1e6:.3g}M"' for measured in found)
    print("\n```mermaid\nxychart-beta")
    print(f'    x-axis "events" [{histories}]\n    y-axis "CPU seconds"')
    for name in found[0].builds:
        totals = [sum(measured.builds[name]) for measured in found]
        print(f"    line [{', '.join(f'{total:.1f}' for total in totals)}]")
    print("```")


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
    # each in a process of its own: the profile of the daily run knows one warehouse
    own = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=own, max_tasks_per_child=1) as processes:
        for events in options.events:
            given = (events, options.day, options.dearest, not options.only_day)
            found.append(processes.submit(measure, *given).result())
            show(found[-1])
    print(f"\n| events | {' | '.join(f'{part}, MB' for part in PARTS)} |")
    print(f"|---|{'---|' * len(PARTS)}")
    for measured in found:
        sizes = " | ".join(f"{size / MEGABYTE:,.0f}" for size in measured.disk.values())
        print(f"| {measured.events:,} | {sizes} |")
    plot(found)


if __name__ == "__main__":
    main()
