"""The way of a file with bad rows: what is right is loaded, the rest comes back with its faults.

Clean pieces go through COPY as they are. Only the records of a piece that the server refuses are
cut in Python, and their values are judged by the server.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from include.extract import judge, staging
from include.extract.chunks import Chunk, read_chunks
from include.extract.contracts import Table
from include.extract.glued import Headers
from include.extract.quarantine import Quarantine
from include.extract.savepoint import savepoint
from include.extract.staging import NEW, Target
from include.extract.stream import Text
from include.extract.structure import MARKER


def fill(
    cursor: Cursor, table: Table, names: Sequence[str], stream: Text, quarantine: Quarantine
) -> tuple[Target, int]:
    """Fill the temporary table with the good rows of a file; return it and the rows read.

    Raises:
        RefusedFileError: if the file can't be cut into rows at all.
    """
    target = staging.open_new(cursor, table, names, is_numbered=True)
    columns = staging.places(table, names)
    knows_marker = cursor.connection.server_version < 180000
    headers = Headers(table, names)
    number = 1
    for chunk in read_chunks(stream):
        rows = None
        is_clean = chunk.cuts is None and not headers.may_be_in(chunk.data)
        if is_clean and not (knows_marker and MARKER.search(chunk.data)):
            rows = _copy(cursor, table, columns, chunk)
        if rows is None:
            records = list(chunk.records(number))
            rows = len(records)
            bad, records = headers.sort_out(records)
            bad += judge.stage_records(cursor, table, names, records, end=chunk.end)
            quarantine.add(sorted(bad, key=lambda row: row.record.number))
            _count_on_from(cursor, number + rows)
        number += rows
    return target, number - 1


def _copy(
    cursor: Cursor, table: Table, columns: Sequence[sql.Identifier], chunk: Chunk
) -> int | None:
    rows = 0
    with savepoint(cursor, "piece") as attempt:
        # the header shows the server how lines end
        rows = staging.copy(cursor, table, NEW, columns, io.BytesIO(chunk.header + chunk.data))
    return None if attempt.refused else rows


def _count_on_from(cursor: Cursor, number: int) -> None:
    # a sequence does not go back by itself when a piece is undone
    cursor.execute(
        "select setval(pg_get_serial_sequence('pg_temp._new', '_Number'), %s, false)", [number]
    )
