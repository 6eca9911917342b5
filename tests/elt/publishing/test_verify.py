"""A mart that something other than publish has changed is found, told, and put right."""

from __future__ import annotations

import pytest

from elt.publishing.row_diff import RowCounts
from elt.publishing.verify import MartsChangedError, verify

MARTS = ("fct_orders", "dim_users")


@pytest.fixture
def published(shop):
    """A publication of which all later changes are told."""
    for mart in MARTS:
        shop.built(mart, version=1, changes_since=1, changed=[])
    shop.begin()
    shop.publish()
    shop.close()
    return shop


def test_marts_as_they_were_published_pass(published):
    assert verify(MARTS) == []


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("update marts.fct_orders set total_usd = 9 where order_id = 'b'", "^1 row of marts.fct_"),
        ("insert into marts.fct_orders values ('x', 1), ('y', 2)", "^2 rows of marts.fct_orders"),
        ("delete from marts.dim_users", "^1 row of marts.dim_users: not what was published"),
        ("alter table marts.dim_users add column note text", "^marts.dim_users has other columns"),
        ("drop table marts.dim_users", "^marts.dim_users has other columns, .* or is gone"),
    ],
    ids=["update", "insert", "delete", "column", "drop"],
)
def test_change_by_hand_is_told_and_put_right_by_the_next_publication(published, statement, told):
    published.warehouse.run(f"set role publisher; {statement}")
    for _ in range(2):  # asking again does not make it right
        with pytest.raises(MartsChangedError, match=told):
            verify(MARTS)
    published.begin("run 2")
    published.publish("run 2")
    for mart in MARTS:
        assert published.read(f"marts.{mart}") == published.read(f"marts_build.{mart}")
    assert verify(MARTS) == []


def test_readers_are_told_until_it_is_right(published):
    warnings = "select mart, warnings from marts.data_status where warnings is not null"
    published.warehouse.run("set role publisher; delete from marts.dim_users")
    for _ in range(2):
        with pytest.raises(MartsChangedError, match="dim_users"):
            verify(MARTS)
    assert published.warehouse.run(warnings) == [
        (
            "dim_users",
            "It is not what was published: something other than a run has changed it or its build."
            " The next publication puts it right.",
        )
    ]
    published.begin("run 2")
    assert published.publish("run 2") == RowCounts(inserted=1)
    assert published.warehouse.run(warnings) == []


def test_what_was_built_and_not_published_yet_is_no_finding(published):
    published.build("update marts_build.fct_orders set total_usd = 9 where order_id = 'b'")
    published.built("fct_orders", version=2, changes_since=1, changed=[{"order_id": "b"}])
    assert verify(MARTS) == []
    # but another row of the same mart is
    published.warehouse.run("set role publisher; delete from marts.fct_orders where order_id = 'c'")
    with pytest.raises(
        MartsChangedError, match=r"^1 row of marts\.fct_orders:.* trigger `greenery_elt` to"
    ):
        verify(MARTS)


def test_mart_that_the_next_publication_compares_whole_is_left_to_it(published):
    published.built("fct_orders", version=5, changes_since=5, changed=[])
    published.warehouse.run("set role publisher; delete from marts.fct_orders")
    assert verify(MARTS) == ["fct_orders"]
    published.begin("run 2")
    assert published.publish("run 2") == RowCounts(inserted=3)


def test_mart_whose_build_is_gone_is_left_to_the_next_publication(published):
    published.build("drop table marts_build.dim_users")
    published.warehouse.run("set role publisher; delete from marts.fct_orders where order_id = 'c'")
    # and does not hide what is found of others
    with pytest.raises(MartsChangedError, match=r"^1 row of marts\.fct_orders:"):
        verify(MARTS)


def test_nothing_is_compared_while_an_older_publication_is_pinned(published):
    published.warehouse.run(
        "set role publisher; insert into ops.pin (publication_id, pinned_at) "
        "select publication_id, now() from ops.publication"
    )
    published.warehouse.run("set role publisher; delete from marts.dim_users")
    assert verify(MARTS) == ["dim_users", "fct_orders"]
