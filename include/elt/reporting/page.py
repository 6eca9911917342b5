"""The pages: what was read, put into HTML that needs nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from elt.reporting import charts, numbers
from elt.reporting.data_state import DataState
from elt.reporting.folder import BUILDS
from elt.reporting.numbers import NOTHING, Row
from elt.reporting.questions import Answer, Figure, Questions

log = logging.getLogger(__name__)

TEMPLATES = Path(__file__).with_name("templates")
# of a table in the page; its CSV has all of it
MOST_ROWS = 100
# what a cell shows of a text; all of it is its title
LONGEST = 80


@dataclass(frozen=True)
class Content:
    """All that the pages say."""

    title: str
    written_at: datetime
    questions: Questions
    last_day: Any
    figures: Sequence[Figure]
    answers: Sequence[Answer]
    state: DataState


@dataclass(frozen=True)
class Part:
    """A table of the state of the data, and what is said when it has no row."""

    heading: str
    rows: Sequence[Row]
    without: str
    anchor: str = ""
    is_wide: bool = False


def render(
    content: Content, drawn: Mapping[str, str], former: Mapping[str, str], *, newest: str | None
) -> str:
    """Return the report as HTML.

    Args:
        drawn: the charts by the names of their questions, as SVG.
        former: pages of former publications, by what they are called, newest first.
        newest: the newest report, seen from this one, whose CSV files are beside it; None: this is
            the newest, and they are in the folder of its publication.
    """
    return (
        _environment()
        .get_template("report.html")
        .render(
            **_of_every_page(content),
            drawn={name: Markup(svg) for name, svg in drawn.items()},
            folder="" if newest else f"{folder_name(content)}/",
            former=former,
            newest=newest,
            labels_of=lambda answer: {c: content.questions.label(c) for c in answer.columns},
        )
    )


def render_state(content: Content) -> str:
    """Return the state of the data, as a page of its own."""
    return _environment().get_template("state.html").render(**_of_every_page(content))


def render_sentence(title: str, sentence: str) -> str:
    """Return a page that says one sentence, in place of one that is not there."""
    template = _environment().get_template("sentence.html")
    return template.render(title=title, sentence=sentence, **_style_and_scripts())


def folder_name(content: Content) -> str:
    """Return the name of the folder that keeps what is written of a publication."""
    return str(content.state.publication_id or 0)


def _of_every_page(content: Content) -> dict[str, Any]:
    return {
        "content": content,
        "state": content.state,
        "parts": _parts(content.state),
        "state_labels": _LABELS,
        **_style_and_scripts(),
    }


def _style_and_scripts() -> dict[str, Markup]:
    files = ("style.css", "theme.js", "sort.js")
    return {
        file.partition(".")[0]: Markup((TEMPLATES / file).read_text(encoding="utf-8"))
        for file in files
    }


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        {
            "number": numbers.number,
            "instant": numbers.instant,
            "day": numbers.day,
            "digest": _digest,
        }
    )
    environment.globals.update(
        {
            "cell": cell,
            "delta": delta,
            "brief": lambda unit, value: numbers.brief(unit or "", value),
            "is_number": numbers.is_number,
            "most_rows": MOST_ROWS,
            "sort_value": sort_value,
            "told": _told,
            "spark": lambda values: Markup(charts.sparkline(values)),
        }
    )
    return environment


def _digest(script: str) -> Markup:
    """Return by what a Content-Security-Policy lets this script run and no other."""
    hashed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return Markup("'sha256-{}'").format(Markup(hashed))


def draw_charts(questions: Questions, answers: Sequence[Answer]) -> dict[str, str]:
    """Return the chart of each question that has rows to draw, as SVG."""
    drawn: dict[str, str] = {}
    for answer in answers:
        chart, labels = answer.question.chart, {c: questions.label(c) for c in answer.columns}
        if chart and answer.rows:
            try:
                svg = charts.draw(chart.kind, chart.x, chart.y, answer.rows, labels)
            except ImportError as error:
                log.warning("Charts are left out, as %s is not installed.", error.name)
                return {}
            if svg:
                drawn[answer.question.name] = svg
    return drawn


def cell(column: str, value: Any) -> Markup:
    """Return the content of a table's cell; a long text is shortened and has its whole as title."""
    text = numbers.shown(column, value)
    if isinstance(value, str) and len(text) > LONGEST:
        return Markup('<bdi title="{}">{}…</bdi>').format(text, text[: LONGEST - 1])
    if isinstance(value, str):
        return Markup("<bdi>{}</bdi>").format(text)
    return Markup("{}").format(text)


def sort_value(value: Any) -> str:
    """Return by what a cell is sorted: a number as it is, a day as ISO writes it."""
    if value is None:
        return ""
    if isinstance(value, datetime) or hasattr(value, "isoformat"):
        return str(value.isoformat())
    return str(value)


def delta(now: Any, before: Any, unit: str | None) -> tuple[str, int]:
    """Return how a value has changed, in words, and whether it rose (1), fell (-1) or neither (0).

    A share changes by points, all else in percent of what it was.
    """
    if not numbers.is_number(now) or not numbers.is_number(before):
        return NOTHING, 0
    change = float(now) - float(before)
    if unit == "rate":
        text = f"{100 * change:+.1f} points"
        return (text, (change > 0) - (change < 0)) if abs(change) >= 0.0005 else ("no change", 0)
    if before == 0:
        return ("no change", 0) if change == 0 else (f"{change:+,.10g}", 1 if change > 0 else -1)
    part = change / abs(float(before))
    if abs(part) < 0.0005:
        return "no change", 0
    return f"{100 * part:+,.1f} %", 1 if part > 0 else -1


def csv_files(answers: Sequence[Answer]) -> dict[str, bytes]:
    """Return the CSV of each question that has an answer, by file name."""
    return {
        f"{answer.question.name}.csv": numbers.as_csv(answer.columns, answer.rows)
        for answer in answers
        if answer.columns
    }


def _parts(state: DataState) -> list[Part]:
    marts = [vars(one) for one in state.marts]
    return [
        Part("What fails, and since when", state.failing, "Nothing fails."),
        Part("Rows in quarantine", state.quarantine, "No row waits in quarantine."),
        Part("Loads and freshness", state.loads, "Nothing was loaded yet.", is_wide=True),
        Part("Marts", marts, "Nothing is published yet.", is_wide=True),
        Part(
            "Each build: its time against its usual, and its tests",
            state.tasks,
            "Nothing was built yet.",
            BUILDS,
            is_wide=True,
        ),
        Part("Overrides and rollbacks", state.decisions, "Nobody had to decide anything."),
    ]


def _told(rows: Sequence[Row]) -> Sequence[Row]:
    """Return rows without the columns that are empty in all of them."""
    kept = [
        column for column in (rows[0] if rows else ()) if any(r[column] is not None for r in rows)
    ]
    return [{column: row[column] for column in kept} for row in rows]


_LABELS = {
    "age_seconds": "Age",
    "column_name": "Column",
    "compared_run_count": "Runs compared",
    "data_as_of": "Data as of",
    "decided_at": "At",
    "decided_by": "By",
    "deleted_count": "Deleted",
    "ended_at": "Ended",
    "failed_count": "Tests failed",
    "failing_row_count": "Rows",
    "incident_number": "Incident",
    "inserted_count": "New",
    "kind": "Kind",
    "last_load_at": "Last load",
    "last_run_at": "Last run",
    "last_run_outcome": "How it ended",
    "last_seconds": "Last",
    "looked_at_by": "Looks at it",
    "mart": "Mart",
    "name": "Name",
    "note": "Note",
    "odd_row_count": "Rows that warn or fail",
    "owner": "Owner",
    "passed_count": "Tests passed",
    "pinned": "Pinned",
    "published_at": "Published",
    "quarantined_count": "Quarantined",
    "read_count": "Rows read",
    "reason": "Reason",
    "row_count": "Rows",
    "run_count": "Runs",
    "since_at": "Since",
    "table_name": "Table",
    "until_at": "Until",
    "updated_count": "Changed",
    "usual_gap_seconds": "Usually every",
    "usual_row_count": "Usual rows",
    "usual_seconds": "Usual",
    "warned_count": "Tests warned",
    "warnings": "Warnings",
}
