"""Publish: the only thing that changes what readers of ``marts`` see."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import UTC, datetime

from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import Json

from elt.publishing import data_status, rollback, row_diff, table_schema, undo_log
from elt.publishing.rollback import PublicationPinnedError
from elt.publishing.row_diff import RowCounts, make_equal
from elt.publishing.table_schema import BUILD, MARTS, PublishRefusedError, naming_mart
from elt.transform import overrides
from elt.transform.lineage import Lineage
from elt.transform.project import GOOD, PROJECT, fingerprint
from elt.warehouse import lease
from elt.warehouse.connection import transaction
from elt.warehouse.rows import one_row, one_value

log = logging.getLogger(__name__)


def publish(run_id: str, lineage: Lineage) -> RowCounts:
    """Make ``marts`` equal to the audited build in one transaction, and return what changed.

    Safe to repeat: a second call changes no row. Of a mart that is built by its changes only the
    keys that changed since the last publication are looked at.

    Raises:
        LeaseLostError: if another run has built since.
        PublishRefusedError: if a node of the project has no good result in this run, a mart has no
            primary key, or a reader's object depends on a column that goes.
        PublishBlockedError: if a mart's columns must change while somebody has it open.
        PublishInterruptedError: if the server fails in the middle.
        PublicationPinnedError: if an operator has rolled back and not released that yet.
    """
    with transaction("publisher") as cursor:
        horizon = lease.renew(cursor, run_id)
        _refuse_unaudited(cursor, run_id, lineage)
        _refuse_loaded_since(cursor, horizon)
        data_status.lock(cursor)
        if pinned := rollback.active_pin(cursor):
            outcome = f"Not published. {rollback.describe_pin(pinned)}"
            data_status.record_held_back(cursor, run_id, outcome, datetime.now(UTC), lineage.marts)
            cursor.connection.commit()
            raise PublicationPinnedError(outcome)
        build = table_schema.read(cursor, BUILD)
        published = table_schema.read(cursor, MARTS)
        published.pop("data_status")
        if unkeyed := sorted(m for m in lineage.marts if m not in build or not build[m].key):
            raise PublishRefusedError(
                f"These marts have no primary key in their build: {', '.join(unkeyed)}. "
                "Declare it under `constraints` in the model's YAML. Nothing was published."
            )

        publication_id = undo_log.next_id(cursor)
        done = {
            mart: undo_log.change_of(build[mart] if mart in lineage.marts else None, present)
            for mart, present in {**dict.fromkeys(lineage.marts), **published}.items()
        }
        versions = row_diff.read_versions(cursor, lineage.built_by_changes)
        trusted = versions.keys() - row_diff.marts_in_doubt(cursor)
        counts = {}
        # marts whose columns change come last: readers feel their locks, so hold them shortly
        for mart in sorted(lineage.marts, key=lambda m: (build[m] != published.get(m), m)):
            with naming_mart(mart):
                if done[mart] == "columns":
                    undo_log.keep_all_rows(cursor, publication_id, mart, published[mart])
                table_schema.carry_over(cursor, mart, build[mart], published.get(mart))
                changed_keys = kept_for = None
                if done[mart] == "rows":
                    kept_for = publication_id
                    if mart in trusted and row_diff.collect_changed_keys(
                        cursor, mart, build[mart], versions[mart]
                    ):
                        changed_keys = row_diff.CHANGED_KEYS
                counts[mart] = make_equal(
                    cursor, mart, build[mart], changed_keys, kept_for=kept_for
                )
        for mart in sorted(published.keys() - lineage.marts.keys()):
            undo_log.keep_all_rows(cursor, publication_id, mart, published[mart])
            table_schema.drop(cursor, mart)

        row_diff.remember_published(cursor, versions)
        undo_log.remember(cursor, publication_id, done, counts, published)

        now = datetime.now(UTC)
        ages = data_status.data_as_of(lineage, data_status.last_loads(cursor, horizon))
        overridden = overrides.used(cursor, run_id, lineage.nodes)
        lacks = data_status.warnings(
            lineage, data_status.rows_in_quarantine(cursor, horizon), overridden
        )
        data_status.record_published(cursor, run_id, ages, now, lacks)
        cursor.execute("update ops.run_lease set is_build_published = true")
        total = sum(counts.values(), RowCounts())
        cursor.execute(
            "insert into ops.publication (publication_id, run_id, published_at, horizon_load_id,"
            " rows_inserted, rows_updated, rows_deleted, tables, overridden, project)"
            " overriding system value values (%s, %s, %s, %s, %s, %s, %s, %s, %s,"
            # not if the project was changed while it was built
            " (select project from ops.run_lease where project = %s))",
            (
                publication_id,
                run_id,
                now,
                horizon,
                total.inserted,
                total.updated,
                total.deleted,
                Json({mart: vars(count) for mart, count in counts.items()}),
                Json([one.as_json() for one in overridden]),
                fingerprint(PROJECT),
            ),
        )
    for mart, count in counts.items():
        if count.changed:
            log.info("marts.%s: %s", mart, count)
    for one in overridden:
        log.warning("Published with an overridden test: %s, %s", one.unique_id, one.description)
    log.info("Published %d marts: %d rows changed", len(counts), total.changed)
    return total


def _refuse_unaudited(cursor: Cursor, run_id: str, lineage: Lineage) -> None:
    cursor.execute(
        # what was built before the horizon was frozen (again) was built from older rows
        "select distinct on (unique_id) unique_id, status from ops.node_result "
        "where run_id = %s and moment > (select frozen_moment from ops.run_lease) "
        "order by unique_id, moment desc",
        (run_id,),
    )
    results = dict(cursor.fetchall())
    bad = sorted(
        unique_id
        for unique_id in lineage.of_type("model", "test", "snapshot", "seed")
        if results.get(unique_id) not in GOOD
    )
    if bad:
        named = ", ".join(
            f"{lineage.nodes[i]['name']} ({results.get(i, 'did not run')})" for i in bad[:5]
        )
        more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
        raise PublishRefusedError(
            f"{len(bad)} of the project's models and tests have no good result in this run: "
            f"{named}{more}. Nothing was published. Clear those tasks, or trigger a new run."
        )


def _refuse_loaded_since(cursor: Cursor, horizon: int | None) -> None:
    cursor.execute(
        "select count(*), min(source_file) from ops.load "
        "where status = 'loaded' and load_id > coalesce(%s, 0)",
        (horizon,),
    )
    files, first = one_row(cursor)
    if files:
        raise PublishRefusedError(
            f"{files} files were loaded after this run froze its horizon, {first} among them, and "
            "not everything was built from them. Nothing was published. Clear `freeze_horizon` "
            "with its downstream, or trigger a new run."
        )


def close_run(run_id: str, marts: Iterable[str]) -> bool:
    """Give the lease back, and if the run did not publish, say so in ``marts.data_status``.

    A run that another one has followed, or that never began, says nothing.

    Returns:
        Whether it was this run's turn.
    """
    with transaction("publisher") as cursor:
        cursor.execute("select from ops.run_lease where run_id = %s for update", (run_id,))
        if cursor.rowcount == 0:
            return False
        cursor.execute("select count(*) from ops.publication where run_id = %s", (run_id,))
        publications = one_value(cursor)
        if not publications and not data_status.is_held_back(cursor, run_id):
            reason = _why(cursor, run_id)
            log.warning("This run did not publish. %s", reason)
            data_status.record_failed(cursor, run_id, reason, datetime.now(UTC), marts)
        cursor.execute("set local role loader")
        lease.release(cursor, run_id)
    return True


def _why(cursor: Cursor, run_id: str) -> str:
    cursor.execute(
        "select message from (select distinct on (task_id) * from ops.task_failure "
        "where run_id = %s order by task_id, try_number desc) as last_try "
        "order by failed_at, task_id",
        (run_id,),
    )
    messages = [message.splitlines()[0] for (message,) in cursor]
    if not messages:
        return f"The run {run_id} ended before it could publish; see its tasks in Airflow."
    more = f" And {len(messages) - 1} more failed." if len(messages) > 1 else ""
    return f"The run {run_id} failed: {messages[0]}{more}"
