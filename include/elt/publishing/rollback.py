"""Show the publication before the last one again, and hold it there until it is released.

What holds it is a pin: nothing is published meanwhile.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import Json

from elt.errors import EltError, FinalError
from elt.publishing import data_status, row_diff, table_schema, undo_log
from elt.publishing.row_diff import RowCounts, make_equal
from elt.publishing.table_schema import MARTS, Structure, naming_mart
from elt.warehouse.connection import transaction
from elt.warehouse.rows import one_row, one_value, rows_as


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


def active_pin(cursor: Cursor) -> Pin | None:
    """Return the pin that is in force, if there is one."""
    cursor.execute(
        """
        select
            pin.pinned_at,
            pin.pinned_by,
            pin.reason,
            undone.published_at as undone_published_at,
            (
                select published_at from ops.publication
                where undone_at is null order by publication_id desc limit 1
            ) as shown_published_at
        from ops.pin
        inner join ops.publication as undone using (publication_id)
        where pin.released_at is null
        """
    )
    pins = rows_as(cursor, Pin)
    return pins[0] if pins else None


def put_pin(cursor: Cursor, publication_id: int, by: str | None, reason: str | None) -> Pin:
    """Pin what is shown now, after a publication was undone.

    Args:
        cursor: of the transaction that undid it.
        publication_id: of the one that was undone.
        by: who wanted it; None or empty: nobody said.
        reason: why; None or empty: nobody said.
    """
    cursor.execute(
        "insert into ops.pin (publication_id, pinned_at, pinned_by, reason) "
        "values (%s, now(), %s, %s)",
        (publication_id, by or None, reason or None),
    )
    pin = active_pin(cursor)
    assert pin is not None
    return pin


def release(by: str | None = None) -> str:
    """Let the next run publish again, and return in words what was released. Safe to repeat."""
    with transaction("publisher") as cursor:
        data_status.lock(cursor)
        pin = active_pin(cursor)
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


def describe_pin(pin: Pin) -> str:
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


log = logging.getLogger(__name__)

PREVIOUS = sql.Identifier("pg_temp", "previous")


class NothingToRollBackError(FinalError):
    """There is no older publication that could be shown; nothing was changed."""


def roll_back(by: str | None = None, reason: str | None = None) -> str:
    """Undo the last publication in one transaction, pin what is shown then; say what was done.

    Readers keep their snapshots. It waits for a publication that is going on, not for a run: that
    finds the pin when it wants to publish. A second call changes nothing and says so.

    Raises:
        NothingToRollBackError: if there was no publication, or none before the last one, or that
            is not kept.
        PublishRefusedError: if a reader's object depends on a column that was not there before.
        PublishBlockedError: if a mart's columns must change while somebody has it open.
    """
    with transaction("publisher") as cursor:
        data_status.lock(cursor)
        if pinned := active_pin(cursor):
            return f"It is done already. {describe_pin(pinned)}"
        publication_id = _last_publication(cursor)
        present = table_schema.read(cursor, MARTS)
        before = undo_log.marts_before(cursor)
        total = RowCounts()
        for one in before:
            wanted = one.kept_structure or present.get(one.mart)
            with naming_mart(one.mart):
                total += _undo(cursor, one.mart, one.change, wanted, present.get(one.mart))
        cursor.execute(
            "update ops.publication set undone_at = now() "
            "where publication_id >= %s and undone_at is null",
            (publication_id,),
        )
        # what was undone is to be found by the next publication
        row_diff.forget_published(cursor)
        pinned = put_pin(cursor, publication_id, by, reason)
        for one in before:
            status = Json(one.status) if one.status else None
            data_status.put_back(cursor, one.mart, status, describe_pin(pinned))
        undo_log.forget_all(cursor)
    rows = "1 row" if total.changed == 1 else f"{total.changed:,} rows"
    outcome = f"Rolled back: {rows} changed. {describe_pin(pinned)}"
    log.info("%s", outcome)
    return outcome


def _last_publication(cursor: Cursor) -> int:
    """Return the id of the publication that can be undone."""
    cursor.execute("select min(publication_id) from ops.mart_before")
    kept: int | None = one_value(cursor)
    cursor.execute(
        "select count(*) filter (where publication_id < %(kept)s or %(kept)s is null), count(*) "
        "from ops.publication",
        {"kept": kept},
    )
    older, publications = one_row(cursor)
    if not publications:
        raise NothingToRollBackError("Nothing was ever published, so there is nothing to undo.")
    if not older:
        raise NothingToRollBackError(
            "There is no publication before this first one, so none could be shown instead. "
            "Nothing was changed."
        )
    if kept is None:
        raise NothingToRollBackError(
            "The publication before the last one is not kept any more: one step back is kept, and "
            "that was taken. Nothing was changed. Mend the cause and start a run."
        )
    return kept


def _undo(
    cursor: Cursor,
    mart: str,
    change: undo_log.Change,
    wanted: Structure | None,
    present: Structure | None,
) -> RowCounts:
    if change == "none" or wanted is None:
        return RowCounts()
    if change == "new":
        table_schema.drop(cursor, mart)
        return RowCounts()
    if change in ("columns", "gone"):
        table_schema.carry_over(cursor, mart, wanted, present)
    _collect_previous(cursor, mart, wanted)
    changed_keys = row_diff.CHANGED_KEYS if change == "rows" else None
    return make_equal(cursor, mart, wanted, changed_keys, build=PREVIOUS)


def _collect_previous(cursor: Cursor, mart: str, wanted: Structure) -> None:
    """Put the rows as they were into the table PREVIOUS, and their keys into CHANGED_KEYS."""
    cursor.execute("drop table if exists pg_temp.previous, pg_temp.touched")
    cursor.execute(
        sql.SQL(
            "create temporary table previous (like {mart}) on commit drop;"
            "insert into previous ({columns}) select {values} from ops.row_before as kept"
            " cross join lateral jsonb_populate_record(null::pg_temp.previous, kept.row_data)"
            " as was where kept.mart = {name} and kept.row_data is not null;"
            "create temporary table touched on commit drop as select distinct {key}"
            " from ops.row_before as kept"
            " cross join lateral jsonb_populate_record(null::pg_temp.previous, kept.row_key)"
            " as was where kept.mart = {name};"
            "analyze pg_temp.previous; analyze pg_temp.touched"
        ).format(
            mart=sql.Identifier(MARTS, mart),
            name=sql.Literal(mart),
            columns=sql.SQL(", ").join(map(sql.Identifier, wanted.columns)),
            values=sql.SQL(", ").join(sql.Identifier("was", name) for name in wanted.columns),
            key=sql.SQL(", ").join(sql.Identifier("was", name) for name in wanted.key),
        )
    )
