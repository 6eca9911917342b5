"""The rows of one load that wait in quarantine: taken, sorted out, settled."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from elt.loading import erasure as erased
from elt.loading import raw_table
from elt.loading.contract import Table
from elt.loading.files.csv_records import NO_TEXT, Record, record_of
from elt.loading.files.file_names import place
from elt.loading.files.hidden_faults import BELOW, Headers
from elt.loading.load_log import read_known
from elt.loading.quarantine.store import BadRow, key_of
from elt.loading.staging_table import StagingTable
from elt.warehouse.rows import all_values, one_value, rows_as, value_or_none

_ESCAPED = re.compile(rb"\\x([0-9a-f]{2})")
_BY_LOAD = sql.SQL(
    "case when coalesce(first.source_file, load.source_file) = any ({later}) then true "
    "when coalesce(first.source_file, load.source_file) = any ({earlier}) then false "
    "else coalesce(first.load_id, old._load_id) >= {origin} end"
)
_BY_VERSION = sql.SQL(
    "(old._deleted_at is not null and {by_load}) "
    "or (coalesce(old.{version} > new.{version}, old.{version} is not null) and {is_possible}) "
    "or (new.{version} is not distinct from old.{version} and {by_load})"
)


@dataclass(frozen=True)
class _Quarantined:
    quarantine_id: int
    line: int
    text: str
    reason: str
    source_file: str


@dataclass(frozen=True)
class Waiting:
    """A row in quarantine. ``number`` counts the rows of its load from 1, in the file's order."""

    number: int
    quarantine_id: int
    line: int
    text: str
    reason: str

    def record(self, table: Table) -> Record:
        """Return it as it would be cut from a file."""
        raw = self.text.encode()
        if NO_TEXT.search(self.reason):
            # what was no text is kept as \xNN: unless mended, it is no text again
            raw = _ESCAPED.sub(lambda found: bytes.fromhex(found[1].decode()), raw)
        return record_of(raw, table.delimiter.encode(), number=self.number, line=self.line)


@dataclass(frozen=True)
class Batch:
    """All rows of one load that wait and may be tried again. ``names`` is the header they had."""

    table: Table
    source_file: str
    names: tuple[str, ...]
    rows: tuple[Waiting, ...]

    @property
    def numbers(self) -> set[int]:
        """The numbers of all its rows."""
        return {row.number for row in self.rows}

    def sort_out(self) -> tuple[list[BadRow], list[Record]]:
        """Part the rows: headers, and what stood below one, stay; the others may be judged."""
        headers = Headers(self.table, self.names)
        bad, records = [], []
        for row in self.rows:
            record = row.record(self.table)
            if BELOW in row.reason or headers.find(record):
                bad.append(BadRow(record, (row.reason,)))
            else:
                records.append(record)
        return bad, records

    def too_long(self, numbers: Collection[int]) -> list[BadRow]:
        """Return the rows with these numbers as bad ones, since their keys are too long."""
        reason = "the key is longer than an index can hold"
        rows = (row.record(self.table) for row in self.rows if row.number in numbers)
        return [BadRow(record, (reason,)) for record in rows]

    def settle(
        self,
        cursor: Cursor,
        bad: Sequence[BadRow],
        *,
        replayed: Collection[int],
        superseded: Collection[int],
        erased: Collection[int],
    ) -> None:
        """Write down what became of the rows; bad ones go on waiting.

        Args:
            cursor: of the replay's own transaction.
            bad: the rows that are still bad, with their reasons.
            replayed: the numbers of those that were loaded.
            superseded: the numbers of those that newer rows made pointless.
            erased: the numbers of those that were forgotten people's.
        """
        ids = {row.number: row.quarantine_id for row in self.rows}
        for resolution, numbers in (
            ("replayed", replayed),
            ("superseded", superseded),
            ("erased", erased),
        ):
            cursor.execute(
                "update ops.quarantine set resolved_at = now(), resolution = %s"
                " where quarantine_id = any (%s)",
                (resolution, [ids[number] for number in numbers]),
            )
        cursor.execute(
            "update ops.quarantine set row_text = '', row_key = null"
            " where quarantine_id = any (%s)",
            ([ids[number] for number in erased],),
        )
        execute_values(
            cursor,
            "update ops.quarantine as old set reason = new.reason, column_name = new.column_name,"
            " row_key = new.row_key::jsonb"
            " from (values %s) as new (quarantine_id, reason, column_name, row_key)"
            " where old.quarantine_id = new.quarantine_id",
            [
                (
                    ids[row.record.number],
                    row.reason,
                    row.column,
                    key_of(self.table, self.names, row.record),
                )
                for row in bad
            ],
            template="(%s, %s, %s::text, %s::jsonb)",
        )


def waiting_loads(cursor: Cursor, table: Table) -> list[int]:
    """Return the loads of which rows wait, the oldest first."""
    cursor.execute(
        "select distinct load_id from ops.quarantine where table_name = %s"
        " and resolved_at is null and is_replayable order by load_id",
        (table.name,),
    )
    return all_values(cursor, int)


def take(cursor: Cursor, table: Table, origin_id: int) -> Batch:
    """Take the rows of a load that wait; nobody else can until the transaction ends."""
    cursor.execute(
        "select quarantine_id, coalesce(line_number, 0) as line, row_text as text, reason,"
        " source_file from ops.quarantine where table_name = %s and load_id = %s"
        " and resolved_at is null and is_replayable"
        " order by line_number nulls last, quarantine_id for update",
        (table.name, origin_id),
    )
    found = rows_as(cursor, _Quarantined)
    cursor.execute("select source_columns from ops.load where load_id = %s", (origin_id,))
    names = value_or_none(cursor, list)
    return Batch(
        table,
        found[0].source_file if found else "",
        tuple(names or table.column_names),
        tuple(
            Waiting(number, row.quarantine_id, row.line, row.text, row.reason)
            for number, row in enumerate(found, 1)
        ),
    )


def leave_out_erased(staging: StagingTable) -> set[int]:
    """Take the rows of forgotten people out of a staging table and return their numbers."""
    before = staging.numbers()
    erased.drop_erased(staging, erased.read_tombstones(staging.cursor, staging.table))
    return before - staging.numbers()


def leave_out_key_conflicts(staging: StagingTable) -> tuple[set[int], set[int]]:
    """Add the key; return the rows whose key another one has, and those whose key is too long."""
    if staging.add_key() is None:
        return set(), set()
    conflicts = staging.find_key_conflicts(len(staging.numbers()))
    staging.remove(conflicts)
    staging.add_key()
    duplicates = {conflict.number for conflict in conflicts if conflict.kept is not None}
    return duplicates, {conflict.number for conflict in conflicts} - duplicates


def leave_out_older(
    staging: StagingTable, origin_id: int, latest: datetime | None = None
) -> set[int]:
    """Take rows that are older than those in ``raw`` out, and return their numbers.

    The version decides, where the contract names one. Else, and between equals, the file does: a
    row in ``raw`` is newer if its file is of a later place, or was loaded at the same time or later
    under the same name. A replayed row is as old as its first load. A version above ``latest`` is
    none.
    """
    cursor, table = staging.cursor, staging.table
    earlier, later = _other_paths(cursor, table, origin_id)
    by_load = _BY_LOAD.format(
        later=sql.Literal(later), earlier=sql.Literal(earlier), origin=sql.Literal(origin_id)
    )
    is_older: sql.Composable = by_load
    if table.version:
        version = sql.Identifier(table.version)
        is_possible: sql.Composable = sql.SQL("true")
        if latest:
            is_possible = sql.SQL("old.{} <= {}").format(version, sql.Literal(latest))
        is_older = _BY_VERSION.format(by_load=by_load, version=version, is_possible=is_possible)
    same_key = sql.SQL(" and ").join(
        sql.SQL("old.{0} = new.{0}").format(sql.Identifier(key)) for key in table.primary_key
    )
    cursor.execute(
        sql.SQL(
            "delete from {new} as new using {raw} as old"
            " left join ops.load as load on old._load_id = load.load_id"
            " left join ops.load as first on load.replay_of = first.load_id"
            " where {same_key} and ({is_older}) returning new.{number}"
        ).format(
            new=staging.name,
            raw=raw_table.name_of(table),
            number=staging.number,
            same_key=same_key,
            is_older=is_older,
        )
    )
    return set(all_values(cursor, int))


def _other_paths(cursor: Cursor, table: Table, origin_id: int) -> tuple[list[str], list[str]]:
    """Return the files of the table before and after the one of a load, by their places."""
    cursor.execute("select source_file from ops.load where load_id = %s", (origin_id,))
    path = one_value(cursor, str)
    here = place(path)
    others = [other for other in read_known(cursor, table.name) if other != path]
    return (
        [other for other in others if place(other) < here],
        [other for other in others if place(other) > here],
    )
