"""Values as people read them, and a CSV that a spreadsheet runs nothing of."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from elt.reporting.charts import sparkline
from elt.reporting.numbers import as_csv, brief, shown
from elt.reporting.page import delta


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("average_session_seconds", Decimal("211.5"), "3 min 32 s"),
        ("age_seconds", 0, "0 s"),
        ("age_seconds", Decimal("0.42"), "0.4 s"),
        ("age_seconds", 335_000, "3 d 21 h"),
        ("conversion_rate", Decimal("0.62457"), "62.5 %"),
        ("revenue_usd", Decimal("1234.5"), "$1,234.50"),
        ("revenue_usd", Decimal(-3), "-$3.00"),
        ("revenue_usd", None, "–"),  # noqa: RUF001 the dash that is shown
        ("order_count", 1_234_567, "1,234,567"),
        ("days_left", Decimal("12.50"), "12.50"),
        ("date_day", date(2021, 2, 10), "10 Feb 2021"),
        ("since_at", datetime(2021, 2, 10, 9, 5, tzinfo=UTC), "10 Feb 2021 09:05 UTC"),
        ("is_late", True, "yes"),
        ("share_rate", Decimal("NaN"), "NaN"),
    ],
)
def test_the_end_of_a_columns_name_says_how_it_is_shown(column, value, said):
    assert shown(column, value) == said


def test_a_chart_leaves_out_the_cents_of_large_amounts():
    assert brief("revenue_usd", Decimal("47486.58")) == "$47,487"
    assert brief("price_usd", Decimal("9.99")) == "$9.99"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\n=1", "\r=1"])
def test_a_text_that_could_be_a_formula_is_none_in_the_csv(text):
    (_, (cell, number)) = csv.reader(
        io.StringIO(as_csv(["a", "b"], [{"a": text, "b": -5}]).decode("utf-8-sig"), newline="")
    )
    assert cell == f"'{text}"
    assert number == "-5"


def test_the_csv_has_what_is_in_the_row_and_no_twenty_digits():
    row = {"name": 'Ünï, "x"', "part": Decimal(1) / 3, "price": Decimal("9.90"), "none": None}
    lines = as_csv([*row], [row]).decode("utf-8-sig").splitlines()
    assert lines == ["name,part,price,none", '"Ünï, ""x""",0.333333,9.90,']


@pytest.mark.parametrize(
    ("now", "before", "unit", "said"),
    [
        (Decimal(110), Decimal(100), "usd", ("+10.0 %", 1)),
        (Decimal("0.5"), Decimal("0.6"), "rate", ("-10.0 points", -1)),
        (5, 0, "count", ("+5", 1)),
        (0, 0, "count", ("no change", 0)),
        (100, 100, "count", ("no change", 0)),
        (None, 3, "count", ("–", 0)),  # noqa: RUF001
        (3, None, "rate", ("–", 0)),  # noqa: RUF001
    ],
)
def test_a_change_is_told_in_percent_and_that_of_a_share_in_points(now, before, unit, said):
    assert delta(now, before, unit) == said


def test_a_sparkline_begins_with_the_first_day_and_needs_two():
    assert sparkline([]) == sparkline([None, None]) == sparkline([None, 5.0]) == ""
    assert 'points="2.0,29.0 116.0,3.0"' in sparkline([None, None, 1.0, 2.0])
    assert 'points="2.0,16.0 116.0,16.0"' in sparkline([3.0, None, 3.0])
