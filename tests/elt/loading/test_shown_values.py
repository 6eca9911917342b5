"""Whatever shows a value of a row asks here whether it may."""

from __future__ import annotations

import pytest

from elt.loading.shown_values import HIDDEN, Kind, fits, kind_of_ids, shown

# what a row whose fields have shifted puts into any column
PERSONAL = [
    *("Jane", "jane", "Jane Doe", "O'Brien", "Müller", "686 Waxwing Pass", "12 Main St"),
    *("jane@example.com", "555-123-4567", "(555) 123-4567", "+1 555 123 4567", "078-05-1120"),
]
STATUSES = frozenset({"preparing", "shipped"})
ORDER_IDS = kind_of_ids(f"ORD-{number:05}" for number in range(1, 400))
TYPES = [
    *("smallint", "integer", "bigint", "numeric", "numeric(12, 2)", "double precision"),
    *("boolean", "date", "time", "timestamptz", "timestamp with time zone", "interval"),
    *("uuid", "text", "jsonb", "a_type_of_later"),
]


@pytest.mark.parametrize("data_type", TYPES)
@pytest.mark.parametrize("value", PERSONAL)
def test_a_person_is_not_shown_wherever_a_shifted_row_puts_them(value, data_type):
    assert shown(value, Kind(data_type)) == HIDDEN


@pytest.mark.parametrize("kind", [Kind(accepted=STATUSES), ORDER_IDS], ids=["values", "ids"])
@pytest.mark.parametrize("value", [*PERSONAL, "5551234567", "98115"])
def test_nor_in_a_column_of_ids_or_of_a_few_values(value, kind):
    assert not fits(value, kind)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("-5", Kind("integer")),
        ("12.5", Kind("integer")),
        ("99999.99", Kind("numeric(12, 2)")),
        ("1,299.00", Kind("numeric")),
        ("$12.99", Kind("numeric")),
        ("12,50", Kind("numeric")),
        ("1e+20", Kind("double precision")),
        ("NaN", Kind("numeric")),
        ("-Infinity", Kind("numeric")),
        ("2021-02-30", Kind("date")),
        ("11/02/2021 01:15", Kind("timestamptz")),
        ("2021-02-11 01:15:30.5+00", Kind("timestamp with time zone")),
        ("2021-02-11T01:15:30Z", Kind("timestamptz")),
        ("11 Feb 2021", Kind("timestamptz")),
        ("9999-12-31", Kind("date")),
        ("25:99", Kind("time")),
        ("tomorrow", Kind("timestamptz")),
        ("3 days 01:00:00", Kind("interval")),
        ("true", Kind("boolean")),
        ("shipped", Kind(accepted=STATUSES)),
        ("N/A", Kind("integer")),
        ("", Kind("text")),
        ("ORD-99999", ORDER_IDS),
        ("0a1b2c3d-1111-2222-3333-444455556666", Kind("text")),
        ("0a1b2c3d11112222333344445555eeee", Kind("text")),
    ],
)
def test_a_value_that_looks_like_what_its_column_holds_is_shown(value, kind):
    assert shown(value, kind) == value


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("returned", Kind(accepted=STATUSES)),
        # out of range: perhaps a telephone number
        ("5551234567", Kind("integer")),
        ("five", Kind("integer")),
        ("ORD-1234567890", ORDER_IDS),
        ("XYZ-00001", ORDER_IDS),
        ("a word", Kind("text")),
        ("7", Kind("text")),
        ("shipped", Kind(accepted=STATUSES, is_personal=True)),
    ],
)
def test_what_can_be_something_else_is_not(value, kind):
    assert not fits(value, kind)


@pytest.mark.parametrize(
    "values",
    [
        ["Jane", "Joe", "Ann"],
        ["555-123-4567", "555-123-4568"],
        ["o1"],
        ["o1", "o2", "b", "c", "d"],
        ["jane82", "joe7", "ann1"],
        [],
    ],
    ids=["names", "telephones", "one", "few", "names with numbers", "none"],
)
def test_a_column_of_other_things_has_no_pattern_of_ids(values):
    assert kind_of_ids(values) == Kind()
