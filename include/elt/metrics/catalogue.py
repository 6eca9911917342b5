"""All metrics and what they mean, for a terminal and for a page of the documentation."""

from __future__ import annotations

from elt.metrics.definitions import GRAINS, Definitions, Metric


def catalogue(definitions: Definitions) -> str:
    """Return all metrics by name, with their definitions and what splits them, for a terminal."""
    lines = []
    for metric in _asked_for(definitions):
        lines += [f"{metric.name}  [{metric.unit}]", f"    {metric.description}"]
        lines += [f"    by {', '.join(GRAINS)}, {', '.join(_dimensions(definitions, metric))}"]
    return "\n".join(lines)


def page(definitions: Definitions) -> str:
    """Return the same as tables of Markdown."""
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
