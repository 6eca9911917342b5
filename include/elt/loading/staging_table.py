"""Where COPY puts the rows of a file: the raw table of a first load, or a temporary table.

Its key is added after them, which costs far less than row by row. What the data forbids is tried
inside a savepoint.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, cast

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from elt.loading import raw_table, value_formats
from elt.loading.contract import Table
from elt.loading.errors import RefusedFileError
from elt.loading.files.landing import Readable
from elt.loading.files.stream import CHUNK_BYTES
from elt.warehouse.rows import all_rows

NEW = sql.Identifier("pg_temp", "_new")
# no column of a contract has a capital
NUMBER = sql.Identifier("_Number")
_BY_PLACE = sql.SQL("row_number() over (order by ctid)")
# The server may speak another language: only the order of the parts is relied on.
_CONTEXT = re.compile(r"COPY [^,]+, \D*(\d+)(?:, \S+ ([^:,]+))?")
_KINDS: dict[type[psycopg2.Error], str] = {
    psycopg2.errors.NotNullViolation: "key",
    psycopg2.errors.BadCopyFileFormat: "structure",
    psycopg2.errors.CharacterNotInRepertoire: "encoding",
    psycopg2.errors.ProgramLimitExceeded: "limit",
    psycopg2.errors.StatementTooComplex: "limit",
    psycopg2.errors.TooManyColumns: "limit",
    psycopg2.errors.TooManyArguments: "limit",
    psycopg2.errors.UniqueViolation: "duplicate",
    psycopg2.errors.CheckViolation: "value",
}
# of the 2,704 bytes that a row of an index may have
KEY_BYTES = 2680


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
    """Return the raw table of a source table as a target."""
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
    texts = (column for column in table.key_columns if column.data_type == "text")
    return [sql.Identifier(column.name) for column in texts if table.null_text]


def unknown_places(table: Table, names: Sequence[str]) -> list[sql.Identifier]:
    """Return the columns for those fields of a header that the contract does not name."""
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
    nulls: sql.Composable = sql.SQL("force_null ({})").format(names)
    if table.null_text:
        # then a quoted one is meant as text, and an empty field is an empty text
        nulls = sql.SQL("null {}").format(sql.Literal(table.null_text))
    statement = sql.SQL(
        "copy {} ({}) from stdin (format csv, encoding 'UTF8', delimiter {}, {}, {})"
    ).format(target, names, sql.Literal(table.delimiter), nulls, sql.SQL(options))
    refused: RefusedFileError | None = None
    failed: Exception | None = None
    try:
        # psycopg2 calls nothing but read()
        cursor.copy_expert(statement.as_string(cursor), cast(IO[bytes], stream), size=CHUNK_BYTES)
    except psycopg2.Error as error:
        failed = getattr(stream, "error", None)
        if failed is None and (refused := translate(error)) is None:
            raise
    # raised out here, so that the server's words, which quote the data, do not hang on it
    if problem := failed or refused:
        raise problem
    return cursor.rowcount


def translate(error: psycopg2.Error) -> RefusedFileError | None:
    """Return what a server's error says about the file, or None if it is not about the file."""
    kind = _KINDS.get(type(error))
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


@dataclass
class Outcome:
    """How a try ended: ``refused`` says what the data was refused for, if it was."""

    refused: RefusedFileError | None = None


@contextlib.contextmanager
def savepoint(cursor: Cursor, name: str) -> Iterator[Outcome]:
    """Undo what the block did if it is refused because of the data. Other errors go through.

    What is kept holds none of the data, and no error of the server hangs on it.
    """
    outcome = Outcome()
    identifier = sql.Identifier(name)
    cursor.execute(sql.SQL("savepoint {}").format(identifier))
    try:
        yield outcome
    except RefusedFileError as error:
        outcome.refused = error
    except psycopg2.Error as error:
        if (refused := translate(error)) is None:
            raise
        outcome.refused = refused
    if outcome.refused:
        cursor.execute(sql.SQL("rollback to savepoint {}").format(identifier))
    cursor.execute(sql.SQL("release savepoint {}").format(identifier))


@dataclass(frozen=True)
class KeyConflict:
    """A row that the key has no place for.

    ``kept`` is the number of the row with the same key that stays; None if the key itself is too
    long.
    """

    place: str
    number: int
    kept: int | None


def add_key(cursor: Cursor, table: Table, target: Target) -> str | None:
    """Give the target its primary key and return None, or say why that can't be.

    ``duplicate``: a key is there twice. ``limit``: one is too long. Nothing has changed then.
    """
    # enough to sort a million keys in memory
    cursor.execute("set local maintenance_work_mem = '128MB'")
    with savepoint(cursor, "before_key") as outcome:
        cursor.execute(
            sql.SQL("alter table {} add primary key ({})").format(target.name, _key_columns(table))
        )
    return outcome.refused.kind if outcome.refused else None


def find_key_conflicts(
    cursor: Cursor, table: Table, target: Target, limit: int
) -> list[KeyConflict]:
    """Return the rows that stand in the way of the key, in the order of the file.

    Of rows with the same key the newest version stays, the last one in the file among equals.
    """
    version: sql.Composable = sql.SQL("")
    if table.version:
        version = sql.SQL("{} desc nulls last,").format(sql.Identifier(table.version))
    sizes = [sql.SQL("pg_column_size({})").format(sql.Identifier(k)) for k in table.primary_key]
    cursor.execute(
        sql.SQL(
            """
            with numbered as (
                select ctid as place, {number} as number, {keys}{version_column}, {size} as size
                from {target}
            ),
            doubled as (
                select {keys} from {target} group by {keys} having count(*) > 1
            ),
            ranked as (
                select place, number, size,
                    first_value(number) over (
                        partition by {keys} order by {version} number desc
                    ) as kept
                from numbered inner join doubled using ({keys})
            )
            select place::text, number, kept from ranked where number <> kept
            union all
            select place::text, number, null from numbered where size > {limit}
                and not exists (
                    select 1 from ranked
                    where ranked.place = numbered.place and ranked.number <> ranked.kept
                )
            order by 2 limit %s
            """
        ).format(
            number=target.number,
            keys=_key_columns(table),
            version_column=sql.SQL(", {}").format(sql.Identifier(table.version))
            if table.version and table.version not in table.primary_key
            else sql.SQL(""),
            version=version,
            size=sql.SQL(" + ").join(sizes),
            limit=sql.Literal(KEY_BYTES),
            target=target.name,
        ),
        [limit],
    )
    return all_rows(cursor, KeyConflict)


def remove_key_conflicts(
    cursor: Cursor, table: Table, target: Target, conflicts: list[KeyConflict]
) -> None:
    """Take these rows out of the target. The others may change their places."""
    cursor.execute(
        sql.SQL("delete from {} where ctid = any(%s::tid[])").format(target.name),
        [[conflict.place for conflict in conflicts]],
    )
    if any(conflict.kept is None for conflict in conflicts):
        # an index takes in even deleted rows of its own transaction, so the table is written anew
        key = table.key_columns[0]
        cursor.execute(
            sql.SQL("alter table {0} alter {1} type {2} using (array[{1}])[1]").format(
                target.name, sql.Identifier(key.name), sql.SQL(key.data_type)
            )
        )


def _key_columns(table: Table) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, table.primary_key))
