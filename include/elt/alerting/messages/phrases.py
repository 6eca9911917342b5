"""What failed, in words. Pure: nodes of dbt's manifest and numbers in, sentences out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from elt.alerting.redact import shorten
from elt.loading.shown_values import HIDDEN

FAILING = {"fail", "error", "runtime error"}
# of a failing row in a sentence
MOST_CELLS = 6
WITHOUT_A_WORD = "ended without a word: killed, or out of memory? Its log may tell"

Node = Mapping[str, Any]
Noun = tuple[str, str]

# column of failing rows in which a test says itself what is odd, and those that are in there
SENTENCE, IN_SENTENCE = "sentence", {"judged_day", "is_error"}

# what a test counts, where that is not rows
NOUNS: dict[str | None, Noun] = {
    "unique": ("value more than once", "values more than once"),
    "unique_combination": ("value more than once", "values more than once"),
    "accepted_values": ("other value", "other values"),
    "one_value_within": ("exception", "exceptions"),
}


def count(number: int, singular: str, plural: str | None = None) -> str:
    """Return a number with its noun: 1 row, 12 rows, 1,234 rows."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def listed(names: list[str], most: int = 6) -> str:
    """Return names as a list in words: a, b and 65 more."""
    if len(names) > most + 1:
        return f"{', '.join(names[:most])} and {len(names) - most:,} more"
    return " and ".join([*([", ".join(names[:-1])] if names[1:] else []), *names[-1:]])


def history(statuses: Sequence[str]) -> str:
    """Return how a node went in the runs before, newest first: 0 in the last 41 runs."""
    bad = sum(status in FAILING for status in statuses)
    runs = f"the last {count(len(statuses), 'run')}" if len(statuses) > 1 else "the run before"
    if not bad:
        return f"0 in {runs}"
    return f"failed in {bad:,} of {runs}" if len(statuses) > 1 else f"failed in {runs} too"


def duration(seconds: float) -> str:
    """Return a time in words: 45 s, 12 min, 2 h 12 min, 3 d 4 h."""
    minutes = int(seconds // 60)
    if minutes < 1:
        return f"{int(seconds)} s"
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def kind_of(unique_id: str) -> str:
    """Return what a node is by its unique id: model, test, snapshot, source, seed …"""
    return unique_id.split(".", 1)[0]


def name_of(unique_id: str) -> str:
    """Return a node's plain name; the hash at the end of a generic test's id is left out."""
    parts = unique_id.split(".")
    if parts[0] == "source":
        return ".".join(parts[2:])
    return parts[2] if len(parts) > 2 else unique_id


def owner_of(unique_id: str, nodes: Mapping[str, Node]) -> str | None:
    """Return who answers for a node: its own `meta.owner`, or that of what it tests."""
    node = nodes.get(unique_id) or {}
    parents = [node.get("attached_node"), *((node.get("depends_on") or {}).get("nodes") or [])]
    for one in (node, *(nodes.get(parent or "") or {} for parent in parents)):
        meta = {**(one.get("meta") or {}), **((one.get("config") or {}).get("meta") or {})}
        if meta.get("owner"):
            return str(meta["owner"])
    return None


def failed_test(
    unique_id: str,
    node: Node | None,
    failures: int | None,
    sample: Mapping[str, Any] | None = None,
) -> str:
    """Return a failed data test as a sentence with its number of rows, or as it says itself.

    Some tests count rows that may only warn below zero; the number is told without its sign.

    Args:
        sample: failing rows; of a test whose rows have a ``sentence``, these are what is said.
    """
    number = None if failures is None else abs(failures)
    if said := _sentences(sample, number):
        return said
    rule, noun = _rule(unique_id, node or {})
    return rule if number is None else f"{rule}: {count(number, *noun)}"


def _sentences(sample: Mapping[str, Any] | None, number: int | None) -> str:
    """Return what the failing rows of a test say themselves, as one sentence, or nothing.

    Args:
        number: how many rows count; what comes after them is of less weight.
    """
    columns = (sample or {}).get("columns") or []
    if SENTENCE not in columns:
        return ""
    told = []
    for row in (sample or {})["rows"][:number]:
        said = dict(zip(columns, row, strict=True))
        sentence = said.pop(SENTENCE)
        of = ", ".join(
            f"`{name}` {value or 'null'}"
            for name, value in said.items()
            if name not in IN_SENTENCE and value != HIDDEN
        )
        told.append(f"{of}: {sentence}" if of else sentence)
    rest = (number or 0) - len(told)
    return "; ".join([*told, *([f"and {rest:,} more"] if told and rest > 0 else [])])


def such_as(sample: Mapping[str, Any] | None) -> str:
    """Return what may be shown of the first failing row, as the end of a sentence, or nothing."""
    sample = sample or {}
    if SENTENCE in (sample.get("columns") or []):
        return ""
    for row in sample.get("rows") or []:
        pairs = zip(sample["columns"], row, strict=True)
        cells = [f"{name} {value}" for name, value in pairs if value not in ("", HIDDEN)]
        if cells:
            return f", such as {', '.join(cells[:MOST_CELLS])}"
    return ""


def excused(sample: Mapping[str, Any] | None, *, are_more: bool = False) -> str:
    """Return why rows without a parent are no error, as the end of a sentence, or nothing.

    Args:
        are_more: than the rows that were told before.
    """
    excuses = (sample or {}).get("excuses") or {}
    parts = [f"of {number:,} it is {excuse}" for excuse, number in excuses.items()]
    return f"; as to the parent, {'besides, ' if are_more else ''}{listed(parts)}" if parts else ""


def describe_node(
    unique_id: str,
    node: Node | None,
    status: str,
    failures: int | None,
    message: str | None,
    sample: Mapping[str, Any] | None = None,
) -> str:
    """Return a failed node of any kind as a sentence.

    Args:
        unique_id: dbt's, as ``model.project.name``.
        node: the manifest's; None if it has none of that id.
        status: dbt's word for how it went, such as ``error``.
        failures: how many rows a test counted.
        message: what dbt or the server said; it must be safe already.
        sample: failing rows of a test, masked.
    """
    kind, reason = kind_of(unique_id), _reason(message)
    if kind == "test" and status == "fail":
        return failed_test(unique_id, node, failures, sample)
    if kind == "test":
        rule, _ = _rule(unique_id, node or {})
        return f"Could not test that {rule[0].lower() + rule[1:]}: {reason}"
    if kind == "source" and status == "error":
        return f"`{name_of(unique_id)}` is older than it may be"
    verb = "be looked at" if kind == "source" else "be built"
    return f"`{name_of(unique_id)}` could not {verb}: {reason}"


def _reason(message: str | None) -> str:
    lines = [line for line in (message or "").splitlines() if line.strip()]
    if len(lines) > 1 and re.match(r"\w+ Error\b", lines[0]):
        # "Database Error in model x (path)" says nothing that the sentence does not
        lines = lines[1:]
    return " ".join(lines) or "dbt gives no reason; see the log"


def _rule(unique_id: str, node: Node) -> tuple[str, Noun]:
    """Return what must hold, and the noun (singular, plural) of what breaks it.

    The author's own description says it best; a generic test's is told with its place.
    """
    metadata = node.get("test_metadata") or {}
    kind, arguments = metadata.get("name"), metadata.get("kwargs") or {}
    model = name_of(node.get("attached_node") or "") or _first_parent(node)
    column = node.get("column_name") or arguments.get("column_name")
    place = f"`{model}.{column}`" if column else f"`{model}`"
    noun: Noun = NOUNS.get(kind, ("row", "rows"))
    description = _description(node)
    if kind is None:
        return description or _readable(name_of(unique_id)), noun
    if description:
        return f"{description} ({place})", noun
    return _generic_rule(kind, place, arguments, node), noun


def _generic_rule(kind: str, place: str, arguments: Mapping[str, Any], node: Node) -> str:
    match kind:
        case "not_null":
            return f"{place} must not be empty"
        case "unique":
            return f"{place} must be unique"
        case "accepted_values":
            return f"{place} must be one of {listed([*map(str, arguments.get('values', []))], 10)}"
        case "relationships" | "has_parent":
            parent = _parent(arguments, node)
            field = f".{arguments['field']}" if arguments.get("field") else ""
            return f"each {place} must be found in `{parent}{field}`"
        case "in_range":
            low, high = arguments.get("min_value", 0), arguments.get("max_value")
            return f"{place} must be {low} or more" + ("" if high is None else f", at most {high}")
        case "whole_cents":
            return f"{place} must be whole cents"
        case "holds":
            return f"{place}: `{arguments.get('condition')}` must hold for every row"
        case "one_value_within":
            return f"{place} must be the same for each `{arguments.get('group_by')}`"
        case "unique_combination":
            columns = [f"`{column}`" for column in arguments.get("columns") or []]
            return f"{place} must have one row for each {listed(columns)}"
        case _:
            return f"{place}: {_readable(kind)}"


def _description(node: Node) -> str | None:
    text = " ".join((node.get("description") or "").split())
    first = re.split(r"(?<=[.!?])\s", text)[0].rstrip(".")
    return shorten(first, 300) or None


def _readable(name: str) -> str:
    return name.removeprefix("assert_").replace("_", " ").strip()


def _first_parent(node: Node) -> str:
    return next((name_of(i) for i in (node.get("depends_on") or {}).get("nodes") or []), "?")


def _parent(arguments: Mapping[str, Any], node: Node) -> str:
    """Return the parent's name out of ref('…') or source('…', '…')."""
    quoted = re.findall(r"['\"]([^'\"]+)['\"]", str(arguments.get("to")))
    others = [name_of(i) for i in (node.get("depends_on") or {}).get("nodes") or []]
    return quoted[-1] if quoted else others[-1] if others else "its parent"
