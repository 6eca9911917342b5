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
# nobody may wait longer for a lock; the answer itself may take longer on a busy machine
LOCK_TIMEOUT = "1s"
PATIENCE = 10.0


@dataclass
class Readers:
    """What four readers saw: slow answers, errors, and every distinct picture."""

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
    """Have four readers ask the marts all along.

    One by READ COMMITTED, one by REPEATABLE READ with a transaction for each question, one in a
    single long snapshot, and one idle in its transaction.
    """
    seen, stop = Readers(), threading.Event()

    def ask(cursor: Any) -> tuple:
        begun = time.monotonic()
        cursor.execute(QUERY)
        picture = cursor.fetchone()
        seen.slowest = max(seen.slowest, time.monotonic() - begun)
        seen.pictures.add(picture)
        seen.answers += 1
        return picture

    def read(isolation: str, *, long: bool, idle: bool) -> None:
        try:
            with contextlib.closing(warehouse.connect()) as connection:
                connection.set_session(isolation_level=isolation)
                with connection.cursor() as cursor:
                    cursor.execute("set role reader")
                    cursor.execute("select set_config('lock_timeout', %s, false)", (LOCK_TIMEOUT,))
                    connection.commit()
                    first = ask(cursor)
                    while not stop.wait(0.1):
                        if idle:
                            continue
                        if not long:
                            connection.commit()
                        picture = ask(cursor)
                        if long and picture != first:
                            seen.errors.append(f"a snapshot changed from {first} to {picture}")
                    if idle:
                        ask(cursor)
        except Exception as error:
            seen.errors.append(f"{isolation}: {error}")

    threads = [
        threading.Thread(target=read, args=(isolation,), kwargs={"long": long, "idle": idle})
        for isolation, long, idle in [
            ("READ COMMITTED", False, False),
            ("REPEATABLE READ", False, False),
            ("REPEATABLE READ", True, False),
            ("READ COMMITTED", True, True),
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
