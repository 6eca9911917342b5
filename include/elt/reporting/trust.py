"""Whether what is shown can be trusted today, by what ``marts.data_status`` says of each mart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from elt.alerting.messages.phrases import listed
from elt.reporting.numbers import instant


@dataclass(frozen=True)
class Trust:
    """Whether what is shown can be trusted today: green, amber or red, and why."""

    level: Literal["green", "amber", "red"]
    title: str
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class MartStatus:
    """A row of ``marts.data_status``."""

    mart: str
    data_as_of: datetime | None
    published_at: datetime | None
    last_run_outcome: str
    last_run_at: datetime
    reason: str | None
    warnings: str | None
    pinned: str | None


def trust(marts: Sequence[MartStatus]) -> Trust:
    """Return how far the marts can be trusted: the worst that is said of any of them."""
    published = [one.published_at for one in marts if one.published_at]
    if not published:
        return Trust("red", "Nothing is published yet", _sentences(marts, "reason"))
    since = instant(max(published))
    failed = [one for one in marts if one.last_run_outcome == "failed"]
    # a release ends the pin, and shows nothing newer yet
    older = ("rolled back", "held back")
    pinned = [one for one in marts if one.pinned or one.last_run_outcome in older]
    warned = [one for one in marts if one.warnings]
    # of a pinned mart both are the same
    reasons = tuple(
        dict.fromkeys(
            [
                *_sentences(marts, "reason"),
                *_sentences(marts, "pinned"),
                *_sentences(marts, "warnings"),
            ]
        )
    )
    if failed:
        return Trust("red", f"The last run failed: this is what was published {since}", reasons)
    if pinned:
        return Trust("amber", f"An older publication is shown on purpose, of {since}", reasons)
    if warned:
        return Trust("amber", "Published, with something missing or in doubt", reasons)
    return Trust("green", "Published, and no test failed")


def _sentences(marts: Sequence[MartStatus], name: str) -> tuple[str, ...]:
    """Return what is said, each thing once, with the marts that it is said of if not of all."""
    said = defaultdict(list)
    for one in marts:
        if text := getattr(one, name):
            said[text].append(one.mart)
    return tuple(
        text if len(names) == len(marts) else f"{text} ({listed(names, 3)})"
        for text, names in said.items()
    )
