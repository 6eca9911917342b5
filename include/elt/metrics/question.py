"""A question as somebody typed it, put into MetricFlow's names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from elt.metrics.definitions import GRAINS, TIME, Definitions, Metric
from elt.metrics.errors import MetricError


@dataclass(frozen=True)
class Question:
    """What is asked for: the metric that answers, and by what it is split, in both names."""

    metric: Metric
    answered_by: Metric
    # as it was typed, in MetricFlow's name
    by: dict[str, str]
    first: date | None = None
    last: date | None = None


def understand(
    definitions: Definitions, metric: str, by: Sequence[str], first: str = "", last: str = ""
) -> Question:
    """Return a question, with every name resolved.

    Args:
        definitions: of the project.
        metric: its name.
        by: ``day``, ``metric_time__week``, ``product``, ``user__state`` …
        first: the first day, ``2021-02-10``; empty for all.
        last: the last day.

    Raises:
        MetricError: if a name or a day is not known, in a sentence with the nearest names.
    """
    if metric not in definitions.metrics:
        raise MetricError(f"There is no metric {metric}. {_nearest(metric, definitions.metrics)}")
    asked = definitions.metrics[metric]
    candidates = [asked]
    if asked.otherwise:
        candidates.append(definitions.metrics[asked.otherwise])
    known: dict[str, str] = {}
    for candidate in candidates:
        names = _names(definitions, candidate)
        found = {name: names[name] for name in by if name in names}
        if len(found) == len(set(by)):
            return Question(asked, candidate, found, *_days(first, last))
        known |= names
    unknown = [name for name in by if name not in known]
    if not unknown:
        raise MetricError(f"{metric} can't be split by {' and '.join(by)} at once.")
    shorts = {
        *GRAINS,
        *(name for one in candidates for name in definitions.dimensions_of(one.name)),
    }
    raise MetricError(f"{metric} has no dimension {unknown[0]}. {_nearest(unknown[0], shorts)}")


def _names(definitions: Definitions, metric: Metric) -> dict[str, str]:
    """Return all that a metric may be split by, in every name it goes by."""
    dimensions = definitions.dimensions_of(metric.name)
    times = {grain: f"{TIME}__{grain}" for grain in GRAINS}
    longs = {long: long for long in (*dimensions.values(), *times.values())}
    return {**longs, **dimensions, **times, TIME: times["day"]}


def _nearest(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    return f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(names)}."


def _days(first: str, last: str) -> tuple[date | None, date | None]:
    days = []
    for word, day in (("--from", first), ("--to", last)):
        try:
            days.append(date.fromisoformat(day) if day else None)
        except ValueError:
            raise MetricError(f"{word} {day} is no day. Say it as 2021-02-10.") from None
    start, end = days
    if start and end and start > end:
        raise MetricError(f"--from {start} is after --to {end}.")
    return start, end
