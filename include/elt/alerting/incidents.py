"""What becomes of incidents when a run is looked at, and how ``ops`` keeps them.

What becomes of them is pure: a report and what is known in, incidents out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import psycopg2.extras
from psycopg2.extensions import cursor as Cursor

from elt.alerting.report import SLOW_RUN, Failure, Report
from elt.alerting.run_facts import RunContext
from elt.warehouse.rows import one_value, rows_as, value_or_none


@dataclass(frozen=True)
class Incident:
    """Something that fails, from the first time it was seen until it is mended. Times are UTC."""

    fingerprint: str
    # the run that found it; incidents of one first run share a message
    first_run_id: str
    kind: str
    sentence: str
    history: str | None
    failures: int | None
    unique_id: str | None
    task_id: str | None
    owner: str | None
    tags: tuple[str, ...]
    first_seen: datetime
    last_seen: datetime
    run_ids: tuple[str, ...]
    resolved_at: datetime | None = None
    resolved_run_id: str | None = None
    # as people call it; None: it is not kept yet
    number: int | None = None
    # who looks at it, and what that person says
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None
    note: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether it still fails."""
        return self.resolved_at is None

    def is_new(self, run_id: str) -> bool:
        """Whether a run is the first one that saw it."""
        return self.is_open and self.run_ids == (run_id,)


def after(report: Report, known: Iterable[Incident]) -> list[Incident]:
    """Return the incidents that a report opens, goes on with or resolves, as they are then.

    Looking at the same report twice changes nothing the second time.

    Args:
        known: all open incidents, and those that the report's run has seen before.
    """
    known = list(known)
    changed = [_seen(failure, report, known) for failure in report.failures]
    failing = {failure.key for failure in report.failures}
    for incident in known:
        if (
            incident.is_open
            and incident.fingerprint not in failing
            and _can_resolve(report, incident)
        ):
            recovered_at = report.recovered_at(incident.fingerprint, incident.last_seen)
            if recovered_at is not None:
                changed.append(
                    replace(incident, resolved_at=recovered_at, resolved_run_id=report.run.run_id)
                )
    return [incident for incident in changed if incident not in known]


def _can_resolve(report: Report, incident: Incident) -> bool:
    """Whether a run can know of an incident: one that began before it was last seen can not.

    Such a run is told late; what it found to be well has failed since. It knows of what it found
    itself, though. That nothing was published for long is mended by whatever run ends after that;
    whether logs can be kept no run knows.
    """
    if incident.kind == "logs":
        return not report.run.is_run
    if incident.kind == "late" and incident.fingerprint != SLOW_RUN:
        return report.at >= incident.last_seen
    started_at = report.run.started_at
    return (
        report.run.run_id in incident.run_ids
        or started_at is None
        or started_at >= incident.last_seen
    )


def _seen(failure: Failure, report: Report, known: list[Incident]) -> Incident:
    """Return the incident of a failure: a known one that goes on, or a new one."""
    run_id, seen_at = report.run.run_id, failure.seen_at or report.at
    ours = [incident for incident in known if incident.fingerprint == failure.key]
    for incident in ours:
        if incident.is_open:
            return _go_on(incident, failure, run_id, seen_at)
    for incident in ours:
        if incident.resolved_at is not None and seen_at <= incident.resolved_at:
            return incident  # told late; it is mended already
        if incident.first_run_id == run_id:
            reopened = replace(incident, resolved_at=None, resolved_run_id=None)
            return _go_on(reopened, failure, run_id, seen_at)
    return new(failure, run_id, seen_at)


def new(failure: Failure, run_id: str, seen_at: datetime) -> Incident:
    """Return the incident of a failure that was not there before."""
    return Incident(
        fingerprint=failure.key,
        first_run_id=run_id,
        kind=failure.kind,
        sentence=failure.sentence,
        history=failure.history,
        failures=failure.failures,
        unique_id=failure.unique_id,
        task_id=failure.task_id,
        owner=failure.owner,
        tags=failure.tags,
        first_seen=seen_at,
        last_seen=seen_at,
        run_ids=(run_id,),
    )


def _go_on(incident: Incident, failure: Failure, run_id: str, seen_at: datetime) -> Incident:
    is_newer = seen_at >= incident.last_seen
    return replace(
        incident,
        sentence=failure.sentence if is_newer else incident.sentence,
        failures=failure.failures if is_newer else incident.failures,
        task_id=failure.task_id or incident.task_id,
        owner=failure.owner or incident.owner,
        tags=failure.tags or incident.tags,
        first_seen=min(seen_at, incident.first_seen),
        last_seen=max(seen_at, incident.last_seen),
        run_ids=tuple(dict.fromkeys([*incident.run_ids, run_id])),
    )


COLUMNS = (
    "fingerprint",
    "first_run_id",
    "kind",
    "sentence",
    "history",
    "failures",
    "unique_id",
    "task_id",
    "owner",
    "tags",
    "first_seen",
    "last_seen",
    "run_ids",
    "resolved_at",
    "resolved_run_id",
)
# what `ops` or a person gives; no look at a run changes it
GIVEN = ("number", "acknowledged_by", "acknowledged_at", "note")
_SELECT = f"select {', '.join([*COLUMNS, *GIVEN])} from ops.incident"


def lock_incidents(cursor: Cursor) -> None:
    """Have whoever else wants to change incidents wait for the end of this transaction."""
    # in a mode that rights to read don't give; readers and writers go on
    cursor.execute("lock table ops.incident in share update exclusive mode")


def is_quiet(cursor: Cursor, run_id: str) -> bool:
    """Tell whether nothing is open, nothing waits to be sent, and a run was never told of."""
    cursor.execute(
        """
        select
            not exists (select from ops.incident where state = 'open')
            and not exists (select from ops.notification where state <> 'sent')
            and not exists (select from ops.incident where first_run_id = %(run_id)s)
            and not exists (select from ops.task_failure where run_id = %(run_id)s)
            and not exists (
                select from ops.publication where run_id = %(run_id)s and overridden <> '[]'
            )
        """,
        {"run_id": run_id},
    )
    return bool(one_value(cursor))


def open_since_run(cursor: Cursor, fingerprint: str) -> str | None:
    """Return the run that found what is still failing, None if it is not failing."""
    cursor.execute(
        "select first_run_id from ops.incident where state = 'open' and fingerprint = %s",
        (fingerprint,),
    )
    return value_or_none(cursor, str)


def known_incidents(cursor: Cursor, run_id: str) -> list[Incident]:
    """Return all open incidents, and those that a run has seen, newest first."""
    cursor.execute(
        f"{_SELECT} where state = 'open' or run_ids @> array[%s] order by first_seen desc",
        (run_id,),
    )
    return _read_incidents(cursor)


def with_first_run(cursor: Cursor, run_ids: Iterable[str]) -> list[Incident]:
    """Return the incidents that given runs found: those that share a message each."""
    cursor.execute(
        f"{_SELECT} where first_run_id = any (%s) order by first_seen, fingerprint",
        (list(run_ids),),
    )
    return _read_incidents(cursor)


def open_incidents(cursor: Cursor) -> list[Incident]:
    """Return what fails now, in the order in which it was found."""
    cursor.execute(f"{_SELECT} where state = 'open' order by number")
    return _read_incidents(cursor)


def acknowledged_since(cursor: Cursor, age: timedelta) -> list[Incident]:
    """Return the open incidents of which somebody has said so lately, the first one first."""
    cursor.execute(
        f"{_SELECT} where state = 'open' and acknowledged_at > clock_timestamp() - %s "
        "order by acknowledged_at",
        (age,),
    )
    return _read_incidents(cursor)


def save(cursor: Cursor, incidents: Iterable[Incident]) -> None:
    """Write incidents as they are now, new ones and known ones."""
    rows = [(*_column_values(i), "open" if i.is_open else "resolved") for i in incidents]
    if not rows:
        return
    names = (*COLUMNS, "state")
    updates = ", ".join(f"{name} = excluded.{name}" for name in names[2:])
    psycopg2.extras.execute_values(
        cursor,
        f"insert into ops.incident ({', '.join(names)}) values %s "
        f"on conflict (fingerprint, first_run_id) do update set {updates}",
        # resolved ones first: a key may only be open once
        sorted(rows, key=lambda row: row[-1] == "open"),
    )


def _column_values(incident: Incident) -> list[object]:
    values = [getattr(incident, name) for name in COLUMNS]
    return [list(value) if isinstance(value, tuple) else value for value in values]


def record_notified(cursor: Cursor, run: RunContext) -> None:
    """Remember in which state a run is known to people."""
    cursor.execute(
        """
        insert into ops.run_told (run_id, dag_id, state, started_at)
        values (%s, %s, %s, %s)
        on conflict (run_id) do update
        set state = excluded.state,
            started_at = coalesce(excluded.started_at, run_told.started_at),
            told_at = clock_timestamp()
        """,
        (run.run_id, run.dag_id, run.state, run.started_at),
    )


def notified_states(cursor: Cursor) -> dict[str, str]:
    """Return run id → state of the runs that people know, those they heard of last at the end."""
    cursor.execute("select run_id, state from ops.run_told order by told_at")
    return dict(cursor.fetchall())


def _read_incidents(cursor: Cursor) -> list[Incident]:
    return [
        Incident(**{**values, "tags": tuple(values["tags"]), "run_ids": tuple(values["run_ids"])})
        for values in rows_as(cursor, dict[str, Any])
    ]
