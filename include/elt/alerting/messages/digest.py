"""One message a day about what is odd but stops nothing. Pure: warnings in, a payload out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from elt.alerting.messages import blocks
from elt.alerting.messages.blocks import instant, line, link
from elt.alerting.messages.phrases import count
from elt.shop import SHOP

MOST_WARNINGS = 20
YELLOW = "#ecb22e"
Kind = Literal["test", "source", "quarantine", "pin"]
# what people can mend first
TITLES: Mapping[Kind, str] = {
    "pin": "What an operator decided",
    "quarantine": "Rows that wait in quarantine",
    "source": "What came from the source",
    "test": "Tests that warn",
}
WHERE_TO_LOOK = (
    "These stop nothing: what passed its tests is published. Rows in quarantine: `select * from "
    "ops.quarantine where resolved_at is null`, then `make replay-quarantine`. Columns and files: "
    "`ops.load_warning`. Tests: the log of their model in the last run."
)


@dataclass(frozen=True)
class Warned:
    """Something odd, in a sentence without its full stop, and since when (UTC) it has been so."""

    kind: Kind
    sentence: str
    since: datetime
    owner: str | None = None


def build(warned: Collection[Warned], day: date, more_url: str | None) -> dict[str, Any]:
    """Return the payload of a day's digest, the same for the same warnings.

    Args:
        day: of the business.
        more_url: where the rest can be seen.
    """
    # what is new is not lost below what everybody knows
    newest = sorted(warned, key=lambda one: (-one.since.timestamp(), one.sentence))
    shown = newest[:MOST_WARNINGS]
    headline = f"{count(len(warned), 'warning')} about {SHOP.title}'s data, {day:%-d %b %Y}"
    texts = []
    for kind, title in TITLES.items():
        lines = [_line(one) for one in shown if one.kind == kind]
        texts += blocks.packed([f"*{title}*", *lines]) if lines else []
    if (rest := len(newest) - len(shown)) > 0:
        texts.append(link(more_url, f"and {rest:,} more →"))
    return {
        "text": blocks.fallback(headline, [_line(one) for one in newest]),
        "blocks": [
            blocks.header(f":large_yellow_circle: {headline}"),
            *(blocks.section(text) for text in texts),
            *blocks.buttons({"Open the runs": more_url}),
        ],
        "attachments": [{"color": YELLOW, "blocks": [blocks.context(WHERE_TO_LOOK)]}],
    }


def _line(one: Warned) -> str:
    owner = f" ({line(one.owner.partition('@')[0], 80)})" if one.owner else ""
    return f"• {line(one.sentence)}; since {instant(one.since)}{owner}"
