"""Where COPY puts the rows of a file: the raw table of a first load, or a temporary table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from elt.loading import raw_table, value_formats
from elt.loading.contract import Table
from elt.loading.errors import RefusedFileError
from elt.loading.files.stream import CHUNK_BYTES, Readable

NEW = sql.Identifier("pg_temp", "_new")
# no column of a contract has a capital
NUMBER = sql.Identifier("_Number")
_BY_PLACE = sql.SQL("row_number() over (order by ctid)")
# The server may speak another language: only the order of the parts is relied on.
_CONTEXT = re.compile(r"COPY [^,]+, \D*(\d+)(?:, \S+ ([^:,]+))?")


@dataclass(frozen=True)
class Target:
    """A table without a key that takes the rows of one file. ``number`` counts them in its order.

    The count is right as long as one COPY wrote all rows, or each row brought its number.
    """

    name: sql.Identifier
    number: sql.Composable


def open_raw(cursor: Cursor, table: Table, load_id: int) -> Target:
    """Make the raw table, still without its key; rows that come now belong to the load."""
    raw_table.create(cursor, table, load_id=load_id)
    return raw_target(table)


def raw_target(table: Table) -> Target:
    return Target(raw_table.name_of(table), _BY_PLACE)


def open_new(
    cursor: Cursor, table: Table, names: Sequence[str] = (), *, is_numbered: bool = False
) -> Target:
    """Make the temporary table: the contract's columns, and one for each unknown one of ``names``.

    ``is_numbered`` adds a column that counts the rows from 1, or takes what it is given.
    """
    columns = [
        sql.SQL("{} {} {}").format(
            sql.Identifier(column.name),
            sql.SQL(column.data_type),
            sql.SQL("not null" if column.name in table.primary_key else ""),
        )
        for column in table.columns
    ]
    columns += [sql.SQL("check ({} <> '')").format(key) for key in emptiable_keys(table)]
    columns += [sql.SQL("{} text").format(place) for place in unknown_places(table, names)]
    if is_numbered:
        columns.append(sql.SQL("{} bigserial").format(NUMBER))
    cursor.execute(
        sql.SQL("create temporary table {} ({}) on commit drop").format(
            sql.Identifier("_new"), sql.SQL(", ").join(columns)
        )
    )
    return Target(NEW, NUMBER if is_numbered else _BY_PLACE)


def places(table: Table, names: Sequence[str]) -> list[sql.Identifier]:
    """Return the columns for the fields of a file with this header, the unknown ones by place."""
    return [
        sql.Identifier(name if table.column(name) else f"_Unknown {place}")
        for place, name in enumerate(names)
    ]


def emptiable_keys(table: Table) -> list[sql.Identifier]:
    """Return the columns of the key that could be an empty text, which is no key either."""
    texts = (key for key in table.primary_key if table.column(key).data_type == "text")
    return [sql.Identifier(key) for key in texts if table.null_text]


def unknown_places(table: Table, names: Sequence[str]) -> list[sql.Identifier]:
    pairs = zip(names, places(table, names), strict=True)
    return [place for name, place in pairs if table.column(name) is None]


def copy(
    cursor: Cursor,
    table: Table,
    target: sql.Identifier,
    columns: Sequence[sql.Identifier],
    stream: Readable,
    *,
    options: str = "header true",
) -> int:
    """Copy CSV, as the files of ``table`` are written, into columns and return the number of rows.

    Raises:
        RefusedFileError: if the server refuses it. It holds none of the file's data.
        Exception: what the stream raised, if it keeps that in ``error``.
    """
    names = sql.SQL(", ").join(columns)
    nulls = sql.SQL("force_null ({})").format(names)
    if table.null_text:
        # then a quoted one is meant as text, and an empty field is an empty text
        nulls = sql.SQL("null {}").format(sql.Literal(table.null_text))
    statement = sql.SQL(
        "copy {} ({}) from stdin (format csv, encoding 'UTF8', delimiter {}, {}, {})"
    ).format(target, names, sql.Literal(table.delimiter), nulls, sql.SQL(options))
    refused: RefusedFileError | None = None
    failed: Exception | None = None
    try:
        cursor.copy_expert(statement.as_string(cursor), stream, size=CHUNK_BYTES)
    except psycopg2.Error as error:
        failed = getattr(stream, "error", None)
        if failed is None and (refused := translate(error)) is None:
            raise
    # raised out here, so that the server's words, which quote the data, do not hang on it
    if failed or refused:
        raise failed or refused
    return cursor.rowcount


def translate(error: psycopg2.Error) -> RefusedFileError | None:
    """Return what a server's error says about the file, or None if it is not about the file."""
    kind = {
        psycopg2.errors.NotNullViolation: "key",
        psycopg2.errors.BadCopyFileFormat: "structure",
        psycopg2.errors.CharacterNotInRepertoire: "encoding",
        psycopg2.errors.ProgramLimitExceeded: "limit",
        psycopg2.errors.StatementTooComplex: "limit",
        psycopg2.errors.TooManyColumns: "limit",
        psycopg2.errors.TooManyArguments: "limit",
        psycopg2.errors.UniqueViolation: "duplicate",
        psycopg2.errors.CheckViolation: "value",
    }.get(type(error))
    if kind is None and isinstance(error, psycopg2.DataError | psycopg2.IntegrityError):
        kind = "type"
    if kind is None:
        return None
    place = _CONTEXT.match(error.diag.context or "")
    column = error.diag.column_name or (place.group(2) if place else None)
    if kind == "value":
        kind, column = value_formats.read_check(error.diag.constraint_name or "")
    return RefusedFileError(
        kind,
        reason=type(error).__name__,
        server_line=int(place.group(1)) if place else None,
        column=column,
    )
