"""The replies in a message's thread: one for each failure, for who must mend it. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from elt.alerting.incidents import Incident
from elt.alerting.messages import blocks
from elt.alerting.messages.blocks import code, instant, line, link
from elt.alerting.messages.phrases import count, listed
from elt.alerting.redact import shorten
from elt.alerting.report import Report
from elt.alerting.run_facts import NodeResult
from elt.loading.shown_values import HIDDEN

# the rest stands in the run
MOST_REPLIES = 10
SQL_LINES = 30
SQL_LIMIT = 2000
TABLE_LIMIT = 2800
MOST_COLUMNS = 8
# of a relation in dbt's SQL, which is always in the one that it is asked in
DATABASE = re.compile(r'"\w+"\.(?="\w+"\."\w+")')


def build(incident: Incident, report: Report, result: NodeResult | None) -> dict[str, Any]:
    """Return the payload of the reply about one failure."""
    log = report.log_url(incident.task_id)
    run = f" in run {code(incident.first_run_id)}" if report.run.is_run else ""
    about = f"First seen {instant(incident.first_seen)}{run}."
    if incident.history:
        about += f" Before: {line(incident.history)}."
    shown = [blocks.section(f"*{line(incident.sentence)}*\n{about}")]
    if result and result.sample and result.sample["rows"]:
        shown.append(blocks.section(_table(result.sample, incident.failures)))
    if result and result.compiled_sql:
        shown.append(blocks.section(_sql(result.compiled_sql, log)))
    shown += blocks.buttons({"Open its log": log})
    return {"text": line(incident.sentence), "blocks": shown}


def acknowledged(incident: Incident) -> dict[str, Any]:
    """Return the payload of the reply that says who looks at a failure."""
    about = f"#{incident.number} {line(incident.sentence)}"
    return {"text": f"{who_looks(incident, 'it')}\n{about}"}


def who_looks(incident: Incident, what: str | None = None) -> str:
    """Return who looks at an incident and what that person says, or nothing if nobody does."""
    if not incident.acknowledged_by:
        return ""
    said = f": {line(incident.note)}" if incident.note else "."
    return f"{line(incident.acknowledged_by)} looks at {what or f'#{incident.number}'}{said}"


def rest(number: int, report: Report) -> dict[str, Any]:
    """Return the payload of the reply that stands for all further failures."""
    where = link(report.run.run_url, "their logs have the SQL →")
    return {"text": f"and {count(number, 'more failure', 'more failures')}; {where}"}


def _sql(compiled: str, log: str | None) -> str:
    compiled = DATABASE.sub("", compiled)
    lines = [text.rstrip() for text in compiled.strip().splitlines() if text.strip()]
    kept: list[str] = []
    for text in lines[:SQL_LINES]:
        if sum(len(blocks.escape(one)) + 1 for one in [*kept, text]) > SQL_LIMIT:
            break
        kept.append(text)
    if not kept and lines:
        kept = [shorten(lines[0], SQL_LIMIT // 5)]
    rest = len(lines) - len(kept)
    more = f"\n{link(log, f'and {rest:,} more lines →')}" if rest else ""
    return f"SQL that found it:\n{blocks.preformatted(chr(10).join(kept))}{more}"


def _table(sample: dict[str, Any], failures: int | None) -> str:
    """Return rows as an aligned table; columns that may not be shown hold dots alone.

    Where nothing may be shown, a table says nothing: then it is said how many and by which key.
    """
    names, rows = sample["columns"], sample["rows"]
    # what may be shown comes first
    shown = [i for i in range(len(names)) if any(row[i] not in ("", HIDDEN) for row in rows)]
    if not shown:
        return _unseen(sample, failures)
    order = shown + [i for i in range(len(names)) if i not in shown]
    rest = len(order) - MOST_COLUMNS
    order = order[:MOST_COLUMNS]
    cells = [[names[i] for i in order], *([row[i] for i in order] for row in rows)]
    text = _aligned(cells)
    while len(blocks.escape(text)) > TABLE_LIMIT and len(cells) > 2:
        cells.pop()
        text = _aligned(cells)
    if len(blocks.escape(text)) > TABLE_LIMIT:
        # one character may become five
        text = shorten(text, TABLE_LIMIT // 5)
    of = f" of {failures:,}" if failures and failures > len(cells) - 1 else ""
    said = f"Failing rows, {len(cells) - 1}{of}; {HIDDEN} hides what may not leave the warehouse:"
    more = f"\nand {rest:,} more columns" if rest > 0 else ""
    return f"{said}\n{blocks.preformatted(text)}{more}"


def _unseen(sample: dict[str, Any], failures: int | None) -> str:
    number = count(max(failures or 0, len(sample["rows"])), "row")
    key = [code(name) for name in sample.get("key") or []]
    find = f"; the key of a row is {listed(key)}" if key else ""
    return (
        f"Failing: {number}. None of their values may leave the warehouse{find}. "
        "Ask there with the SQL that found it."
    )


def _aligned(cells: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])
