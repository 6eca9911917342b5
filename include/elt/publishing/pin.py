"""A pin holds an older publication in place: nothing is published until it is released."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg2.extensions import cursor as Cursor

from elt.errors import EltError
from elt.publishing import data_status
from elt.warehouse.connection import transaction


@dataclass(frozen=True)
class Pin:
    """A rollback that is in force. Times are UTC."""

    pinned_at: datetime
    pinned_by: str | None
    reason: str | None
    # when the publication that was undone, and the one that is shown, were published
    undone_published_at: datetime
    shown_published_at: datetime | None


class PublicationPinnedError(EltError):
    """The build is good and was not published, since an operator wants an older one shown."""


def active(cursor: Cursor) -> Pin | None:
    """Return the pin that is in force, if there is one."""
    cursor.execute(
        """
        select
            pin.pinned_at,
            pin.pinned_by,
            pin.reason,
            undone.published_at,
            (
                select published_at from ops.publication
                where undone_at is null order by publication_id desc limit 1
            )
        from ops.pin
        inner join ops.publication as undone using (publication_id)
        where pin.released_at is null
        """
    )
    row = cursor.fetchone()
    return Pin(*row) if row else None


def put(cursor: Cursor, publication_id: int, by: str | None, reason: str | None) -> Pin:
    """Pin what is shown now, after a publication was undone."""
    cursor.execute(
        "insert into ops.pin (publication_id, pinned_at, pinned_by, reason) "
        "values (%s, now(), %s, %s)",
        (publication_id, by or None, reason or None),
    )
    pin = active(cursor)
    assert pin is not None
    return pin


def release(by: str | None = None) -> str:
    """Let the next run publish again, and return in words what was released. Safe to repeat."""
    with transaction("publisher") as cursor:
        data_status.lock(cursor)
        pin = active(cursor)
        if pin is None:
            return "Nothing is pinned. The next run publishes as usual."
        cursor.execute(
            "update ops.pin set released_at = now(), released_by = %s where released_at is null",
            (by or None,),
        )
        cursor.execute(
            "update marts.data_status set pinned = null, reason = case "
            "when last_run_outcome in ('rolled back', 'held back') "
            "then 'The pin was released; the next good run publishes.' else reason end"
        )
    return (
        f"Released: what was pinned since {_time(pin.pinned_at)}. "
        "The next good run publishes what it builds. Start one, if the cause is mended: make run"
    )


def in_words(pin: Pin) -> str:
    """Return since when, by whom and why what is shown, and how that ends."""
    by = f" by {pin.pinned_by}" if pin.pinned_by else ""
    why = f": {pin.reason.rstrip('.')}" if pin.reason else ""
    shown = (
        f"shown is the one of {_time(pin.shown_published_at)}"
        if pin.shown_published_at
        else "shown is the one before"
    )
    return (
        f"Pinned since {_time(pin.pinned_at)}{by}{why}. "
        f"The publication of {_time(pin.undone_published_at)} was undone; {shown}. "
        "Nothing is published until somebody says `make release` or triggers the DAG `release`."
    )


def _time(at: datetime) -> str:
    return f"{at:%-d %b %Y %H:%M} UTC"
