"""What commands list: overrides, what was replayed, what was forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import TYPE_CHECKING

from elt.cli.terminal import print_table

if TYPE_CHECKING:
    from elt.loading.quarantine.replay import Replayed
    from elt.privacy.outcome import Forgotten
    from elt.transform.overrides import Override


def print_overrides(found: Sequence[Override]) -> None:
    """Print which tests are let through, and until when."""
    if not found:
        print("No test is let through.")
        return
    print_table(
        ("test", "until (UTC)", "by", "why"),
        [
            (one.test, f"{one.until.astimezone(UTC):%Y-%m-%d %H:%M}", one.made_by, one.reason)
            for one in found
        ],
    )


def print_replayed(results: Sequence[Replayed]) -> None:
    """Print what became of the rows in quarantine, by load, and why some wait on."""
    if not results:
        print("No row waits in quarantine.")
        return
    counts = ("loaded", "superseded", "wiped", "still bad")
    rows = [
        (
            *(one.table, one.origin_id, one.source_file),
            *(one.loaded, one.superseded, one.erased, len(one.still_bad)),
        )
        for one in results
    ]
    print_table(("table", "load", "file", *counts), rows, numbers=("load", *counts))
    reasons = [(one.table, one.origin_id, why) for one in results for why in one.still_bad]
    if reasons:
        print()
        print_table(("table", "load", "why it waits on"), reasons, numbers=["load"])


def print_forgotten(forgotten: Forgotten) -> None:
    """Print what was removed of a person, and what is left to do."""
    from elt.privacy import outcome

    print(outcome.headline(forgotten))
    counts = [(place, f"{rows:,}") for place, rows in outcome.counts(forgotten)]
    if counts:
        print_table(("place", "rows"), counts, numbers=["rows"])
    print("", *outcome.left_to_do(forgotten), sep="\n")
