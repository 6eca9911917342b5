"""``marts.data_status``: how old the data of a mart is, and why it is not newer."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import Json

from elt.transform.lineage import Lineage
from elt.transform.overrides import Override


def lock(cursor: Cursor) -> None:
    """Have whoever else wants to change what marts show wait for the end of this transaction."""
    cursor.execute("lock table marts.data_status in share row exclusive mode")


def data_as_of(lineage: Lineage, last_loads: Mapping[str, datetime]) -> dict[str, datetime | None]:
    """Return for each mart the oldest of the last successful loads it rests on.

    None where one of its source tables was never loaded.
    """
    ages: dict[str, datetime | None] = {}
    for mart, model in lineage.marts.items():
        loads = [last_loads.get(table) for table in lineage.source_tables(model)]
        is_known = loads and None not in loads
        ages[mart] = min(loads) if is_known else None  # type: ignore[type-var]  # none is None
    return ages


def last_loads(cursor: Cursor, horizon: int | None) -> dict[str, datetime]:
    """Return when each source table was last loaded, up to the run's horizon (a load id)."""
    cursor.execute(
        "select table_name, max(finished_at) from ops.load "
        "where status <> 'failed' and cause = 'delivery' and load_id <= %s group by table_name",
        (horizon,),
    )
    return dict(cursor.fetchall())


def rows_in_quarantine(cursor: Cursor, horizon: int | None) -> dict[str, int]:
    """Return how many rows of each source table wait in quarantine, up to the run's horizon.

    A row that lost against another one of the same key does not count: its key is in the marts.
    """
    cursor.execute(
        "select table_name, count(*) from ops.quarantine "
        "where resolved_at is null and is_replayable and load_id <= %s group by table_name",
        (horizon,),
    )
    return dict(cursor.fetchall())


def warnings(
    lineage: Lineage, in_quarantine: Mapping[str, int], overridden: Collection[Override] = ()
) -> dict[str, str | None]:
    """Return for each mart in words what it lacks or may have wrong, or None.

    Args:
        in_quarantine: rows that wait, by source table.
        overridden: failed tests that were let through.
    """
    found: dict[str, str | None] = {}
    for mart, model in lineage.marts.items():
        rests_on = {model, *lineage.ancestors([model])}
        parts = [
            f"The failed test {lineage.nodes[one.unique_id]['name']} was {one.description}."
            for one in overridden
            if rests_on & {*lineage.tested(one.unique_id)}
        ]
        found[mart] = " ".join([*_lacks(lineage, model, in_quarantine), *parts]) or None
    return found


def _lacks(lineage: Lineage, model: str, in_quarantine: Mapping[str, int]) -> list[str]:
    waiting = sorted(in_quarantine.keys() & lineage.source_tables(model))
    if not waiting:
        return []
    parts = [
        f"{in_quarantine[table]:,} {'row' if in_quarantine[table] == 1 else 'rows'} of {table}"
        for table in waiting
    ]
    verb = "is" if [in_quarantine[table] for table in waiting] == [1] else "are"
    return [f"{', '.join(parts)} {verb} in quarantine."]


def record_published(
    cursor: Cursor,
    run_id: str,
    ages: Mapping[str, datetime | None],
    published_at: datetime,
    lacks: Mapping[str, str | None],
) -> None:
    """Write one row per published mart and remove those of marts that are gone.

    Args:
        cursor: of the publication's own transaction.
        run_id: of the run that publishes.
        ages: by mart, how old its data is, as ``data_as_of`` returns it.
        published_at: in UTC.
        lacks: by mart, what it can't show yet or may have wrong, as ``warnings`` returns it.
    """
    cursor.execute("delete from marts.data_status where mart <> all (%s)", (list(ages),))
    for mart, age in ages.items():
        cursor.execute(
            """
            insert into marts.data_status as status
                (mart, data_as_of, published_at, last_run_id, last_run_outcome, last_run_at,
                reason, warnings)
            values (%(mart)s, %(age)s, %(at)s, %(run_id)s, 'published', %(at)s, null, %(lacks)s)
            on conflict (mart) do update
            set data_as_of = excluded.data_as_of,
                published_at = excluded.published_at,
                last_run_id = excluded.last_run_id,
                last_run_outcome = excluded.last_run_outcome,
                last_run_at = excluded.last_run_at,
                reason = excluded.reason,
                warnings = excluded.warnings,
                pinned = null
            """,
            {
                "mart": mart,
                "age": age,
                "at": published_at,
                "run_id": run_id,
                "lacks": lacks.get(mart),
            },
        )


def record_failed(
    cursor: Cursor, run_id: str, reason: str, failed_at: datetime, marts: Iterable[str]
) -> None:
    """Say on every mart that the last run did not publish, and why. What they show stays.

    Args:
        cursor: of a transaction as the role publisher.
        run_id: of that run.
        reason: in a sentence, for readers of the marts.
        failed_at: in UTC.
        marts: names of all marts; one that was never published gets a row too.
    """
    cursor.execute(
        """
        insert into marts.data_status as status
            (mart, last_run_id, last_run_outcome, last_run_at, reason)
        select mart, %s, 'failed', %s, %s from unnest(%s::text[]) as mart
        on conflict (mart) do update
        set last_run_id = excluded.last_run_id,
            last_run_outcome = excluded.last_run_outcome,
            last_run_at = excluded.last_run_at,
            reason = excluded.reason
        """,
        (run_id, failed_at, reason, list(marts)),
    )


def add_warning(cursor: Cursor, mart: str, sentence: str) -> None:
    """Add a sentence to the warnings of a mart, once, until the next publication."""
    cursor.execute(
        "update marts.data_status set warnings = concat_ws(' ', warnings, %(sentence)s) "
        "where mart = %(mart)s and position(%(sentence)s in coalesce(warnings, '')) = 0",
        {"mart": mart, "sentence": sentence},
    )


def record_held_back(
    cursor: Cursor, run_id: str, why: str, at: datetime, marts: Iterable[str]
) -> None:
    """Say that the last run was good and shows nothing new, since an older one is pinned.

    Args:
        cursor: of a transaction as the role publisher.
        run_id: of that run.
        why: in a sentence, for readers of the marts.
        at: when it wanted to publish, in UTC.
        marts: names of all marts; one that was never published gets no row.
    """
    cursor.execute(
        """
        update marts.data_status
        set last_run_id = %s, last_run_outcome = 'held back', last_run_at = %s, reason = %s
        where mart = any (%s)
        """,
        (run_id, at, why, list(marts)),
    )


def is_held_back(cursor: Cursor, run_id: str) -> bool:
    """Tell whether that is what was said of a run."""
    cursor.execute(
        "select from marts.data_status where last_run_id = %s and last_run_outcome = 'held back'",
        (run_id,),
    )
    return cursor.rowcount > 0


def put_back(cursor: Cursor, mart: str, before: Json | None, pinned: str) -> None:
    """Say of a mart what was said of the publication that is shown again, and that it is pinned.

    Args:
        before: its row as it was, as JSON; None: there was none.
    """
    cursor.execute("delete from marts.data_status where mart = %s", (mart,))
    if before is None:
        return
    cursor.execute(
        """
        insert into marts.data_status
            (mart, data_as_of, published_at, last_run_id, last_run_outcome, last_run_at,
            reason, warnings, pinned)
        select mart, data_as_of, published_at, last_run_id, 'rolled back', now(),
            %(pinned)s, warnings, %(pinned)s
        from jsonb_populate_record(null::marts.data_status, %(before)s)
        """,
        {"before": before, "pinned": pinned},
    )
