"""The measurements as Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from benchmarks.load.measure import Measured
from benchmarks.load.scenarios import Scenario
from benchmarks.load.ways import Way

HEAD = (
    "| way | wall s | with start-up s | CPU s | peak MB | of it imports | speed |\n"
    "|---|---|---|---|---|---|---|"
)
MARKS = ("<!-- bench-load -->", "<!-- /bench-load -->")


def render(scenario: Scenario, cells: Iterable[tuple[Way, Sequence[Measured]]]) -> str:
    """Return the table of a scenario. ``speed`` is the first way's wall seconds / this one's."""
    rows, baseline = [], None
    for way, runs in cells:
        if error := next((run.error for run in runs if run.error), None):
            wall = _median(run.wall for run in runs)
            rows.append(f"| {way.title} | loads nothing ({wall:.2f}): {error[:80]} | | | | | |")
            continue
        wall = _median(run.wall for run in runs)
        baseline = baseline or wall
        rows.append(
            f"| {way.title} | {wall:.2f} | {_median(run.process_wall for run in runs):.2f} "
            f"| {_median(run.cpu for run in runs):.2f} "
            f"| {_median(run.peak_bytes for run in runs) / 2**20:.0f} "
            f"| {_median(run.bytes_before for run in runs) / 2**20:.0f} | {baseline / wall:.2f} |"
        )
    return "\n".join([f"### {scenario.title[0].upper()}{scenario.title[1:]}", "", HEAD, *rows])


def put_between_marks(document: str, tables: str) -> str:
    """Return the document with the tables between the marks.

    Raises:
        ValueError: if it has no marks.
    """
    before, begin, rest = document.partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    if not begin or not end:
        raise ValueError(f"There are no lines {MARKS[0]} and {MARKS[1]}.")
    return f"{before}{begin}\n\n{tables}\n\n{end}{after}"


def _median(values: Iterable[float]) -> float:
    return statistics.median(values)
