"""Rows in quarantine, tried again after their contract or they themselves were mended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

from psycopg2.extensions import cursor as Cursor

from elt.errors import SourceError
from elt.loading import load_log, merge, raw_table, staging_table, value_formats
from elt.loading.contract import Table
from elt.loading.load_context import Clock, Transaction
from elt.loading.quarantine import replay_batch, validate_rows
from elt.warehouse import lease


@dataclass(frozen=True)
class Replayed:
    """What became of the rows of one load that waited in quarantine.

    ``still_bad`` tells line and reason of each that goes on waiting, no values. ``load_id`` is None
    if all of them do.
    """

    table: str
    origin_id: int
    source_file: str
    load_id: int | None
    loaded: int
    superseded: int
    erased: int
    still_bad: tuple[str, ...]


def replay(
    tables: Mapping[str, Table], run_id: str, only: str = "", clock: Clock | None = None
) -> list[Replayed]:
    """Try what waits in quarantine again, of all tables or only of one, and say what became of it.

    It holds the lease meanwhile. Each load's rows are a transaction of their own, so what was done
    stays done whatever comes after.

    Args:
        tables: the contracts of all source tables, by name.
        run_id: holds the lease, and stands in ``ops.load``.
        only: the name of the one table; without it, all of them.
        clock: tells the time; without it, that of the machine.

    Raises:
        SourceError: if there is no such table, or ``raw`` does not agree with the contract.
        LeaseHeldError: if a run or another replay is at work.
    """
    if only and only not in tables:
        raise SourceError(f"There is no table `{only}`. There are: {', '.join(sorted(tables))}.")
    found: list[Replayed] = []
    with lease.held(run_id):
        for table in [tables[only]] if only else tables.values():
            transaction = partial(lease.loading, run_id)
            found += _replay_table(table, transaction, run_id, clock or Clock())
    return found


def in_words(result: Replayed) -> str:
    """Return what became of a load's rows, in a sentence for each reason to go on waiting."""
    counts = {
        "loaded": result.loaded,
        "made pointless by newer rows": result.superseded,
        "of forgotten people, wiped": result.erased,
        "still bad": len(result.still_bad),
    }
    listed = ", ".join(f"{count:,} {words}" for words, count in counts.items() if count)
    first = f"{result.table}, rows of load {result.origin_id} ({result.source_file}): {listed}."
    return "\n".join([first, *(f"  {reason}" for reason in result.still_bad)])


def _replay_table(
    table: Table, transaction: Transaction, run_id: str, clock: Clock
) -> Iterator[Replayed]:
    with transaction() as cursor:
        loads = replay_batch.waiting_loads(cursor, table)
        if loads and raw_table.needs_change(cursor, table):
            raise SourceError(
                f"raw.{table.name} lacks a column that its contract has by now. Start a daily run: "
                "it adds the column and reads the files anew, the rows in quarantine with them."
            )
    # the oldest first, so that a newer row finds it and replaces it
    for origin_id in loads:
        with transaction() as cursor:
            result = _replay_load(cursor, table, origin_id, run_id, clock)
        if result:
            yield result


def _replay_load(
    cursor: Cursor, table: Table, origin_id: int, run_id: str, clock: Clock
) -> Replayed | None:
    started_at = clock.now()
    raw_table.prepare(cursor, table)
    batch = replay_batch.take(cursor, table, origin_id)
    if not batch.rows:  # somebody was faster
        return None
    staging = staging_table.open_new(cursor, table, batch.names, is_numbered=True)
    value_formats.use_date_order(cursor, table)
    latest = value_formats.latest_version(table, started_at)
    bad, records = batch.sort_out()
    bad += validate_rows.stage_records(staging, batch.names, records, latest=latest)
    erased = replay_batch.leave_out_erased(staging)
    duplicates, too_long = replay_batch.leave_out_key_conflicts(staging)
    bad += batch.too_long(too_long)
    superseded = duplicates | replay_batch.leave_out_older(staging, origin_id, latest)
    good = batch.numbers - {row.record.number for row in bad} - erased - superseded
    load_id = None
    if len(bad) < len(batch.rows):
        load_id = load_log.next_load_id(cursor)
        # a few rows of a snapshot are no snapshot: nothing vanished because it is not among them
        counts = merge.apply(
            *(replace(staging, table=replace(table, load="delta")), load_id, len(good)),
            given=batch.names,
            latest=latest,
        )
        load_log.record_replay(
            cursor,
            load_log.Attempt(run_id, started_at, clock.now()),
            load_log.LoadResult(
                table.name,
                f"replay of load {origin_id}: {batch.source_file}",
                "loaded" if counts.inserted or counts.updated else "unchanged",
                load_id,
                rows_read=len(batch.rows),
                rows_inserted=counts.inserted,
                rows_updated=counts.updated,
                rows_unchanged=counts.unchanged + len(superseded) + len(erased),
                rows_quarantined=len(bad),
            ),
            origin_id,
            batch.names,
        )
    batch.settle(cursor, bad, replayed=good, superseded=superseded, erased=erased)
    return Replayed(
        *(table.name, origin_id, batch.source_file, load_id),
        *(len(good), len(superseded), len(erased)),
        tuple(f"line {row.record.line}: {row.reason}" for row in bad),
    )
