"""Every reason why a record can't be loaded: structure in Python, values by the server itself."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from elt.loading import staging_table, value_formats
from elt.loading.contract import Column, Table
from elt.loading.files.csv_records import Record, faults_of
from elt.loading.quarantine.store import BadRow
from elt.loading.staging_table import NEW, NUMBER, savepoint
from elt.warehouse.rows import all_rows

TEXT = sql.Identifier("pg_temp", "_text")


@dataclass(frozen=True)
class _Faults:
    """Why a record can't be loaded, and the columns to blame, in the contract's order."""

    number: int
    reasons: list[str]
    columns: list[str]


def stage_records(
    cursor: Cursor,
    table: Table,
    names: Sequence[str],
    records: Sequence[Record],
    *,
    end: bytes = b"\n",
    latest: datetime | None = None,
) -> list[BadRow]:
    """Bring the records that fit into ``_new``, and return the others with every reason.

    ``names`` is the header of the records, ``end`` the line end they should have. ``_new`` must
    be there, numbered; a row in it has its record's number. ``latest`` is the latest version that
    a row may have.
    """
    knows_marker = cursor.connection.server_version < 180000
    bad, right = [], []
    for record in records:
        faults = faults_of(record, table, len(names), end, knows_marker=knows_marker)
        if faults:
            bad.append(BadRow(record, tuple(faults)))
        else:
            right.append(record)
    columns = [NUMBER, *staging_table.places(table, names)]
    cursor.execute(
        sql.SQL("create temporary table if not exists _text ({}) on commit drop").format(
            sql.SQL(", ").join(
                sql.SQL("{} {}").format(column, sql.SQL("text" if place else "bigint"))
                for place, column in enumerate(columns)
            )
        )
    )
    bad += _stage(cursor, table, names, columns, right, latest)
    return sorted(bad, key=lambda row: row.record.number)


def _stage(
    cursor: Cursor,
    table: Table,
    names: Sequence[str],
    columns: Sequence[sql.Identifier],
    records: Sequence[Record],
    latest: datetime | None,
) -> list[BadRow]:
    if not records:
        return []
    bad: list[BadRow] = []
    with savepoint(cursor, "records") as outcome:
        bad = _stage_at_once(cursor, table, names, columns, records, latest)
    if outcome.refused is None:
        return bad
    if len(records) == 1:
        reason = f"the server refuses it ({outcome.refused.reason})"
        return [BadRow(records[0], (reason,), outcome.refused.column)]
    # a record that even a careful look trips over: find it by halves
    half = len(records) // 2
    parts = (records[:half], records[half:])
    return [row for part in parts for row in _stage(cursor, table, names, columns, part, latest)]


def _stage_at_once(
    cursor: Cursor,
    table: Table,
    names: Sequence[str],
    columns: Sequence[sql.Identifier],
    records: Sequence[Record],
    latest: datetime | None,
) -> list[BadRow]:
    cursor.execute(sql.SQL("truncate {}").format(TEXT))
    line = b"%d" + table.delimiter.encode() + b"%b\n"
    data = b"".join(line % (record.number, record.text) for record in records)
    staging_table.copy(cursor, table, TEXT, columns, io.BytesIO(data), options="header false")
    given = [column for column in table.columns if column.name in names]
    by_number = {record.number: record for record in records}
    bad = [
        BadRow(by_number[found.number], tuple(found.reasons), found.columns[0])
        for found in _find_faults(cursor, table, given, latest)
    ]
    cursor.execute(
        sql.SQL("delete from {} where {} = any(%s)").format(TEXT, NUMBER),
        [[row.record.number for row in bad]],
    )
    cursor.execute(
        sql.SQL("insert into {} ({}, {}) select {}, {} from {}").format(
            NEW,
            NUMBER,
            sql.SQL(", ").join(sql.Identifier(column.name) for column in given),
            NUMBER,
            sql.SQL(", ").join(
                sql.SQL("cast({} as {})").format(
                    sql.Identifier(column.name), sql.SQL(column.data_type)
                )
                for column in given
            ),
            TEXT,
        )
    )
    return bad


def _find_faults(
    cursor: Cursor, table: Table, given: Sequence[Column], latest: datetime | None
) -> list[_Faults]:
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
    cursor.execute(
        sql.SQL(
            "select {} as number, array_remove(array[{}], null) as reasons, "
            "array_remove(array[{}], null) as columns from {} where {}"
        ).format(
            NUMBER,
            _cases((condition, reason) for _, condition, reason in faults),
            _cases((condition, name) for name, condition, _ in faults),
            TEXT,
            sql.SQL(" or ").join(condition for _, condition, _ in faults),
        )
    )
    return all_rows(cursor, _Faults)


def _cases(pairs: Iterable[tuple[sql.Composable, str]]) -> sql.Composed:
    return sql.SQL(", ").join(
        sql.SQL("case when {} then {} end").format(condition, sql.Literal(text))
        for condition, text in pairs
    )
