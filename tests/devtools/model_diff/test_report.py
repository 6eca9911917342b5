"""What the report says, without a warehouse."""

from __future__ import annotations

from devtools.model_diff.difference import Difference
from devtools.model_diff.report import Outcome, markdown

BUILT = ("model.greenery.fct_orders", "model.greenery.fct_events")


def test_equal_marts_are_named_in_a_line():
    told = markdown(Outcome("main", BUILT, 12, {}, (), {"fct_orders": Difference(3, 3)}))
    assert told.splitlines() == [
        "### What changes since `main`",
        "",
        "Built 2 models, ran 12 tests: all passed.",
        "",
        "Built and equal: `fct_orders`.",
    ]


def test_what_failed_and_what_that_left_out_are_named():
    failed = {"fct_orders": "column x does not exist"}
    told = markdown(Outcome("v1", (), 1, failed, ("fct_kpis", "fct_user_orders"), {}))
    assert "Built 0 models, ran 1 test: **1 failed**." in told
    assert "- `fct_orders`: column x does not exist" in told
    assert "Left out because of that: `fct_kpis`, `fct_user_orders`." in told


def test_columns_are_told_by_how_many_rows_they_change():
    found = Difference(
        *(5, 5, 0, 0, 4),
        by_column={"few": 1, "many": 1234},
        lost_columns={"old": "text"},
        retyped_columns={"day": ("date", "text")},
    )
    told = markdown(Outcome("main", BUILT, 1, {}, (), {"fct_orders": found}))
    assert "| 4 | `many` 1,234; `few` 1; `old` is gone; `day` is text, was date |" in told
