from __future__ import annotations

from typing import Any

import pytest

from elt.alerting.messages import phrases


def generic(kind: str, column: str | None = "user_id", **more: Any) -> dict[str, Any]:
    description = more.pop("description", "")
    return {
        "description": description,
        "attached_node": "model.greenery.fct_orders",
        "column_name": column,
        "test_metadata": {"name": kind, "kwargs": {"column_name": column, **more}},
        "depends_on": {"nodes": ["model.greenery.fct_orders"]},
    }


@pytest.mark.parametrize(
    ("node", "failures", "sentence"),
    [
        pytest.param(
            generic("not_null"),
            12,
            "`fct_orders.user_id` must not be empty: 12 rows",
            id="not null",
        ),
        pytest.param(
            generic("not_null"), 1, "`fct_orders.user_id` must not be empty: 1 row", id="one row"
        ),
        pytest.param(
            generic("not_null"),
            1234567,
            "`fct_orders.user_id` must not be empty: 1,234,567 rows",
            id="many rows",
        ),
        pytest.param(
            generic("unique"),
            2,
            "`fct_orders.user_id` must be unique: 2 values more than once",
            id="unique",
        ),
        pytest.param(
            generic(
                "accepted_values", "order_status", values=["preparing", "shipped", "delivered"]
            ),
            1,
            "`fct_orders.order_status` must be one of preparing, shipped and delivered: "
            "1 other value",
            id="accepted values",
        ),
        pytest.param(
            generic("relationships", to="ref('dim_users')", field="user_id"),
            3,
            "each `fct_orders.user_id` must be found in `dim_users.user_id`: 3 rows",
            id="relationships",
        ),
        pytest.param(
            generic("has_parent", to="source('greenery', 'users')", field="user_id"),
            3,
            "each `fct_orders.user_id` must be found in `users.user_id`: 3 rows",
            id="has parent",
        ),
        pytest.param(
            generic("has_parent", to="source('greenery', 'users')", field="user_id"),
            -3,
            "each `fct_orders.user_id` must be found in `users.user_id`: 3 rows",
            id="a count below zero is told without its sign",
        ),
        pytest.param(
            generic("in_range", "discount_usd", max_value=100),
            4,
            "`fct_orders.discount_usd` must be 0 or more, at most 100: 4 rows",
            id="in range",
        ),
        pytest.param(
            generic("holds", None, condition="shipped_at >= ordered_at"),
            4,
            "`fct_orders`: `shipped_at >= ordered_at` must hold for every row: 4 rows",
            id="holds",
        ),
        pytest.param(
            generic("unique_combination", None, columns=["order_id", "product_id"]),
            1,
            "`fct_orders` must have one row for each `order_id` and `product_id`: "
            "1 value more than once",
            id="unique combination",
        ),
        pytest.param(
            generic("unique", description="An order is checked out once. More follows."),
            2,
            "An order is checked out once (`fct_orders.user_id`): 2 values more than once",
            id="what the author says comes first",
        ),
        pytest.param(
            generic("never_on_sunday"),
            2,
            "`fct_orders.user_id`: never on sunday: 2 rows",
            id="unknown and undescribed",
        ),
        pytest.param(
            {"description": "Order lines add up to the cost of their order."},
            7,
            "Order lines add up to the cost of their order: 7 rows",
            id="a file with a description",
        ),
        pytest.param({}, 7, "order lines add up: 7 rows", id="a file without a description"),
        pytest.param(None, 7, "order lines add up: 7 rows", id="not in the manifest"),
        pytest.param(generic("not_null"), None, "`fct_orders.user_id` must not be empty", id="?"),
    ],
)
def test_a_failed_test_says_what_must_hold_and_how_many_break_it(node, failures, sentence):
    unique_id = "test.greenery.assert_order_lines_add_up"
    assert phrases.failed_test(unique_id, node, failures) == sentence


@pytest.mark.parametrize(
    ("unique_id", "status", "message", "sentence"),
    [
        pytest.param(
            "model.greenery.fct_orders",
            "error",
            "Database Error in model fct_orders (models/marts/core/fct_orders.sql)\n"
            "division by zero",
            "`fct_orders` could not be built: division by zero",
            id="model",
        ),
        pytest.param(
            "snapshot.greenery.users_history",
            "error",
            None,
            "`users_history` could not be built: dbt gives no reason; see the log",
            id="without a message",
        ),
        pytest.param(
            "test.greenery.assert_order_lines_add_up",
            "error",
            'Database Error in test x (y.sql)\nrelation "fct_orders" does not exist',
            'Could not test that order lines add up: relation "fct_orders" does not exist',
            id="a test that could not run",
        ),
        pytest.param(
            "source.greenery.greenery.orders",
            "error",
            None,
            "`greenery.orders` is older than it may be",
            id="stale source",
        ),
        pytest.param(
            "source.greenery.greenery.orders",
            "runtime error",
            "no such table",
            "`greenery.orders` could not be looked at: no such table",
            id="source that can't be asked",
        ),
    ],
)
def test_a_node_that_could_not_run_says_so(unique_id, status, message, sentence):
    assert phrases.describe_node(unique_id, None, status, None, message) == sentence


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b"], "a and b"),
        (["a", "b", "c"], "a, b and c"),
        (["a", "b", "c", "d"], "a, b and 2 more"),
    ],
)
def test_names_are_listed_as_people_do_and_never_cut_for_one(names, text):
    assert phrases.listed(names, most=2) == text


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([["o17", "•••", "-5"]], ", such as order_id o17, total -5"),
        ([["•••", "•••", ""], ["o18", "", "•••"]], ", such as order_id o18"),
        ([["•••", "•••", "•••"]], ""),
        ([], ""),
    ],
    ids=["one", "the first that may be seen", "none that may be seen", "no row"],
)
def test_a_failing_row_ends_the_sentence_as_far_as_it_may_be_shown(rows, said):
    assert phrases.such_as({"columns": ["order_id", "user_id", "total"], "rows": rows}) == said


def test_rows_without_a_parent_say_what_excuses_them():
    sample = {"excuses": {"deleted": 2, "in quarantine": 1}}
    said = "of 2 it is deleted and of 1 it is in quarantine"
    assert phrases.excused(sample) == f"; as to the parent, {said}"
    assert phrases.excused(sample, are_more=True) == f"; as to the parent, besides, {said}"
    assert phrases.excused(None) == phrases.such_as(None) == ""


ODD = {
    "columns": ["state", "sentence", "is_error"],
    "rows": [["Ohio", "Orders on Tuesday: 1", "true"], ["•••", "Visits on Tuesday: 31", "false"]],
}


@pytest.mark.parametrize(
    ("failures", "sentence"),
    [
        pytest.param(1, "`state` Ohio: Orders on Tuesday: 1", id="one error, and a warning"),
        pytest.param(
            -2, "`state` Ohio: Orders on Tuesday: 1; Visits on Tuesday: 31", id="two warnings"
        ),
        pytest.param(
            -1234,
            "`state` Ohio: Orders on Tuesday: 1; Visits on Tuesday: 31; and 1,232 more",
            id="more than are shown",
        ),
    ],
)
def test_a_test_that_says_itself_what_is_odd_is_told_by_its_own_words(failures, sentence):
    node = generic("usual_volume", None, description="Orders are as usual.")
    assert phrases.failed_test("test.greenery.x", node, failures, ODD) == sentence
    assert phrases.describe_node("test.greenery.x", node, "fail", failures, None, ODD) == sentence
    assert phrases.such_as(ODD) == ""
    told = phrases.failed_test("test.greenery.x", node, failures, {**ODD, "rows": []})
    assert told.startswith("Orders are as usual (`fct_orders`): ")
