from __future__ import annotations

import os
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elt.loading.files.file_names import (
    closest_table,
    original,
    place,
    printable,
    without_extension,
)

TABLES = ("orders", "order_items", "users", "events")


def in_order(paths: Sequence[str]) -> list[str]:
    return sorted(paths, key=place)


@pytest.mark.parametrize(
    "ordered",
    [
        ("o/orders_9.csv", "o/orders_10.csv"),
        ("o/orders_09.csv", "o/orders_10.csv"),
        ("o/dt=2021-02-9/1.csv", "o/dt=2021-02-10/0.csv", "o/dt=2021-2-11/0.csv"),
        ("o/2021/9/30.csv", "o/2021/10/1.csv.gz", "o/2021/10/2.CSV"),
        ("o/a.csv", "o/B.csv", "o/c.CSV.GZ"),
        ("o/Orders_9.csv", "o/orders_10.csv", "o/ORDERS_11.csv"),
        ("o/part.csv", "o/part-2.csv", "o/part-10.csv.gz"),
        ("o/9" + "9" * 5000 + ".csv", "o/1" + "0" * 5001 + ".csv"),
        ("o.csv", "o/0.csv"),
        ("o/1.csv", "o/1/1.csv", "o/2.csv"),
        ("o/v1.9.csv", "o/v1.10.csv"),
        ("o/20210209T2359.csv", "o/20210210T0001.csv"),
        ("o/1 (9).csv", "o/1 (10).csv"),
    ],
)
def test_numbers_in_names_count_as_numbers(ordered):
    assert in_order(ordered[::-1]) == list(ordered)


@pytest.mark.parametrize(
    "twins",
    [("o/1.csv", "o/01.csv"), ("o/a.csv", "o/A.csv"), ("o/1.csv", "o/1.csv.gz", "o/001.CSV")],
)
def test_names_that_are_equal_but_for_zeros_and_case_have_one_order_all_the_same(twins):
    assert in_order(twins) == in_order(twins[::-1])


@given(st.lists(st.text(st.sampled_from("aB01 9/._-²é"), min_size=1, max_size=9), max_size=5))
def test_any_names_have_an_order(names):
    paths = [f"o/{name}.csv" for name in names]
    assert in_order(paths) == in_order(paths[::-1])


@given(st.binary(min_size=1, max_size=12))
def test_any_name_is_shown_as_text_and_found_again(name):
    path = os.fsdecode(name)
    shown = printable(path)
    assert shown.isprintable()
    assert shown.encode()
    assert original(shown) == path


@given(st.text(st.sampled_from("\\xe9u0a\udce9\n"), max_size=8))
def test_a_name_that_looks_escaped_is_not_taken_for_another(name):
    assert original(printable(name)) == name


def test_bytes_that_are_no_text_are_shown_as_their_numbers():
    assert printable("jan\udce9.csv") == "jan\\xe9.csv"
    assert printable("a\nb\u202e.csv") == "a\\u000ab\\u202e.csv"


def test_a_name_is_told_without_either_extension():
    names = ("a.csv", "a.CSV.GZ", "a.Csv", "a.b.csv.gz", "a.txt")
    assert [without_extension(name) for name in names] == ["a", "a", "a", "a.b", "a.txt"]


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("orders (1)", "orders"),
        ("orders_20210210", "orders"),
        ("orders20210210", "orders"),
        ("orders-2021-02-10", "orders"),
        ("Orders", "orders"),
        ("Copy of orders", "orders"),
        ("order", "orders"),
        ("oders_2", "orders"),
        ("order_items (2)", "order_items"),
        ("OrderItems-2021", "order_items"),
        ("order items", "order_items"),
        ("greenery_events_export", "events"),
        ("customers", None),
        ("reviews", None),
        ("2021-02-10", None),
        ("README.md", None),
        ("", None),
    ],
)
def test_the_table_that_a_name_means_is_found(name, table):
    assert closest_table(name, TABLES) == table
