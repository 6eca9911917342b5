"""COPY of one file into a temporary table with the file's own columns."""

from __future__ import annotations

import re

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from include.extract.contracts import Table
from include.extract.errors import RefusedFileError
from include.extract.header import Header
from include.extract.stream import CHUNK_BYTES, Stream

NEW = sql.Identifier("pg_temp", "_new")
# The server may speak another language: only the order of the parts is relied on.
_CONTEXT = re.compile(r"COPY [^,]+, \D*(\d+)(?:, \S+ ([^:,]+))?")


def fill(cursor: Cursor, table: Table, header: Header, stream: Stream) -> int:
    """Copy the stream into the temporary table and return the number of rows.

    Raises:
        RefusedFileError: if the server or the reader refuses it. It holds none of the file's data.
    """
    names = _staging_names(table, header)
    cursor.execute(_create_statement(table, names))
    refused: RefusedFileError | None = None
    try:
        cursor.copy_expert(_copy_statement(names).as_string(cursor), stream, size=CHUNK_BYTES)
    except psycopg2.Error as error:
        if stream.error is None:
            refused = translate(error)
        if stream.error is None and refused is None:
            raise
    # raised out here, so that the server's words, which quote the data, do not hang on it
    if stream.error is not None:
        raise stream.error
    if refused is not None:
        raise refused
    return cursor.rowcount


def translate(error: psycopg2.Error) -> RefusedFileError | None:
    """Return what a server's error says about the file, or None if it is not about the file."""
    kind = {
        psycopg2.errors.NotNullViolation: "key",
        psycopg2.errors.BadCopyFileFormat: "structure",
        psycopg2.errors.CharacterNotInRepertoire: "encoding",
        psycopg2.errors.ProgramLimitExceeded: "limit",
    }.get(type(error))
    if kind is None and isinstance(error, psycopg2.DataError | psycopg2.IntegrityError):
        kind = "type"
    if kind is None:
        return None
    place = _CONTEXT.match(error.diag.context or "")
    return RefusedFileError(
        kind,
        reason=type(error).__name__,
        server_line=int(place.group(1)) if place else None,
        column=error.diag.column_name or (place.group(2) if place else None),
    )


def _staging_names(table: Table, header: Header) -> list[str]:
    """Name the columns: those of the contract by themselves, others by their place."""
    return [
        name if table.column(name) else f"_unknown_{place}"
        for place, name in enumerate(header.names)
    ]


def _create_statement(table: Table, names: list[str]) -> sql.Composed:
    columns = []
    for name in names:
        column = table.column(name)
        columns.append(
            sql.SQL("{} {} {}").format(
                sql.Identifier(name),
                sql.SQL(column.data_type if column else "text"),
                sql.SQL("not null" if name in table.primary_key else ""),
            )
        )
    return sql.SQL("create temporary table {} ({}) on commit drop").format(
        sql.Identifier("_new"), sql.SQL(", ").join(columns)
    )


def _copy_statement(names: list[str]) -> sql.Composed:
    return sql.SQL(
        "copy {} from stdin (format csv, header true, encoding 'UTF8', force_null ({}))"
    ).format(NEW, sql.SQL(", ").join(map(sql.Identifier, names)))
