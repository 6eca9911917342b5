"""A run with nothing new: the results of the last publication's run are its results, too."""

from __future__ import annotations

from datetime import datetime, timedelta

from psycopg2.extensions import cursor as Cursor

from elt.warehouse.rows import value_or_none

# a daily run builds and tests everything in any case: a shop's own model may ask what day it is
LONGEST = timedelta(hours=20)


def take_over_results(cursor: Cursor, run_id: str, at: datetime) -> str | None:
    """Take over the results of the run that was published last, if nothing has changed since.

    That is so if nobody else had the warehouse in between, no load brought a row or a bad row, the
    dbt project is the same, and no override was made, ended or in force.

    Args:
        cursor: of a transaction as the role loader, in which the run has frozen its horizon.
        run_id: the run that has the lease.
        at: now, in UTC.

    Returns:
        The run whose results they are; None: this run must build and test by itself.
    """
    cursor.execute(
        """
        select last.run_id
        from (select * from ops.publication order by publication_id desc limit 1) as last
        inner join ops.run_lease as lease
            on lease.run_id = %(run_id)s
            and lease.follows = last.run_id
            and lease.project = last.project
        where not exists (
                select from ops.load
                where load_id > coalesce(last.horizon_load_id, 0)
                    and status = 'loaded'
                    and (
                        cause <> 'delivery'
                        or rows_inserted + rows_updated + rows_deleted + rows_quarantined > 0
                    )
            )
            and not exists (
                select from ops.override where least(until, ended_at) > last.published_at
            )
            and (
                select min(finished_at) from ops.node_result where run_id = last.run_id
            ) > %(at)s - %(longest)s
        """,
        {"run_id": run_id, "at": at, "longest": LONGEST},
    )
    last = value_or_none(cursor, str)
    if last is None:
        return None
    cursor.execute(
        """
        insert into ops.node_result (
            run_id, task_id, try_number, unique_id, kind, status, failures, message,
            execution_seconds, compiled_sql, owner, tags, sample, finished_at
        )
        select distinct on (unique_id)
            %(run_id)s, task_id, try_number, unique_id, kind, status, failures, message,
            execution_seconds, compiled_sql, owner, tags, sample, finished_at
        from ops.node_result
        where run_id = %(last)s and kind <> 'source'
        order by unique_id, moment desc
        -- begun again: they are of the horizon that was frozen last
        on conflict (run_id, task_id, try_number, unique_id) do update
        set moment = excluded.moment
        """,
        {"run_id": run_id, "last": last},
    )
    return last
