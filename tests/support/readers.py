"""Readers of marts who must never notice that a run is at work."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

# a publication changes them together, so a reader must see both of one publication
QUERY = """
select
    (select coalesce(sum(order_total_usd), 0) from marts.fct_orders),
    (select value from marts.fct_kpis where metric = 'revenue_usd'),
    (select count(*) from marts.fct_orders),
    (select numerator from marts.fct_kpis where metric = 'conversion_rate')
"""
OWN_VIEW = """
create schema if not exists of_a_reader authorization reader;
set role reader;
create or replace view of_a_reader.revenue as
    select sum(order_total_usd) as revenue, count(*) as orders from marts.fct_orders;
reset role
"""
# the same question, asked through the reader's own view
QUERY_OF_OWN_VIEW = QUERY.replace(
    "(select coalesce(sum(order_total_usd), 0) from marts.fct_orders)",
    "(select coalesce(revenue, 0) from of_a_reader.revenue)",
)
# nobody may wait longer for a lock; the answer itself may take longer on a busy machine
LOCK_TIMEOUT = "1s"
PATIENCE = 10.0


@dataclass
class Readers:
    """What the readers saw: slow answers, errors, and every distinct picture."""

    errors: list[str] = field(default_factory=list)
    slowest: float = 0.0
    pictures: set[tuple] = field(default_factory=set)
    answers: int = 0

    def assert_undisturbed(self) -> None:
        assert not self.errors, self.errors[:3]
        assert self.answers > 20, "the readers hardly read"
        assert self.slowest < PATIENCE, f"a reader waited {self.slowest:.1f} s"
        for revenue, told_revenue, orders, _ in self.pictures:
            assert revenue == told_revenue, "a reader saw a mix of two publications"
            assert orders > 0


@contextlib.contextmanager
def watched_by_readers(warehouse: Any) -> Iterator[Readers]:
    """Have five readers ask the marts all along.

    One by READ COMMITTED, one by REPEATABLE READ with a transaction for each question, one in a
    single long snapshot, one idle in its transaction, and one with a view of its own on a mart.
    """
    seen, stop = Readers(), threading.Event()
    warehouse.run(OWN_VIEW)

    def ask(cursor: Any, query: str) -> tuple:
        begun = time.monotonic()
        cursor.execute(query)
        picture = cursor.fetchone()
        seen.slowest = max(seen.slowest, time.monotonic() - begun)
        seen.pictures.add(picture)
        seen.answers += 1
        return picture

    def read(isolation: str, *, long: bool, idle: bool, query: str = QUERY) -> None:
        try:
            with contextlib.closing(warehouse.connect()) as connection:
                connection.set_session(isolation_level=isolation)
                with connection.cursor() as cursor:
                    cursor.execute("set role reader")
                    cursor.execute("select set_config('lock_timeout', %s, false)", (LOCK_TIMEOUT,))
                    connection.commit()
                    first = ask(cursor, query)
                    while not stop.wait(0.1):
                        if idle:
                            continue
                        if not long:
                            connection.commit()
                        picture = ask(cursor, query)
                        if long and picture != first:
                            seen.errors.append(f"a snapshot changed from {first} to {picture}")
                    if idle:
                        ask(cursor, query)
        except Exception as error:
            seen.errors.append(f"{isolation}: {error}")

    threads = [
        threading.Thread(
            target=read,
            args=(isolation,),
            kwargs={"long": long, "idle": idle, "query": query},
        )
        for isolation, long, idle, query in [
            ("READ COMMITTED", False, False, QUERY),
            ("REPEATABLE READ", False, False, QUERY),
            ("REPEATABLE READ", True, False, QUERY),
            ("READ COMMITTED", True, True, QUERY),
            ("READ COMMITTED", False, False, QUERY_OF_OWN_VIEW),
        ]
    ]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
