"""The answer to a question: rows of ``marts``, as they are or as CSV."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import psycopg2

from elt.metrics.definitions import Definitions
from elt.metrics.errors import MetricError
from elt.metrics.question import Question
from elt.warehouse.connection import transaction

# what the published series says where there is none
NONE = "(none)"
# as the published series has it
DECIMALS = 4
# what a spreadsheet takes for a formula
FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Answer:
    """Rows, the value last; a dimension that is null is NONE, a value without any is None."""

    names: tuple[str, ...]
    rows: list[tuple[Any, ...]]

    def csv(self) -> str:
        """Return it for programs and spreadsheets; no cell is a formula."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.names)
        for *dimensions, value in self.rows:
            writer.writerow([*map(_no_formula, map(str, dimensions)), value])
        return text.getvalue()


def ask(definitions: Definitions, question: Question) -> Answer:
    """Ask the published marts, as a reader.

    Raises:
        MetricError: if nothing is published yet, or the log-in may not read.
    """
    try:
        with transaction("reader") as cursor:
            cursor.execute("set transaction read only")
            # the SQL names columns alone, no schema's functions: nothing of it is a parameter
            cursor.execute(sql_of(definitions, question))
            rows = cursor.fetchall()
    except (psycopg2.errors.UndefinedTable, psycopg2.errors.UndefinedColumn):
        raise MetricError(
            f"{question.metric.name} is not published yet: the next run does it."
        ) from None
    except psycopg2.errors.InsufficientPrivilege:
        raise MetricError(
            "The log-in may not read the marts as `reader`. Have an administrator run "
            "include/elt/warehouse/bootstrap.sql again."
        ) from None
    names = (*question.by, question.metric.name)
    return Answer(names, [_row(row) for row in rows])


def sql_of(definitions: Definitions, question: Question) -> str:
    """Return the SQL that answers a question."""
    return definitions.sql(
        question.answered_by.name, list(question.by.values()), question.first, question.last
    )


def _row(row: tuple[Any, ...]) -> tuple[Any, ...]:
    *dimensions, value = row
    return (*map(_dimension, dimensions), _value(value))


def _dimension(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.date()
    return NONE if value is None else value


def _value(value: Any) -> Decimal | int | None:
    if value is None or isinstance(value, int):
        return value
    number = Decimal(str(value))
    decimals = len(str(number).partition(".")[2])
    return (
        number if decimals <= DECIMALS else number.quantize(Decimal(10) ** -DECIMALS, ROUND_HALF_UP)
    )


def _no_formula(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text
