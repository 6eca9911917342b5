"""Ask for metrics: which there are, and what ``marts`` answer.

What somebody typed is understood in MetricFlow's names.
"""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import psycopg2

from elt.metrics.definitions import GRAINS, TIME, Definitions, Metric, MetricError
from elt.warehouse.reader import reading

# what the published series says where there is none
NONE = "(none)"
# as the published series has it
DECIMALS = 4
# what a spreadsheet takes for a formula
FORMULA = ("=", "+", "-", "@", "\t", "\r")
# of a list of all metrics
LISTED = ("metric", "unit", "what it is", "split by")


@dataclass(frozen=True)
class Question:
    """What is asked for: the metric that answers, and by what it is split, in both names."""

    metric: Metric
    answered_by: Metric
    # as it was typed, in MetricFlow's name
    by: dict[str, str]
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True)
class Answer:
    """Rows, the value last; a dimension that is null is NONE, a value without any is None."""

    names: tuple[str, ...]
    rows: list[tuple[Any, ...]]

    def csv(self) -> str:
        """Return it for programs and spreadsheets; no cell is a formula."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.names)
        for *dimensions, value in self.rows:
            writer.writerow([*map(_no_formula, map(str, dimensions)), value])
        return text.getvalue()


def list_metrics(definitions: Definitions) -> list[tuple[str, ...]]:
    """Return all metrics by name: LISTED, where the last has what splits it besides time."""
    return [
        (
            *(metric.name, metric.unit, metric.description),
            ", ".join(_dimensions_of(definitions, metric)),
        )
        for metric in _asked_for(definitions)
    ]


def as_markdown(definitions: Definitions) -> str:
    """Return the same, and what the dimensions are, as tables of Markdown."""
    lines = [
        "| metric | what it is | unit | by time and |",
        "|---|---|---|---|",
    ]
    used: set[str] = set()
    for metric in _asked_for(definitions):
        dimensions = _dimensions_of(definitions, metric)
        used |= dimensions.keys()
        words = metric.description
        if metric.otherwise:
            other = definitions.metrics[metric.otherwise]
            words += f" *{other.label}*: {other.description}"
        split = ", ".join(f"`{name}`" for name in dimensions)
        lines.append(f"| `{metric.name}` | {words} | {metric.unit} | {split} |")
    lines += ["", "| split by | what it is |", "|---|---|"]
    lines += [f"| `{name}` | {definitions.description_of(name)} |" for name in sorted(used)]
    return "\n".join(lines)


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


def ask(definitions: Definitions, question: Question) -> Answer:
    """Ask the published marts, as a reader.

    Raises:
        MetricError: if nothing is published yet, or the log-in may not read.
    """
    try:
        with reading() as cursor:
            # the SQL names columns alone, no schema's functions: nothing of it is a parameter
            cursor.execute(sql_of(definitions, question))
            rows = cursor.fetchall()
    except (psycopg2.errors.UndefinedTable, psycopg2.errors.UndefinedColumn):
        raise MetricError(
            f"{question.metric.name} is not published yet: the next run does it."
        ) from None
    except psycopg2.errors.InsufficientPrivilege:
        raise MetricError(
            "The log-in may not read the marts as `reader`. Have an administrator run "
            "greenery bootstrap again."
        ) from None
    names = (*question.by, question.metric.name)
    return Answer(names, [_row(row) for row in rows])


def sql_of(definitions: Definitions, question: Question) -> str:
    """Return the SQL that answers a question."""
    return definitions.sql(
        question.answered_by.name, list(question.by.values()), question.first, question.last
    )


def _asked_for(definitions: Definitions) -> list[Metric]:
    return [metric for metric in definitions.metrics.values() if not metric.part_of]


def _dimensions_of(definitions: Definitions, metric: Metric) -> dict[str, str]:
    found = definitions.dimensions_of(metric.name)
    if metric.otherwise:
        found = {**definitions.dimensions_of(metric.otherwise), **found}
    return dict(sorted(found.items()))


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


def _row(row: tuple[Any, ...]) -> tuple[Any, ...]:
    *dimensions, value = row
    return (*map(_dimension, dimensions), _value(value))


def _dimension(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.date()
    return NONE if value is None else value


def _value(value: Any) -> Decimal | int | None:
    if value is None or isinstance(value, int):
        return value
    number = Decimal(str(value))
    decimals = len(str(number).partition(".")[2])
    return (
        number if decimals <= DECIMALS else number.quantize(Decimal(10) ** -DECIMALS, ROUND_HALF_UP)
    )


def _no_formula(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text
