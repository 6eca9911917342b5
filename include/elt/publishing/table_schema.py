"""Carry the columns and keys of the audited build over to ``marts``, and say what is in the way."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import psycopg2
from psycopg2 import errors, sql
from psycopg2.extensions import cursor as Cursor

from elt.errors import FinalError, RetryLaterError
from elt.warehouse.rows import one_value, rows_as

BUILD = "marts_build"
MARTS = "marts"
# Postgres looks for deadlocks after 1 s; nobody may wait that long behind us
LOCK_TIMEOUT = "900ms"


class PublishRefusedError(FinalError):
    """Nothing was published; the message names what is in the way."""


class PublishBlockedError(RetryLaterError):
    """Somebody holds a mart whose columns must change; trying again may help."""


@dataclass(frozen=True)
class Structure:
    """A table's columns (name → type, in order), its primary key and its descriptions."""

    columns: dict[str, str]
    key: tuple[str, ...]
    comments: dict[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class _Table:
    """A table as the catalog has it; a comment that is not there is None."""

    name: str
    columns: list[str]
    types: list[str]
    comments: list[str | None]
    key: list[str] | None
    table_comment: str | None

    @property
    def structure(self) -> Structure:
        comments = dict(zip(self.columns, self.comments, strict=True)) | {"": self.table_comment}
        return Structure(
            dict(zip(self.columns, self.types, strict=True)),
            tuple(self.key or ()),
            {column: comment for column, comment in comments.items() if comment},
        )


def read(cursor: Cursor, schema: str) -> dict[str, Structure]:
    """Return the structure of each table of a schema; a table's own comment is under ''."""
    cursor.execute(
        """
        select
            c.relname as name,
            array_agg(a.attname::text order by a.attnum) as columns,
            array_agg(format_type(a.atttypid, a.atttypmod) order by a.attnum) as types,
            array_agg(col_description(c.oid, a.attnum) order by a.attnum) as comments,
            (
                select array_agg(
                    k.attname::text order by array_position(i.indkey::int2[], k.attnum)
                )
                from pg_index as i
                inner join pg_attribute as k
                    on k.attrelid = i.indrelid and k.attnum = any (i.indkey)
                where i.indrelid = c.oid and i.indisprimary
            ) as key,
            obj_description(c.oid, 'pg_class') as table_comment
        from pg_class as c
        inner join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where c.relnamespace = %s::regnamespace and c.relkind in ('r', 'p')
        group by c.oid, c.relname
        """,
        (schema,),
    )
    return {table.name: table.structure for table in rows_as(cursor, _Table)}


def carry_over(cursor: Cursor, mart: str, wanted: Structure, present: Structure | None) -> None:
    """Make the columns and the key of a published mart those of its build.

    Args:
        cursor: of a transaction as the role publisher.
        mart: its name, without the schema.
        wanted: the columns and the key that it is to have.
        present: those that it has in ``marts``; None: it is not there.

    Raises:
        PublishRefusedError: if an object of a reader depends on a column that goes or changes.
        PublishBlockedError: if somebody's transaction is in the way.
    """
    table = sql.Identifier(MARTS, mart)
    if present is None:
        _create(cursor, table, wanted)
    elif (wanted.columns, wanted.key) != (present.columns, present.key) and not (
        # only the order of columns differs: nobody should rely on it
        sorted(wanted.columns.items()) == sorted(present.columns.items())
        and wanted.key == present.key
    ):
        _change(cursor, mart, wanted, present)
    _describe(cursor, table, wanted, present)


def drop(cursor: Cursor, mart: str) -> None:
    """Drop a mart that is not built any more, unless a reader's object depends on it."""
    _alter(cursor, mart, sql.SQL("drop table {}").format(sql.Identifier(MARTS, mart)))


def _create(cursor: Cursor, table: sql.Identifier, wanted: Structure) -> None:
    columns = [
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(data_type))
        for name, data_type in wanted.columns.items()
    ]
    key = sql.SQL("primary key ({})").format(_names(wanted.key))
    cursor.execute(
        sql.SQL("create table {} ({})").format(table, sql.SQL(", ").join([*columns, key]))
    )


def _change(cursor: Cursor, mart: str, wanted: Structure, present: Structure) -> None:
    # A retyped column is dropped and added: its values come from the build in any case.
    gone = [c for c, t in present.columns.items() if wanted.columns.get(c) != t]
    new = [c for c, t in wanted.columns.items() if present.columns.get(c) != t]
    steps = []
    rekeyed = wanted.key != present.key or set(gone) & set(present.key)
    if rekeyed:
        # rows under another key can't be matched: they all come anew
        _run(cursor, mart, sql.SQL("delete from {}").format(sql.Identifier(MARTS, mart)))
        if present.key:
            cursor.execute(
                "select conname from pg_constraint where conrelid = %s::regclass and contype = 'p'",
                (f'{MARTS}."{mart}"',),
            )
            constraint = one_value(cursor)
            steps.append(sql.SQL("drop constraint {}").format(sql.Identifier(constraint)))
    steps += [sql.SQL("drop column {}").format(sql.Identifier(column)) for column in gone]
    steps += [
        sql.SQL("add column {} {}").format(sql.Identifier(c), sql.SQL(wanted.columns[c]))
        for c in new
    ]
    if rekeyed:
        steps.append(sql.SQL("add primary key ({})").format(_names(wanted.key)))
    table = sql.Identifier(MARTS, mart)
    _alter(cursor, mart, sql.SQL("alter table {} {}").format(table, sql.SQL(", ").join(steps)))


def _describe(
    cursor: Cursor, table: sql.Identifier, wanted: Structure, present: Structure | None
) -> None:
    comments = present.comments if present else {}
    for name, comment in wanted.comments.items():
        if comments.get(name) == comment:
            continue
        target = (
            sql.SQL("column {}.{}").format(table, sql.Identifier(name))
            if name
            else sql.SQL("table {}").format(table)
        )
        cursor.execute(sql.SQL("comment on {} is {}").format(target, sql.Literal(comment)))


def _alter(cursor: Cursor, mart: str, statement: sql.Composable) -> None:
    cursor.execute("select set_config('lock_timeout', %s, true)", (LOCK_TIMEOUT,))
    _run(cursor, mart, statement)
    cursor.execute("set local lock_timeout to default")


def _run(cursor: Cursor, mart: str, statement: sql.Composable) -> None:
    try:
        cursor.execute(statement)
    except errors.LockNotAvailable:
        raise PublishBlockedError(
            f"The columns of {MARTS}.{mart} must change, but another transaction has it open. "
            f"Nothing was published. Find it by: select pid, usename, state, query from "
            f"pg_stat_activity where pid in (select pid from pg_locks where "
            f"relation = '{MARTS}.{mart}'::regclass)"
        ) from None
    except (errors.DependentObjectsStillExist, errors.FeatureNotSupported) as error:
        detail = error.diag.message_detail or error.diag.message_primary
        raise PublishRefusedError(
            f"{MARTS}.{mart} must change, but an object of a reader depends on it: {detail}. "
            f"Nothing was published. Drop or change that object, or keep the column in the model."
        ) from None
    except psycopg2.errors.InsufficientPrivilege as error:
        raise PublishRefusedError(
            f"{MARTS}.{mart} can't be changed: {error.diag.message_primary}. "
            f"It must belong to the role publisher. Nothing was published."
        ) from None


def _names(columns: tuple[str, ...]) -> sql.Composable:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


# GONE


class PublishInterruptedError(RetryLaterError):
    """The server could not go on; nothing was published, and trying again may help."""


@contextlib.contextmanager
def naming_mart(mart: str) -> Iterator[None]:
    """Say of which mart it was, if the server fails: a full disk, a limit, a lost connection.

    Raises:
        PublishInterruptedError: in words, in place of the server's own error.
    """
    try:
        yield
    except psycopg2.OperationalError as error:
        # these speak of the server, never of a row
        reason = error.diag.message_primary or str(error).strip().partition("\n")[0]
        raise PublishInterruptedError(
            f"{MARTS}.{mart} could not be published: {reason.rstrip('.')}. Nothing was published; "
            f"readers see the last good publication.{_advice(error)}"
        ) from None


def _advice(error: psycopg2.OperationalError) -> str:
    if isinstance(error, errors.DiskFull):
        return " Make room on the server's disk, then clear the task."
    if isinstance(error, errors.ConfigurationLimitExceeded):
        return " Raise that limit for the log-in of the run, then clear the task."
    return " If trying again does not help, look at the server's log."
