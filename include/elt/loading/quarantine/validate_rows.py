"""Every reason why a record can't be loaded: structure in Python, values by the server itself."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from psycopg2 import sql

from elt.loading import value_formats
from elt.loading.contract import Column
from elt.loading.files.csv_records import Record, faults_of
from elt.loading.quarantine.store import BadRow
from elt.loading.staging_table import StagingTable, savepoint
from elt.warehouse.rows import rows_as

_TEXTS = sql.Identifier("pg_temp", "_text")


@dataclass(frozen=True)
class _Faults:
    """Why a record can't be loaded, and the columns to blame, in the contract's order."""

    number: int
    reasons: list[str]
    columns: list[str]


def stage_records(
    staging: StagingTable,
    names: Sequence[str],
    records: Sequence[Record],
    *,
    end: bytes = b"\n",
    latest: datetime | None = None,
) -> list[BadRow]:
    """Bring the records that fit into a staging table, and return the others with every reason.

    Args:
        staging: a numbered one; a row in it has its record's number.
        names: the header of the records.
        records: the records, each on its own.
        end: the line end that they should have.
        latest: the latest version that a row may have.
    """
    knows_marker = staging.cursor.connection.server_version < 180000
    bad, right = [], []
    for record in records:
        faults = faults_of(record, staging.table, len(names), end, knows_marker=knows_marker)
        if faults:
            bad.append(BadRow(record, tuple(faults)))
        else:
            right.append(record)
    texts = replace(staging, name=_TEXTS, columns=(staging.number, *staging.columns))
    staging.cursor.execute(
        sql.SQL("create temporary table if not exists _text ({}) on commit drop").format(
            sql.SQL(", ").join(
                sql.SQL("{} {}").format(column, sql.SQL("text" if place else "bigint"))
                for place, column in enumerate(texts.columns)
            )
        )
    )
    bad += _stage(staging, texts, names, right, latest)
    return sorted(bad, key=lambda row: row.record.number)


def _stage(
    staging: StagingTable,
    texts: StagingTable,
    names: Sequence[str],
    records: Sequence[Record],
    latest: datetime | None,
) -> list[BadRow]:
    if not records:
        return []
    bad: list[BadRow] = []
    with savepoint(staging.cursor, "records") as outcome:
        bad = _stage_at_once(staging, texts, names, records, latest)
    if outcome.refused is None:
        return bad
    if len(records) == 1:
        reason = f"the server refuses it ({outcome.refused.reason})"
        return [BadRow(records[0], (reason,), outcome.refused.column)]
    # a record that even a careful look trips over: find it by halves
    half = len(records) // 2
    parts = (records[:half], records[half:])
    return [row for part in parts for row in _stage(staging, texts, names, part, latest)]


def _stage_at_once(
    staging: StagingTable,
    texts: StagingTable,
    names: Sequence[str],
    records: Sequence[Record],
    latest: datetime | None,
) -> list[BadRow]:
    cursor, table = staging.cursor, staging.table
    cursor.execute(sql.SQL("truncate {}").format(texts.name))
    line = b"%d" + table.delimiter.encode() + b"%b\n"
    data = b"".join(line % (record.number, record.text) for record in records)
    texts.copy(io.BytesIO(data), options="header false")
    given = [column for column in table.columns if column.name in names]
    by_number = {record.number: record for record in records}
    bad = [
        BadRow(by_number[found.number], tuple(found.reasons), found.columns[0])
        for found in _find_faults(texts, given, latest)
    ]
    cursor.execute(
        sql.SQL("delete from {} where {} = any(%s)").format(texts.name, texts.number),
        [[row.record.number for row in bad]],
    )
    cursor.execute(
        sql.SQL("insert into {} ({}, {}) select {}, {} from {}").format(
            staging.name,
            staging.number,
            sql.SQL(", ").join(sql.Identifier(column.name) for column in given),
            texts.number,
            sql.SQL(", ").join(
                sql.SQL("cast({} as {})").format(
                    sql.Identifier(column.name), sql.SQL(column.data_type)
                )
                for column in given
            ),
            texts.name,
        )
    )
    return bad


def _find_faults(
    texts: StagingTable, given: Sequence[Column], latest: datetime | None
) -> list[_Faults]:
    table = texts.table
    faults = []
    for column in given:
        name = sql.Identifier(column.name)
        if column.name in table.primary_key:
            reason = f"column {column.name}: is empty, but it is part of the key"
            # a file with a null text of its own has empty texts as well
            is_empty = sql.SQL("coalesce({}, '') = ''").format(name)
            faults.append((column.name, is_empty, reason))
        if column.data_type != "text":
            is_fit = value_formats.is_fit(table, column)
            expected = value_formats.expected(table, column)
            reason = f"column {column.name}: is not a valid {column.data_type}{expected}"
            faults.append((column.name, sql.SQL("not {}").format(is_fit), reason))
            if latest and column.name == table.version:
                is_too_late = sql.SQL("case when {} then {}::{} > {} end").format(
                    is_fit, name, sql.SQL(column.data_type), sql.Literal(latest)
                )
                reason = f"column {column.name}: is later than the load, so it can't be right"
                faults.append((column.name, is_too_late, reason))
    texts.cursor.execute(
        sql.SQL(
            "select {} as number, array_remove(array[{}], null) as reasons, "
            "array_remove(array[{}], null) as columns from {} where {}"
        ).format(
            texts.number,
            _cases((condition, reason) for _, condition, reason in faults),
            _cases((condition, name) for name, condition, _ in faults),
            texts.name,
            sql.SQL(" or ").join(condition for _, condition, _ in faults),
        )
    )
    return rows_as(texts.cursor, _Faults)


def _cases(pairs: Iterable[tuple[sql.Composable, str]]) -> sql.Composed:
    return sql.SQL(", ").join(
        sql.SQL("case when {} then {} end").format(condition, sql.Literal(text))
        for condition, text in pairs
    )
