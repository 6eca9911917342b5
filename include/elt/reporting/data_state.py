"""The state of the data: how far it can be trusted, and what its loads, tests and builds did.

It reads ``marts.data_status`` and views over ``ops`` that hold counts and names: never a row, never
an error's own words.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from psycopg2.extensions import cursor as Cursor

from elt.alerting.messages.phrases import FAILING, count, name_of
from elt.reporting.numbers import Row
from elt.reporting.trust import MartStatus, Trust, trust
from elt.warehouse.rows import first_row, rows_as

DAYS = 14
MOST_TESTS = 25
MOST_TASKS = 100
GOOD = ("pass", "success")


@dataclass(frozen=True)
class Heat:
    """What tests did by day. A cell is None, or a state and what it says."""

    days: tuple[date, ...]
    rows: tuple[tuple[str, tuple[tuple[str, str] | None, ...]], ...]
    more: int


@dataclass(frozen=True)
class DataState:
    """All that the second half of the page shows; rows are ready to be tables."""

    trust: Trust
    as_of: datetime | None
    publication_id: int | None
    published_at: datetime | None
    marts: tuple[MartStatus, ...]
    heat: Heat
    failing: tuple[Row, ...]
    loads: tuple[Row, ...]
    quarantine: tuple[Row, ...]
    tasks: tuple[Row, ...]
    decisions: tuple[Row, ...]


def read_state(cursor: Cursor, now: datetime) -> DataState:
    """Read the state of the data in the cursor's transaction. ``now`` is UTC."""
    cursor.execute(
        "select mart, data_as_of, published_at, last_run_outcome, last_run_at, reason, warnings,"
        " pinned from marts.data_status order by mart"
    )
    marts = tuple(rows_as(cursor, MartStatus))
    cursor.execute(
        "select publication_id, published_at from ops.publication_history"
        " where undone_at is null order by publication_id desc limit 1"
    )
    shown = first_row(cursor, dict[str, Any]) or {}
    tests = _rows(
        cursor,
        """
        select distinct on (unique_id, day)
            unique_id, (finished_at at time zone 'UTC')::date as day, status, failures
        from ops.node_history
        where kind = 'test' and finished_at > %s
        order by unique_id, day, moment desc
        """,
        now - timedelta(days=DAYS),
    )
    return DataState(
        trust=trust(marts),
        as_of=min((one.data_as_of for one in marts if one.data_as_of), default=None),
        publication_id=shown.get("publication_id"),
        published_at=shown.get("published_at"),
        marts=marts,
        heat=heat(tests),
        failing=tuple(_named(_rows(cursor, _FAILING))),
        loads=tuple(_rows(cursor, _LOADS, now)),
        quarantine=tuple(_rows(cursor, _QUARANTINE)),
        tasks=tuple(_named(_rows(cursor, _TASKS))),
        decisions=tuple(_named(_rows(cursor, _DECISIONS))),
    )


def heat(results: Sequence[Row]) -> Heat:
    """Return what tests did by day: all of them in one line, then each that did not always pass."""
    days = tuple(sorted({row["day"] for row in results}))
    by_day: dict[date, list[str]] = defaultdict(list)
    by_test: dict[str, dict[date, Row]] = defaultdict(dict)
    for row in results:
        by_day[row["day"]].append(row["status"])
        by_test[row["unique_id"]][row["day"]] = row
    odd = sorted(
        (
            test
            for test, row in by_test.items()
            if any(r["status"] not in GOOD for r in row.values())
        ),
        key=lambda test: (-sum(_is_bad(r) for r in by_test[test].values()), test),
    )
    lines = [
        (name_of(test), tuple(_cell(by_test[test].get(day)) for day in days))
        for test in odd[:MOST_TESTS]
    ]
    if days:
        lines.insert(0, ("all tests", tuple(_total(by_day[day]) for day in days)))
    return Heat(days, tuple(lines), max(0, len(odd) - MOST_TESTS))


def _is_bad(row: Row) -> bool:
    return row["status"] in FAILING


def _cell(row: Row | None) -> tuple[str, str] | None:
    if row is None:
        return None
    if row["status"] in GOOD:
        return "good", "passed"
    found = "" if row["failures"] is None else f" {abs(row['failures']):,}"
    return ("bad", f"failed{found}") if _is_bad(row) else ("odd", f"warned{found}")


def _total(statuses: Sequence[str]) -> tuple[str, str]:
    bad = sum(status in FAILING for status in statuses)
    odd = sum(status not in GOOD for status in statuses) - bad
    if bad:
        return "bad", f"{bad:,} of {len(statuses):,} failed"
    if odd:
        return "odd", f"{count(len(statuses), 'test')}, {odd:,} warned"
    return "good", f"{len(statuses):,} passed"


def _named(rows: Sequence[Row]) -> list[Row]:
    """Return rows with the plain names of nodes in place of their unique ids."""
    return [{**row, "name": name_of(str(row["name"]))} for row in rows]


def _rows(cursor: Cursor, query: str, *values: Any) -> list[Row]:
    cursor.execute(query, values or None)
    return rows_as(cursor, dict[str, Any])


# what failed when it was last tried, and since when it has; and what else people were told of
_FAILING = """
    with tried as (
        select
            *,
            row_number() over (partition by unique_id order by moment desc) as place,
            max(moment) filter (where status in ('pass', 'success')) over (partition by unique_id)
                as last_good
        from ops.node_history
    ),

    failing as (
        select
            unique_id,
            kind,
            min(finished_at) as since_at,
            count(distinct run_id) as run_count,
            max(failures) filter (where place = 1) as failing_row_count,
            max(owner) as owner
        from tried
        where moment > coalesce(last_good, 0) and status in ('fail', 'error', 'runtime error')
        group by unique_id, kind
        having min(place) = 1
    )

    select
        incident.number as incident_number,
        coalesce(failing.unique_id, incident.task_id, incident.unique_id, incident.kind) as name,
        coalesce(failing.kind, incident.kind) as kind,
        coalesce(failing.since_at, incident.first_seen) as since_at,
        coalesce(failing.run_count, incident.runs) as run_count,
        coalesce(failing.failing_row_count, incident.failures) as failing_row_count,
        coalesce(failing.owner, incident.owner) as owner,
        incident.acknowledged_by as looked_at_by,
        incident.note
    from failing
    full join ops.open_incident as incident on incident.unique_id = failing.unique_id
    order by since_at, name
"""

_LOADS = """
    with loads as (
        select
            *,
            finished_at - lag(finished_at) over (partition by table_name order by load_id) as gap
        from ops.load_history
        where cause = 'delivery' and status <> 'failed'
    ),

    usual as (
        select
            table_name,
            max(finished_at) as last_load_at,
            percentile_cont(0.5) within group (order by extract(epoch from gap))
                as usual_gap_seconds,
            count(*) as load_count,
            percentile_cont(0.5) within group (order by rows_read) as usual_row_count
        from loads
        group by 1
    )

    select
        usual.table_name,
        usual.last_load_at,
        extract(epoch from %s - usual.last_load_at) as age_seconds,
        usual.usual_gap_seconds,
        last_load.rows_read as read_count,
        usual.usual_row_count,
        last_load.rows_inserted as inserted_count,
        last_load.rows_updated as updated_count,
        last_load.rows_deleted as deleted_count,
        last_load.rows_quarantined as quarantined_count
    from usual
    cross join lateral (
        select *
        from loads
        where loads.table_name = usual.table_name
        order by load_id desc
        limit 1
    ) as last_load
    order by 1
"""

_QUARANTINE = """
    select table_name, column_name, reason, row_count, since_at
    from ops.quarantine_waiting
    order by row_count desc, table_name, column_name, reason
    limit 50
"""

_TASKS = f"""
    with runs as (
        select
            *,
            row_number() over (partition by unique_id order by moment desc) as place
        from ops.node_history
        where kind in ('model', 'snapshot') and status = 'success' and taken_from is null
    ),

    usual as (
        select
            unique_id,
            percentile_cont(0.5) within group (order by execution_seconds) as seconds,
            count(*) as run_count
        from runs
        where place between 2 and 15
        group by 1
    )

    select
        built.unique_id as name,
        built.execution_seconds as last_seconds,
        usual.seconds as usual_seconds,
        coalesce(usual.run_count, 0) as compared_run_count,
        tests.*
    from runs as built
    left join usual on usual.unique_id = built.unique_id
    cross join lateral (
        -- those that ran in the task that built it
        select
            count(*) filter (where status = 'pass') as passed_count,
            count(*) filter (where status = 'warn') as warned_count,
            count(*) filter (where status in ('fail', 'error')) as failed_count,
            coalesce(sum(abs(failures)) filter (where status <> 'pass'), 0) as odd_row_count
        from ops.node_history as test
        where
            kind = 'test'
            and test.run_id = built.run_id
            and test.task_id = built.task_id
            and test.try_number = built.try_number
    ) as tests
    where built.place = 1
    order by last_seconds desc nulls last, name
    limit {MOST_TASKS}
"""

_DECISIONS = """
    select kind, name, reason, decided_by, decided_at, until_at, ended_at
    from ops.decision_history
    order by ended_at is null desc, decided_at desc
    limit 20
"""
