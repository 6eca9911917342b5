"""Whether the machine of a task fits the warehouse: one of many may be left behind.

A worker elsewhere may have an older image than the run's first task, or a clock that nobody sets.
"""

from __future__ import annotations

import logging
import socket
from datetime import UTC, datetime, timedelta

from psycopg2.extensions import cursor as Cursor

from elt.warehouse.migrate import MIGRATIONS, OlderCodeError
from elt.warehouse.rows import one_row

log = logging.getLogger(__name__)

# a load waits for a file that was just written, by the machine's clock: two seconds by default
CLOCKS_AGREE = timedelta(seconds=30)


def check(cursor: Cursor, now: datetime | None = None) -> None:
    """Refuse to work with older code than the warehouse has seen, and warn of a wrong clock.

    Args:
        now: the time by this machine's clock.

    Raises:
        OlderCodeError: if a migration of the warehouse is none of this code's.
    """
    now = now or datetime.now(UTC)
    cursor.execute(
        "select array_agg(name order by name) filter (where name <> all(%s)), clock_timestamp()"
        " from ops.migration",
        ([file.name for file in MIGRATIONS.glob("*.sql")],),
    )
    unknown, warehouse_clock = one_row(cursor)
    if unknown:
        raise OlderCodeError(unknown)
    host, apart = socket.gethostname(), now - warehouse_clock
    if abs(apart) > CLOCKS_AGREE:
        log.warning(
            "The clock of %s is %.0f seconds %s the warehouse's: durations are wrong by as much, "
            "and a file may be read while it is written. Set both by NTP.",
            *(host, abs(apart).total_seconds(), "ahead of" if apart > timedelta() else "behind"),
        )
