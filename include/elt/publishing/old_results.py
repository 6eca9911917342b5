"""Which of dbt's results stay in ``ops.node_result``, and for how long.

People ask what failed, since when, and how often before; how long a build usually takes; and the
report shows how tests went each day. For these a shop that runs every few minutes need not keep
what passed each time.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from psycopg2.extensions import cursor as Cursor

log = logging.getLogger(__name__)

# runs that people may still be told of, each with all the results that it took over
RUNS_WHOLE = 3
ALL_RESULTS = timedelta(days=2)
ONE_A_DAY = timedelta(days=90)


def prune_results(cursor: Cursor, run_id: str, at: datetime) -> None:
    """Delete results that nobody will ask for; called by each run.

    Of what a run took over nothing stays when a few publications have come after it. Of what a run
    found itself all stays for two days; of what passed then the last of each node and day (UTC),
    for 90 days. What did not pass stays, and so does the last result of each node: what failed and
    since when, and what has passed its test, is told by these.

    Args:
        cursor: of a transaction as the role loader.
        run_id: the run that is at work, whose results stay.
        at: now, in UTC.
    """
    cursor.execute(
        """
        delete from ops.node_result
        where taken_from is not null
            and run_id <> %(run_id)s
            and run_id not in (
                select run_id from ops.publication order by publication_id desc limit %(runs)s
            )
        """,
        {"run_id": run_id, "runs": RUNS_WHOLE},
    )
    cursor.execute(
        """
        delete from ops.node_result as result
        using (
            select
                run_id, task_id, try_number, unique_id, finished_at,
                row_number() over (partition by unique_id order by moment desc) as place,
                row_number() over (
                    partition by unique_id, (finished_at at time zone 'UTC')::date
                    order by moment desc
                ) as place_of_day
            from ops.node_result
            where taken_from is null
                and status in ('pass', 'success')
                and finished_at < %(all_since)s
        ) as passed
        where (result.run_id, result.task_id, result.try_number, result.unique_id)
            = (passed.run_id, passed.task_id, passed.try_number, passed.unique_id)
            and passed.place > 1
            and (passed.place_of_day > 1 or passed.finished_at < %(one_a_day_since)s)
            and result.run_id <> %(run_id)s
        """,
        {"run_id": run_id, "all_since": at - ALL_RESULTS, "one_a_day_since": at - ONE_A_DAY},
    )
    if cursor.rowcount:
        log.info("%d results of dbt that passed long ago are deleted.", cursor.rowcount)
