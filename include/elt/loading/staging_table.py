"""Where COPY puts the rows of a file: the raw table of a first load, or a temporary table.

Its key is added after them, which costs far less than row by row. What the data forbids is tried
inside a savepoint.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import IO, cast

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from elt.errors import RefusedFileError
from elt.loading import raw_table, value_formats
from elt.loading.contract import Table
from elt.loading.files.landing import Readable
from elt.loading.files.stream import CHUNK_BYTES
from elt.warehouse.rows import all_values, rows_as

_NEW = sql.Identifier("pg_temp", "_new")
# no column of a contract has a capital
_NUMBER = sql.Identifier("_Number")
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
_KEY_CONFLICTS = sql.SQL(
    """
    with numbered as (
        select ctid as place, {number} as number, {keys}{version_column}, {size} as size
        from {target}
    ),
    doubled as (select {keys} from {target} group by {keys} having count(*) > 1),
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
)


@dataclass(frozen=True)
class KeyConflict:
    """A row that the key has no place for, and the one kept for it; None: its key is too long."""

    place: str
    number: int
    kept: int | None


@dataclass(frozen=True)
class StagingTable:
    """A table without a key that takes the rows of one source, in one transaction.

    ``table`` is the contract of the rows, ``columns`` take the fields of the source. ``number``
    counts the rows in the source's order: that is right as long as one COPY wrote all of them, or
    each row brought its number.
    """

    cursor: Cursor
    table: Table
    name: sql.Identifier
    number: sql.Composable
    columns: tuple[sql.Composable, ...]

    def copy(self, stream: Readable, *, options: str = "header true") -> int:
        """Copy CSV, as the files of ``table`` are written, and return the number of rows.

        Raises:
            RefusedFileError: if the server refuses it. It holds none of the file's data.
            Exception: what the stream raised, if it keeps that in ``error``.
        """
        names = sql.SQL(", ").join(self.columns)
        nulls: sql.Composable = sql.SQL("force_null ({})").format(names)
        if self.table.null_text:
            # then a quoted one is meant as text, and an empty field is an empty text
            nulls = sql.SQL("null {}").format(sql.Literal(self.table.null_text))
        statement = sql.SQL(
            "copy {} ({}) from stdin (format csv, encoding 'UTF8', delimiter {}, {}, {})"
        ).format(self.name, names, sql.Literal(self.table.delimiter), nulls, sql.SQL(options))
        refused: RefusedFileError | None = None
        failed: Exception | None = None
        try:
            # psycopg2 calls nothing but read()
            self.cursor.copy_expert(
                statement.as_string(self.cursor), cast(IO[bytes], stream), size=CHUNK_BYTES
            )
        except psycopg2.Error as error:
            failed = getattr(stream, "error", None)
            if failed is None and (refused := translate(error)) is None:
                raise
        # raised out here, so that the server's words, which quote the data, do not hang on it
        if problem := failed or refused:
            raise problem
        return self.cursor.rowcount

    def add_key(self) -> str | None:
        """Give it its primary key and return None, or say why that can't be.

        ``duplicate``: a key is there twice. ``limit``: one is too long. Nothing has changed then.
        """
        # enough to sort a million keys in memory
        self.cursor.execute("set local maintenance_work_mem = '128MB'")
        with savepoint(self.cursor, "before_key") as outcome:
            self.cursor.execute(
                sql.SQL("alter table {} add primary key ({})").format(self.name, self._keys())
            )
        return outcome.refused.kind if outcome.refused else None

    def find_key_conflicts(self, limit: int) -> list[KeyConflict]:
        """Return the rows that stand in the way of the key, in the order of the source.

        Of rows with the same key the newest version stays, the last one in the source among equals.
        """
        version: sql.Composable = sql.SQL("")
        column: sql.Composable = sql.SQL("")
        if self.table.version:
            version = sql.SQL("{} desc nulls last,").format(sql.Identifier(self.table.version))
            if self.table.version not in self.table.primary_key:
                column = sql.SQL(", {}").format(sql.Identifier(self.table.version))
        keys = map(sql.Identifier, self.table.primary_key)
        sizes = (sql.SQL("pg_column_size({})").format(key) for key in keys)
        self.cursor.execute(
            _KEY_CONFLICTS.format(
                number=self.number,
                keys=self._keys(),
                version_column=column,
                version=version,
                size=sql.SQL(" + ").join(sizes),
                limit=sql.Literal(KEY_BYTES),
                target=self.name,
            ),
            [limit],
        )
        return rows_as(self.cursor, KeyConflict)

    def remove(self, conflicts: Sequence[KeyConflict]) -> None:
        """Take these rows out. The others may change their places."""
        self.cursor.execute(
            sql.SQL("delete from {} where ctid = any(%s::tid[])").format(self.name),
            [[conflict.place for conflict in conflicts]],
        )
        if any(conflict.kept is None for conflict in conflicts):
            # an index takes in even deleted rows of its own transaction: the table is written anew
            key = self.table.key_columns[0]
            self.cursor.execute(
                sql.SQL("alter table {0} alter {1} type {2} using (array[{1}])[1]").format(
                    self.name, sql.Identifier(key.name), sql.SQL(key.data_type)
                )
            )

    def numbers(self) -> set[int]:
        """Return the numbers of the rows that are there."""
        self.cursor.execute(sql.SQL("select {} from {}").format(self.number, self.name))
        return set(all_values(self.cursor, int))

    def _keys(self) -> sql.Composed:
        return sql.SQL(", ").join(map(sql.Identifier, self.table.primary_key))


def raw_of(cursor: Cursor, table: Table) -> StagingTable:
    """Return the raw table itself, without its key."""
    columns = tuple(map(sql.Identifier, table.column_names))
    return StagingTable(cursor, table, raw_table.name_of(table), _BY_PLACE, columns)


def open_raw(
    cursor: Cursor, table: Table, load_id: int, names: Sequence[str] | None = None
) -> StagingTable:
    """Make the raw table, still without its key; rows that come now belong to the load.

    Args:
        cursor: of the load's own transaction.
        table: the contract.
        load_id: the load.
        names: the header of the source; without it, all columns of the contract.
    """
    raw_table.create(cursor, table, load_id=load_id)
    return replace(raw_of(cursor, table), columns=_places(table, names or table.column_names))


def open_new(
    cursor: Cursor, table: Table, names: Sequence[str] | None = None, *, is_numbered: bool = False
) -> StagingTable:
    """Make the temporary table: the contract's columns, and one for each unknown one of ``names``.

    Args:
        cursor: of the load's own transaction.
        table: the contract.
        names: the header of the source; without it, all columns of the contract.
        is_numbered: add a column that counts the rows from 1, or takes what it is given.
    """
    places = _places(table, names or table.column_names)
    columns = [
        sql.SQL("{} {} {}").format(
            sql.Identifier(column.name),
            sql.SQL(column.data_type),
            sql.SQL("not null" if column.name in table.primary_key else ""),
        )
        for column in table.columns
    ]
    if table.null_text:
        # a key could be an empty text then, which is no key either
        texts = (sql.Identifier(c.name) for c in table.key_columns if c.data_type == "text")
        columns += [sql.SQL("check ({} <> '')").format(key) for key in texts]
    unknown = (place for place in places if table.column(place.string) is None)
    columns += [sql.SQL("{} text").format(place) for place in unknown]
    if is_numbered:
        columns.append(sql.SQL("{} bigserial").format(_NUMBER))
    cursor.execute(
        sql.SQL("create temporary table {} ({}) on commit drop").format(
            sql.Identifier("_new"), sql.SQL(", ").join(columns)
        )
    )
    return StagingTable(cursor, table, _NEW, _NUMBER if is_numbered else _BY_PLACE, places)


def _places(table: Table, names: Sequence[str]) -> tuple[sql.Identifier, ...]:
    """Return the columns for the fields of a file with this header, the unknown ones by place."""
    return tuple(
        sql.Identifier(name if table.column(name) else f"_Unknown {place}")
        for place, name in enumerate(names)
    )


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
        column = value_formats.checked_column(error.diag.constraint_name or "")
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
        outcome.refused = translate(error)
        if outcome.refused is None:
            raise
    if outcome.refused:
        cursor.execute(sql.SQL("rollback to savepoint {}").format(identifier))
    cursor.execute(sql.SQL("release savepoint {}").format(identifier))
