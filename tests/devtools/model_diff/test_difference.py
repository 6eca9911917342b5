"""How the rows of two tables differ, by kind and by column."""

from __future__ import annotations

import pytest

from devtools.model_diff.difference import Difference, compare

BEFORE = ("marts", "visits")
AFTER = ("dev_ci", "visits")


@pytest.fixture
def differ(warehouse):
    def tables(before: str, after: str, key: tuple[str, ...] = ("id",)) -> Difference:
        warehouse.run("call sandbox.create_schema('dev_ci')", login="analyst")
        warehouse.run(f"create table dev_ci.visits as {after}", login="analyst")
        if before:
            warehouse.run(f"create table marts.visits as {before}")
        with warehouse.connect("analyst") as connection, connection.cursor() as cursor:
            return compare(cursor, BEFORE, AFTER, key)

    return tables


def rows(*values: str, columns: str = "id, day, seconds") -> str:
    return f"select * from (values {', '.join(values)}) as visits ({columns})"


def test_rows_are_counted_by_what_happened_to_them_and_by_column(differ):
    found = differ(
        rows("(1, 1, 10)", "(2, 1, 20)", "(3, 1, null)", "(4, 1, 40)"),
        rows("(2, 2, 21)", "(3, 1, 30)", "(4, 1, 40)", "(5, 1, 50)", "(6, 1, 60)"),
    )
    assert found == Difference(
        4, 5, added=2, removed=1, changed=2, by_column={"day": 1, "seconds": 2}
    )
    assert found.is_any


def test_equal_tables_do_not_differ_whatever_the_order_of_columns(differ):
    same = rows("(1, 1, null)")
    assert not differ(same, f"select seconds, id, day from ({same}) as same").is_any


def test_a_key_of_several_columns(differ):
    found = differ(
        rows("(1, 1, 10)", "(1, 2, 10)"), rows("(1, 1, 10)", "(1, 3, 10)"), ("id", "day")
    )
    assert (found.added, found.removed, found.changed) == (1, 1, 0)


def test_columns_that_come_go_or_change_their_type(differ):
    found = differ(
        rows("(1, 1, 10)", "(2, 2, 20)"),
        rows("(1, '1', 7)", "(2, 'two', 8)", columns="id, day, hours"),
    )
    assert found.new_columns == {"hours": "integer"}
    assert found.lost_columns == {"seconds": "integer"}
    assert found.retyped_columns == {"day": ("integer", "text")}
    assert (found.changed, found.by_column) == (1, {"day": 1})


def test_another_type_of_the_key_leaves_no_row_to_compare(differ):
    found = differ(rows("(1, 1, 10)"), rows("('1', 1, 10)", "('2', 1, 10)"))
    assert (found.before, found.after, found.added, found.removed) == (1, 2, 2, 1)


def test_a_table_that_was_not_there_is_new(differ):
    assert differ("", rows("(1, 1, 10)")) == Difference(None, 1)
