"""What a shop's report asks, and the answers its marts give: questions.yml and its queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
import yaml
from jinja2 import ChainableUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from elt.errors import FinalError
from elt.reporting import numbers
from elt.reporting.numbers import Row

FILE = "questions.yml"
# of an answer; a table that long is read by nobody, and the page is to stay small
MOST_ROWS = 10_000
CHARTS = ("lines", "bars", "columns")
_SPARK_DAYS = 28
EMPTY = "There is nothing to show yet: no row answers this."


class ReportError(FinalError):
    """The report can't be written; the message says what to mend."""


@dataclass(frozen=True)
class Chart:
    """Which columns of an answer are drawn, and how (``charts.draw``)."""

    kind: str
    x: str
    y: tuple[str, ...]


@dataclass(frozen=True)
class Question:
    """A question in the shop's words, and the query that answers it."""

    name: str
    heading: str
    sentence: str
    query: str
    chart: Chart | None


@dataclass(frozen=True)
class Card:
    """A metric on the first screen. ``better`` is `up` or `down`."""

    metric: str
    label: str
    unit: str | None = None
    better: str = "up"


@dataclass(frozen=True)
class Questions:
    """All that a shop's report asks. Without any, a page has the state of its data."""

    questions: tuple[Question, ...] = ()
    cards: tuple[Card, ...] = ()
    cards_query: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    def label(self, column: str) -> str:
        """Return what a column is called."""
        return self.labels.get(column) or column.replace("_", " ").capitalize()


@dataclass(frozen=True)
class Answer:
    """A question with its rows, or with a sentence that says why there are none."""

    question: Question
    sentence: str
    columns: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    is_cut: bool = False


@dataclass(frozen=True)
class Figure:
    """A card's value on the last day, with what it was a day and a week before."""

    card: Card
    value: Any
    day_before: Any
    week_before: Any
    spark: tuple[float | None, ...]


def read_questions(folder: Path | None) -> Questions:
    """Read what a shop's report asks; nothing if the shop has no such folder.

    Raises:
        ReportError: if a file is missing or is not what it should be; the message names it.
    """
    if folder is None:
        return Questions()
    said = _yaml(folder / FILE)
    kpis = said.get("kpis") or {}
    try:
        return Questions(
            questions=tuple(_question(folder, one) for one in said.get("questions") or []),
            cards=tuple(Card(**card) for card in kpis.get("cards") or []),
            cards_query=_read(folder / kpis["sql"]) if kpis else "",
            labels=said.get("labels") or {},
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ReportError(f"{folder / FILE}: {error!r} is missing or not known.") from None


def _question(folder: Path, said: Mapping[str, Any]) -> Question:
    chart = said.get("chart")
    drawn = None
    if chart:
        if chart["kind"] not in CHARTS:
            raise ReportError(
                f"{folder / FILE}: a chart is one of {', '.join(CHARTS)}, not {chart['kind']}."
            )
        y = chart["y"]
        drawn = Chart(chart["kind"], chart["x"], (y,) if isinstance(y, str) else tuple(y))
    return Question(
        *(said["name"], said["heading"], said["sentence"]), _read(folder / said["sql"]), drawn
    )


def _yaml(file: Path) -> dict[str, Any]:
    try:
        said = yaml.safe_load(_read(file))
    except yaml.YAMLError as error:
        raise ReportError(f"{file} is not valid YAML: {error}") from None
    return said if isinstance(said, dict) else {}


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip().rstrip(";")
    except OSError as error:
        raise ReportError(f"{file} can't be read: {error.strerror}.") from None


def read_kpis(cursor: Cursor, mart: str | None) -> dict[str, Row]:
    """Return the rows of the shop's metrics by name; none if it has no such mart."""
    if mart is None:
        return {}
    try:
        rows = _ask(cursor, sql.SQL("select * from {}").format(sql.Identifier("marts", mart)))[1]
    except psycopg2.Error:
        return {}
    return {str(row.get("metric")): row for row in rows}


def answer(
    cursor: Cursor, questions: Questions, kpis: Mapping[str, Row], personal: Iterable[str] = ()
) -> list[Answer]:
    """Ask every question in the cursor's transaction; one that can't be answered says so.

    Args:
        personal: columns that no answer may have.
    """
    return [_answer(cursor, one, kpis, frozenset(personal)) for one in questions.questions]


def _answer(
    cursor: Cursor, question: Question, kpis: Mapping[str, Row], personal: frozenset[str]
) -> Answer:
    try:
        columns, rows, is_cut = _ask(cursor, question.query)
    except psycopg2.Error as error:
        return Answer(question, _why_not(error))
    if named := sorted(personal & set(columns)):
        return Answer(question, f"This is not shown: {', '.join(named)} is personal data.")
    drawn = [question.chart.x, *question.chart.y] if question.chart else []
    if missing := [column for column in drawn if column not in columns]:
        return Answer(question, f"This can't be drawn: it has no column {', '.join(missing)}.")
    if not rows:
        return Answer(question, EMPTY, columns)
    return Answer(question, _sentence(question, rows, kpis), columns, rows, is_cut)


def _why_not(error: psycopg2.Error) -> str:
    missing = (psycopg2.errors.UndefinedTable, psycopg2.errors.UndefinedColumn)
    if isinstance(error, missing):
        # the names in it are those of the query
        return f"This can't be answered yet: {error.diag.message_primary}."
    if isinstance(error, psycopg2.errors.QueryCanceled):
        return "This took too long to answer, so it was left out."
    if isinstance(error, psycopg2.errors.InsufficientPrivilege):
        return f"This may not be asked by a reader: {error.diag.message_primary}."
    # what else the server says may hold values
    return f"This could not be answered: {type(error).__name__}."


def _ask(cursor: Cursor, query: Any) -> tuple[tuple[str, ...], tuple[Row, ...], bool]:
    """Return columns and rows of a query, and whether there were more of them."""
    cursor.execute("savepoint question")
    try:
        cursor.execute(query)
        columns = tuple(column.name for column in cursor.description or ())
        found = cursor.fetchmany(MOST_ROWS + 1)
    except psycopg2.Error:
        cursor.execute("rollback to savepoint question")
        raise
    cursor.execute("release savepoint question")
    rows = tuple(dict(zip(columns, row, strict=True)) for row in found[:MOST_ROWS])
    return columns, rows, len(found) > MOST_ROWS


def _sentence(question: Question, rows: tuple[Row, ...], kpis: Mapping[str, Row]) -> str:
    environment = ImmutableSandboxedEnvironment(autoescape=True, undefined=ChainableUndefined)
    environment.filters.update(
        {
            "number": numbers.number,
            "usd": numbers.usd,
            "share": numbers.share,
            "duration": numbers.duration,
            "day": numbers.day,
        }
    )
    try:
        return Markup(
            environment.from_string(question.sentence).render(
                rows=rows, first=rows[0], last=rows[-1], kpi=kpis
            )
        )
    except (TemplateError, TypeError, ValueError, ArithmeticError) as error:
        return f"Its sentence can't be put together ({type(error).__name__}); see its table."


def figures(cursor: Cursor, questions: Questions) -> tuple[Any, list[Figure]]:
    """Return the last day that the cards' query knows, and what each card shows of it.

    The query returns ``date_day``, ``metric`` and ``value``. None and no figure without a row.
    """
    if not questions.cards_query:
        return None, []
    try:
        _, rows, _ = _ask(cursor, questions.cards_query)
    except psycopg2.Error:
        return None, []
    values = {(row["metric"], row["date_day"]): row["value"] for row in rows}
    days = sorted({row["date_day"] for row in rows})
    if not days:
        return None, []
    last = days[-1]

    def before(metric: str, count: int) -> Any:
        return values.get((metric, last.fromordinal(last.toordinal() - count)))

    return last, [
        Figure(
            card,
            values.get((card.metric, last)),
            before(card.metric, 1),
            before(card.metric, 7),
            tuple(
                float(value) if numbers.is_number(value) else None
                for value in (before(card.metric, n) for n in range(_SPARK_DAYS - 1, -1, -1))
            ),
        )
        for card in questions.cards
    ]
