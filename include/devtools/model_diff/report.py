"""What a change does, as Markdown for its pull request."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from devtools.model_diff.difference import Difference


@dataclass(frozen=True)
class Outcome:
    """What was built and tested (by unique id), and how the marts differ (by name).

    ``failed`` has dbt's words for what failed, ``skipped`` what was not built or tested because of
    that, both by name. ``notes`` are sentences to read the figures by.
    """

    against: str
    built: Collection[str]
    tested: int
    failed: Mapping[str, str]
    skipped: Collection[str]
    differences: Mapping[str, Difference]
    notes: Collection[str] = ()


def markdown(outcome: Outcome) -> str:
    """Return the report."""
    return "\n".join(_lines(outcome))


def _lines(outcome: Outcome) -> Iterator[str]:
    if not (outcome.built or outcome.tested or outcome.failed):
        yield f"Nothing that dbt builds or tests has changed since `{outcome.against}`."
        return
    yield f"### What changes since `{outcome.against}`"
    yield ""
    yield (
        f"Built {_number(len(outcome.built), 'model')}, ran {_number(outcome.tested, 'test')}: "
        + (f"**{len(outcome.failed)} failed**." if outcome.failed else "all passed.")
    )
    yield from (f"{note}" for note in outcome.notes)
    if outcome.failed:
        yield ""
        yield from (f"- `{name}`: {message}" for name, message in sorted(outcome.failed.items()))
    if outcome.skipped:
        yield ""
        yield f"Left out because of that: {', '.join(f'`{name}`' for name in outcome.skipped)}."
    differing = {mart: d for mart, d in sorted(outcome.differences.items()) if d.is_any}
    same = sorted(outcome.differences.keys() - differing.keys())
    if differing:
        yield ""
        yield "| mart | rows | added | removed | changed | columns |"
        yield "|---|---|--:|--:|--:|---|"
    for mart, found in differing.items():
        before = "new" if found.before is None else f"{found.before:,}"
        cells = (f"`{mart}`", f"{before} → {found.after:,}")
        counts = (f"{n:,}" for n in (found.added, found.removed, found.changed))
        yield "| " + " | ".join((*cells, *counts, "; ".join(_columns(found)))) + " |"
    if same:
        yield ""
        yield f"Built and equal: {', '.join(f'`{mart}`' for mart in same)}."


def _columns(found: Difference) -> Iterator[str]:
    for name, count in sorted(found.by_column.items(), key=lambda item: (-item[1], item[0])):
        yield f"`{name}` {count:,}"
    for name, data_type in found.new_columns.items():
        yield f"`{name}` is new, {data_type}"
    for name in found.lost_columns:
        yield f"`{name}` is gone"
    for name, (was, now) in found.retyped_columns.items():
        yield f"`{name}` is {now}, was {was}"


def _number(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
