"""A run with nothing new: the results of the last publication's run are its results, too."""

from __future__ import annotations

import logging
from datetime import datetime
from zoneinfo import ZoneInfo

from psycopg2.extensions import cursor as Cursor

from elt.warehouse.rows import value_or_none

log = logging.getLogger(__name__)


def take_over_results(cursor: Cursor, run_id: str, at: datetime, timezone: ZoneInfo) -> str | None:
    """Take over the results of the run that was published last, if nothing has changed since.

    That is so if nobody else had the warehouse or has built in between, no load brought a row, a
    bad row or a mend of one, the dbt project is the same, no model is to be built whole, and no
    override was made, ended or in force. The first run of a day builds in any case, and so does
    the one whose deliveries are the first of their day: models and tests may ask what day it is.

    Args:
        cursor: of a transaction as the role loader, in which the run has frozen its horizon.
        run_id: the run that has the lease.
        at: now, in UTC.
        timezone: where a day of the business begins.

    Returns:
        The run whose results they are; None: this run must build and test by itself.
    """
    cursor.execute(
        """
        with last as (
            select publication.*, results.since
            from (select * from ops.publication order by publication_id desc limit 1) as publication
            cross join lateral (
                select min(finished_at) as since from ops.node_result
                where run_id = publication.run_id and kind <> 'source'
            ) as results
        ),

        delivery as (
            select load_id, (finished_at at time zone %(zone)s)::date as day from ops.load
            where status <> 'failed' and cause = 'delivery'
        )

        select last.run_id
        from last
        inner join ops.run_lease as lease
            on lease.run_id = %(run_id)s
            and lease.follows = last.run_id
            and lease.project = last.project
            and lease.is_build_published
        where last.undone_at is null
            and (last.since at time zone %(zone)s)::date = (%(at)s at time zone %(zone)s)::date
            and (select max(day) from delivery) is not distinct from (
                select max(day) from delivery where load_id <= last.horizon_load_id
            )
            and not exists (
                select from ops.load
                where load_id > coalesce(last.horizon_load_id, 0)
                    and status = 'loaded'
                    and (
                        cause <> 'delivery'
                        or rows_inserted + rows_updated + rows_deleted + rows_quarantined > 0
                    )
            )
            and not exists (select from ops.quarantine where resolved_at > last.since)
            and not exists (
                select from ops.override where least(until, ended_at) > last.since
            )
            and not exists (
                select from ops.model_state
                where definition_hash is null and model not like 'raw.%%'
            )
        """,
        {"run_id": run_id, "at": at, "zone": timezone.key},
    )
    last = value_or_none(cursor, str)
    if last is None:
        return None
    cursor.execute(
        """
        insert into ops.node_result (
            run_id, task_id, try_number, unique_id, kind, status, failures, message,
            execution_seconds, compiled_sql, owner, tags, sample, finished_at, taken_from
        )
        select distinct on (unique_id)
            %(run_id)s, task_id, try_number, unique_id, kind, status, failures, message,
            execution_seconds, compiled_sql, owner, tags, sample, finished_at,
            coalesce(taken_from, run_id)
        from ops.node_result
        where run_id = %(last)s and kind <> 'source'
        order by unique_id, moment desc
        -- begun again, this run may have had results of its own: these are the last word
        on conflict (run_id, task_id, try_number, unique_id) do update
        set (status, failures, message, execution_seconds, compiled_sql, owner, tags, sample,
                finished_at, moment, taken_from)
            = (excluded.status, excluded.failures, excluded.message, excluded.execution_seconds,
                excluded.compiled_sql, excluded.owner, excluded.tags, excluded.sample,
                excluded.finished_at, excluded.moment, excluded.taken_from)
        """,
        {"run_id": run_id, "last": last},
    )
    log.info("Nothing is new since %s, so its results are taken over.", last)
    return last
