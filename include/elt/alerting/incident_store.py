"""Incidents and what was told, in ``ops``. All of their SQL stands here."""

from __future__ import annotations

from collections.abc import Iterable

import psycopg2.extras
from psycopg2.extensions import cursor as Cursor

from elt.alerting.incidents import Incident
from elt.alerting.run_context import Hint

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
_SELECT = f"select {', '.join(COLUMNS)} from ops.incident"


def one_at_a_time(cursor: Cursor) -> None:
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
    return bool(cursor.fetchone()[0])


def known(cursor: Cursor, run_id: str) -> list[Incident]:
    """Return all open incidents, and those that a run has seen, newest first."""
    cursor.execute(
        f"{_SELECT} where state = 'open' or run_ids @> array[%s] order by first_seen desc",
        (run_id,),
    )
    return _read(cursor)


def with_first_run(cursor: Cursor, run_ids: Iterable[str]) -> list[Incident]:
    """Return the incidents that given runs found: those that share a message each."""
    cursor.execute(
        f"{_SELECT} where first_run_id = any (%s) order by first_seen, fingerprint",
        (list(run_ids),),
    )
    return _read(cursor)


def keep(cursor: Cursor, incidents: Iterable[Incident]) -> None:
    rows = [(*_values(i), "open" if i.is_open else "resolved") for i in incidents]
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


def _values(incident: Incident) -> list[object]:
    values = [getattr(incident, name) for name in COLUMNS]
    return [list(value) if isinstance(value, tuple) else value for value in values]


def keep_told(cursor: Cursor, hint: Hint) -> None:
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
        (hint.run_id, hint.dag_id, hint.state, hint.started_at),
    )


def told(cursor: Cursor) -> dict[str, str]:
    """Return run id → state of the runs that people know."""
    cursor.execute("select run_id, state from ops.run_told")
    return dict(cursor.fetchall())


def _read(cursor: Cursor) -> list[Incident]:
    found = []
    for row in cursor.fetchall():
        values = dict(zip(COLUMNS, row, strict=True))
        values |= {name: tuple(values[name]) for name in ("tags", "run_ids")}
        found.append(Incident(**values))
    return found
