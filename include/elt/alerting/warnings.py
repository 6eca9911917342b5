"""What is odd but stops nothing, as ``ops`` knows it. All of its SQL stands here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from psycopg2.extensions import cursor as Cursor

from elt.alerting.messages.digest import Warned
from elt.alerting.messages.phrases import count, excused, failed_test, name_of
from elt.publishing import rollback


def runs_ended_since(cursor: Cursor, start: datetime) -> list[str]:
    cursor.execute(
        "select run_id from ops.run_told where state in ('success', 'failed') and told_at >= %s",
        (start,),
    )
    return [run_id for (run_id,) in cursor]


def digest_before(cursor: Cursor, start: datetime) -> datetime | None:
    """Return when the last digest before a moment was written."""
    cursor.execute(
        "select max(created_at) from ops.notification where kind = 'warnings' and created_at < %s",
        (start,),
    )
    return cursor.fetchone()[0]


def tests(cursor: Cursor, run_ids: list[str], nodes: Mapping[str, Any]) -> list[Warned]:
    """Return the tests and freshness checks whose last result in these runs is a warning."""
    cursor.execute(
        """
        with latest as (
            select distinct on (unique_id) unique_id, status, failures, owner, sample
            from ops.node_result
            where run_id = any (%s)
            order by unique_id, moment desc
        )
        select
            unique_id, failures, owner, sample,
            (
                select min(warned.finished_at)
                from ops.node_result as warned
                where
                    warned.unique_id = latest.unique_id
                    and warned.status = 'warn'
                    and warned.moment > coalesce(
                        (
                            select max(other.moment)
                            from ops.node_result as other
                            where other.unique_id = latest.unique_id and other.status <> 'warn'
                        ),
                        0
                    )
            )
        from latest
        where status = 'warn'
        order by unique_id
        """,
        (run_ids,),
    )
    found = []
    for unique_id, failures, owner, sample, since in cursor:
        if unique_id.startswith("source."):
            sentence = f"`{name_of(unique_id)}` is older than it should be"
        else:
            sentence = failed_test(unique_id, nodes.get(unique_id), failures) + excused(sample)
        found.append(Warned("test", sentence, since, owner))
    return found


def loads(cursor: Cursor, since: datetime) -> list[Warned]:
    """Return what loads have noticed since a moment, and columns that are still amiss."""
    cursor.execute(
        """
        with last_load as (
            select distinct on (table_name) table_name, source_columns
            from ops.load
            where source_columns is not null
            order by table_name, load_id desc
        )
        select message, warned_at
        from ops.load_warning
        left join last_load using (table_name)
        where
            warned_at > %s
            or (kind = 'unknown_column' and detail = any (source_columns))
            or (kind = 'missing_column' and detail <> all (source_columns))
        order by warning_id
        """,
        (since,),
    )
    return [Warned("source", message.rstrip("."), at) for message, at in cursor]


def quarantine(cursor: Cursor, since: datetime) -> list[Warned]:
    """Return which tables have rows that wait, and doubles that were left out since a moment."""
    cursor.execute(
        """
        select table_name, is_replayable, count(*), min(quarantined_at)
        from ops.quarantine
        where resolved_at is null and (is_replayable or quarantined_at > %s)
        group by table_name, is_replayable
        order by table_name, is_replayable desc
        """,
        (since,),
    )
    found = []
    for table, is_replayable, rows, at in cursor:
        waiting = f"{count(rows, 'row')} of `{table}`"
        what = "not loaded yet" if is_replayable else "left out: another row has the same key"
        found.append(Warned("quarantine", f"{waiting} {what}", at))
    return found


def pins(cursor: Cursor) -> list[Warned]:
    """Return whether an operator has an older publication shown, lest that be forgotten."""
    held = rollback.active_pin(cursor)
    if held is None:
        return []
    sentence = "A publication was rolled back: none is shown before `make release`"
    return [Warned("pin", sentence, held.pinned_at)]
