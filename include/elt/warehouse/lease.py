"""Whose the warehouse is: one shop's for good, one run's for a time.

Only a run's first task takes the lease: who may load, build and publish. Every other task asks for
it back, which fails once another run has taken it in between: then the build holds that run's
tables, and going on would mix the two.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NoReturn

from psycopg2 import errors
from psycopg2.extensions import cursor as Cursor

from elt.errors import FinalError, RetryLaterError
from elt.time_limit import task_limit
from elt.warehouse import worker
from elt.warehouse.connection import transaction
from elt.warehouse.rows import one_row, value_or_none

LENGTH = timedelta(hours=2)
# for a load that is at work under a lease that was given back
WAIT = timedelta(seconds=60)


def _length() -> timedelta:
    """Return what is longer than the longest task with its retries: a live run never loses it."""
    return max(LENGTH, 4 * task_limit())


class LeaseHeldError(RetryLaterError):
    """Another run is at work; trying again later helps."""


class LeaseLostError(FinalError):
    """Another run has been at work since; this one can't go on from here."""


@dataclass(frozen=True)
class _Lease:
    run_id: str
    taken_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class _Source:
    url: str
    first_used_at: datetime


def take(cursor: Cursor, run_id: str) -> None:
    """Take the lease for a run, or keep it if the run has it already.

    Raises:
        LeaseHeldError: if another run holds it and it has not expired.
    """
    # only read: a load that is at work has the row locked until it ends
    cursor.execute(
        "select from ops.run_lease"
        " where run_id <> %s and released_at is null and expires_at >= clock_timestamp()",
        (run_id,),
    )
    if cursor.rowcount:
        _refuse_held(cursor)
    cursor.execute(
        """
        insert into ops.run_lease as lease (run_id, taken_at, expires_at)
        values (%(run_id)s, clock_timestamp(), clock_timestamp() + %(length)s)
        on conflict (only_row) do update
        set run_id = excluded.run_id,
            follows = case
                when lease.run_id = excluded.run_id then lease.follows else lease.run_id
            end,
            taken_at = excluded.taken_at,
            expires_at = excluded.expires_at,
            released_at = null,
            horizon_load_id = null,
            horizon_frozen_at = null,
            frozen_moment = null,
            project = null
        where lease.run_id = excluded.run_id
            or lease.released_at is not null
            or lease.expires_at < clock_timestamp()
        """,
        {"run_id": run_id, "length": _length()},
    )
    if cursor.rowcount == 0:
        _refuse_held(cursor)


def _refuse_held(cursor: Cursor) -> NoReturn:
    cursor.execute("select run_id, taken_at, expires_at from ops.run_lease")
    lease = one_row(cursor, _Lease)
    raise LeaseHeldError(
        f"The run {lease.run_id} has been at work in this warehouse since "
        f"{lease.taken_at:%d %b %H:%M} UTC. "
        f"Wait until it ends; if it died, its lease ends at {lease.expires_at:%H:%M} UTC, or at "
        "once as the role loader by: update ops.run_lease set released_at = now()"
    )


def renew(cursor: Cursor, run_id: str) -> int | None:
    """Make sure that the run still has the warehouse; return its horizon (a load id) once frozen.

    Called within the transaction that must not race with another run: the row stays locked.

    Raises:
        LeaseLostError: if another run took the lease since.
        OlderCodeError: if the code here is older than the warehouse.
    """
    worker.check(cursor)
    cursor.execute(
        """
        update ops.run_lease
        set expires_at = clock_timestamp() + %s, released_at = null
        where run_id = %s
        returning horizon_load_id
        """,
        (_length(), run_id),
    )
    if cursor.rowcount == 0:
        _refuse(cursor)
    return value_or_none(cursor, int)


def begin_build(cursor: Cursor, run_id: str, project: str) -> bool:
    """Make sure that the run still has the warehouse, and note that it changes what is built.

    Args:
        project: a hash of the dbt project that is built with here.

    Returns:
        Whether all that was built in this run is of that project, as far as was known before. If
        not, no later run takes its results over.

    Raises:
        LeaseLostError: if another run took the lease since.
        OlderCodeError: if the code here is older than the warehouse.
    """
    renew(cursor, run_id)
    cursor.execute("update ops.run_lease set is_build_published = false")
    cursor.execute("update ops.run_lease set project = null where project <> %s", (project,))
    return not cursor.rowcount


def hold(cursor: Cursor, run_id: str) -> None:
    """Make sure that no other run can take the warehouse before this transaction ends.

    Several tasks of the run may do so at once.

    Raises:
        LeaseLostError: if another run took the lease since.
        OlderCodeError: if the code here is older than the warehouse.
    """
    worker.check(cursor)
    cursor.execute("select from ops.run_lease where run_id = %s for share", (run_id,))
    if cursor.rowcount == 0:
        _refuse(cursor)


def holder(cursor: Cursor) -> str | None:
    """Return the run that has not given the lease back, if any."""
    cursor.execute("select run_id from ops.run_lease where released_at is null")
    return value_or_none(cursor, str)


def freeze_horizon(cursor: Cursor, run_id: str, project: str | None = None) -> int | None:
    """Freeze up to which load this run reads; return that load id (None: nothing loaded).

    Args:
        project: a hash of the dbt project that the run will build with; None: it is not known.
    """
    renew(cursor, run_id)
    cursor.execute(
        """
        update ops.run_lease
        set horizon_load_id = (select max(load_id) from ops.load where status <> 'failed'),
            horizon_frozen_at = clock_timestamp(),
            frozen_moment = nextval('ops.moment'),
            project = %s
        where run_id = %s
        returning horizon_load_id
        """,
        (project, run_id),
    )
    return value_or_none(cursor, int)


def release(cursor: Cursor, run_id: str) -> None:
    """Give the lease back. Harmless if the run does not have it (any more)."""
    cursor.execute(
        "update ops.run_lease set released_at = clock_timestamp() "
        "where run_id = %s and released_at is null",
        (run_id,),
    )


@contextlib.contextmanager
def held(run_id: str) -> Iterator[None]:
    """Have the warehouse to oneself for a while, for work that is no daily run.

    Raises:
        LeaseHeldError: if a run, or other such work, is at it, or a load of one that has ended.
    """
    with transaction("loader") as cursor:
        try:
            cursor.execute("select set_config('lock_timeout', %s, true)", (f"{WAIT.seconds}s",))
            take(cursor, run_id)
        except errors.LockNotAvailable:
            raise LeaseHeldError(
                "A load of a run that gave the warehouse back is still at work in it, for more "
                f"than {WAIT.seconds} seconds. Nothing was changed. Try again once it has ended."
            ) from None
    try:
        yield
    finally:
        with transaction("loader") as cursor:
            release(cursor, run_id)


@contextlib.contextmanager
def loading(run_id: str) -> Iterator[Cursor]:
    """Yield the cursor of a loader's transaction in which no other run can take the warehouse.

    Raises:
        LeaseLostError: if another run took the lease since.
    """
    with transaction("loader") as cursor:
        hold(cursor, run_id)
        yield cursor


def _refuse(cursor: Cursor) -> NoReturn:
    cursor.execute("select run_id from ops.run_lease")
    holder = value_or_none(cursor, str)
    raise LeaseLostError(
        f"The build holds what the run {holder} made after this one. "
        "Trigger a new run, or clear this one from its first task `begin_run`."
        if holder
        else "No run has begun in this warehouse. Clear this run from its first task, `begin_run`."
    )


class OtherShopError(FinalError):
    """The landing folder is not the one that this warehouse was filled from."""


def remember_source(cursor: Cursor, url: str) -> None:
    """Note where this warehouse's data comes from, once and for all.

    Raises:
        OtherShopError: if it came from somewhere else before.
    """
    cursor.execute("insert into ops.source (url) values (%s) on conflict do nothing", (url,))
    cursor.execute("select url, first_used_at from ops.source")
    known = one_row(cursor, _Source)
    if known.url != url:
        raise OtherShopError(
            f"This warehouse holds the shop at {known.url} (since {known.first_used_at:%d %b %Y}), "
            f"but the source is now {url}. Two shops in one warehouse would mix their numbers. Use "
            f"{known.url} again, or start over with an empty warehouse: locally `make reset`. If "
            f"the same shop's folder only moved: update ops.source set url = '{url}'"
        )
