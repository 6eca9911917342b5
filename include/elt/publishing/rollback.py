"""Show the publication before the last one again, and hold it there."""

from __future__ import annotations

import logging

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import Json

from elt.errors import FinalError
from elt.publishing import changed_keys, data_status, pin, table_schema, undo_log
from elt.publishing.database_errors import told_of
from elt.publishing.row_diff import RowCounts, make_equal
from elt.publishing.table_schema import MARTS, Structure
from elt.warehouse.connection import transaction

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
        if pinned := pin.active(cursor):
            return f"It is done already. {pin.in_words(pinned)}"
        publication_id = _last(cursor)
        present = table_schema.read(cursor, MARTS)
        cursor.execute("select mart, change, structure from ops.mart_before order by mart")
        total = RowCounts()
        for mart, change, kept in cursor.fetchall():
            wanted = undo_log.from_json(kept) if kept else present.get(mart)
            with told_of(mart):
                total += _undo(cursor, mart, change, wanted, present.get(mart))
        cursor.execute(
            "update ops.publication set undone_at = now() "
            "where publication_id >= %s and undone_at is null",
            (publication_id,),
        )
        # what was undone is to be found by the next publication
        changed_keys.forget(cursor)
        pinned = pin.put(cursor, publication_id, by, reason)
        cursor.execute("select mart, status from ops.mart_before")
        for mart, row in cursor.fetchall():
            data_status.put_back(cursor, mart, row and Json(row), pin.in_words(pinned))
        undo_log.forget_all(cursor)
    rows = "1 row" if total.changed == 1 else f"{total.changed:,} rows"
    told = f"Rolled back: {rows} changed. {pin.in_words(pinned)}"
    log.info("%s", told)
    return told


def _last(cursor: Cursor) -> int:
    """Return the id of the publication that can be undone."""
    cursor.execute("select min(publication_id) from ops.mart_before")
    (kept,) = cursor.fetchone()
    cursor.execute(
        "select count(*) filter (where publication_id < %(kept)s or %(kept)s is null), count(*) "
        "from ops.publication",
        {"kept": kept},
    )
    older, publications = cursor.fetchone()
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
    _collect(cursor, mart, wanted)
    touched = changed_keys.TOUCHED if change == "rows" else None
    return make_equal(cursor, mart, wanted, touched, build=PREVIOUS)


def _collect(cursor: Cursor, mart: str, wanted: Structure) -> None:
    """Put the rows as they were into the table PREVIOUS, and the keys to look at into TOUCHED."""
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
