"""Whatever is written to the shop between and during reads: in the end the warehouse has it."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import empty
from .shop_database import EVENTS, ORDERS, TABLES, USERS, ShopDatabase

pytestmark = pytest.mark.slow

keys = st.sampled_from("abcdef")
# minutes: some lie within the overlap of an hour, some far before it
minutes = st.integers(0, 600)
edits = st.one_of(
    st.tuples(st.just("event"), keys, minutes),
    st.tuples(st.just("order"), keys, minutes),
    st.tuples(st.just("user"), keys, minutes),
    st.tuples(st.just("no user"), keys, minutes),
)
# what one transaction does: its edits, and over how many reads it stays open before it commits
transactions = st.tuples(st.lists(edits, min_size=1, max_size=3), st.integers(0, 2))
steps = st.lists(st.lists(transactions, max_size=3), min_size=1, max_size=5)

STATEMENTS = {
    "order": "insert into orders values (%(key)s, %(text)s, %(minute)s) on conflict (order_id) "
    "do update set status = excluded.status, cost = excluded.cost",
    "user": "insert into users values (%(key)s, %(text)s) on conflict (user_id) "
    "do update set email = excluded.email",
    "no user": "delete from users where user_id = %(key)s",
}


class Edits:
    """Transactions on the shop, some of them open for a while."""

    def __init__(self, database: ShopDatabase) -> None:
        self.database = database
        self.read = 0
        self.number = 0
        self.open: list[tuple[int, object]] = []
        self.locked: set[tuple[str, str]] = set()

    def do(self, these: list[tuple[str, str, int]], stays_open: int) -> None:
        connection = self.database.connect()
        with connection.cursor() as cursor:
            for kind, key, minute in these:
                self.number += 1
                values = {"key": key, "text": str(self.number), "minute": minute}
                if kind == "event":
                    # it happens at the time that its transaction begins, or somewhat before
                    self.event(cursor, minute % 60)
                elif (kind.split()[-1], key) not in self.locked:
                    cursor.execute(STATEMENTS[kind], values)
                    self.locked.add((kind.split()[-1], key))
        self.open.append((self.read + stays_open, connection))
        self.commit()

    def event(self, cursor, minute: int) -> None:
        cursor.execute(
            "insert into events values (%s, 'x', timestamptz '2021-02-01' + %s * interval '3 hours'"
            " - %s * interval '1 minute')",
            [str(self.number), self.read, minute],
        )

    def commit(self, all_of_them: bool = False) -> None:
        for until, connection in list(self.open):
            if all_of_them or until <= self.read:
                connection.commit()
                connection.close()
                self.open.remove((until, connection))
        if not self.open:
            self.locked.clear()


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps)
def test_any_edits_arrive_though_some_are_committed_late(database: ShopDatabase, steps):
    empty(database.shop.warehouse)
    database.run("truncate orders, events, users")
    edits = Edits(database)
    with contextlib.ExitStack() as stack:
        stack.callback(edits.commit, all_of_them=True)
        for step in steps:
            for these, stays_open in step:
                edits.do(these, stays_open)
            database.load("events", confirm_shrunk=["users"])
            edits.read += 1
            edits.commit()
    database.load("events", confirm_shrunk=["users"])
    assert all(database.is_equal(table) for table in TABLES)
    again = [database.load(table.name, run_id="again") for table in (ORDERS, EVENTS, USERS)]
    assert [(r.rows_inserted, r.rows_updated, r.rows_deleted) for r in again] == [(0, 0, 0)] * 3
