"""All metrics and what they mean, for a terminal and for a page of the documentation."""

from __future__ import annotations

from elt.metrics.definitions import Definitions, Metric

COLUMNS = ("metric", "unit", "what it is", "split by")


def listed(definitions: Definitions) -> list[tuple[str, ...]]:
    """Return all metrics by name: COLUMNS, where the last has what splits it besides time."""
    return [
        (
            *(metric.name, metric.unit, metric.description),
            ", ".join(_dimensions(definitions, metric)),
        )
        for metric in _asked_for(definitions)
    ]


def page(definitions: Definitions) -> str:
    """Return the same, and what the dimensions are, as tables of Markdown."""
    lines = [
        "| metric | what it is | unit | by time and |",
        "|---|---|---|---|",
    ]
    used: set[str] = set()
    for metric in _asked_for(definitions):
        dimensions = _dimensions(definitions, metric)
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


def _asked_for(definitions: Definitions) -> list[Metric]:
    return [metric for metric in definitions.metrics.values() if not metric.part_of]


def _dimensions(definitions: Definitions, metric: Metric) -> dict[str, str]:
    found = definitions.dimensions_of(metric.name)
    if metric.otherwise:
        found = {**definitions.dimensions_of(metric.otherwise), **found}
    return dict(sorted(found.items()))
