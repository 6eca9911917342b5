"""Connections to the warehouse: one Airflow connection, a role for each piece of code.

A pool between would have to keep sessions. dbt takes its role once for all that a connection does;
between such transactions others would have it, and it theirs.

And locks by name, for what is done by one at a time. Not advisory locks: whoever may connect to the
database may take any of them, and have us wait. To lock a row one must be allowed to change it.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import psycopg2
from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException
from psycopg2 import sql
from psycopg2.extensions import connection as Session
from psycopg2.extensions import cursor as Cursor

from elt.errors import FinalError, RetryLaterError
from elt.time_limit import statement_timeout
from elt.warehouse import session
from elt.warehouse.rows import one_value, rows_as
from elt.warehouse.session import TLS

CONNECTION_ID = "greenery_warehouse"
# the limit of a statement comes on top, as it may be set
LOCK_LIMIT = "-c lock_timeout=5min"
# Looking up few rows by their keys must not come to reading a whole history. A disk of today takes
# hardly longer for a page at random, and most pages are in memory: what costs is a page's rows, not
# the page, unlike the server's defaults say. At that price an index read from end to end would seem
# cheap as well, which is what a merge join does. Not for what reads everything: there it costs.
_OF_KEYS = {"random_page_cost": "0.11", "seq_page_cost": "0.1", "enable_mergejoin": "off"}
FEW_BY_KEYS = "; ".join(f"set local {name} = {value}" for name, value in _OF_KEYS.items())
AS_USUAL = "; ".join(f"set local {name} to default" for name in _OF_KEYS)
Role = Literal["loader", "transformer", "publisher", "reader"]
# whose schemas are whose: bootstrap.sql makes them, a migration makes untested
SCHEMAS: dict[Role, tuple[str, ...]] = {
    "loader": ("raw", "ops"),
    "transformer": ("staging", "intermediate", "snapshots", "marts_build", "untested"),
    "publisher": ("marts",),
}
ALL_SCHEMAS = [schema for schemas in SCHEMAS.values() for schema in schemas]
# in whatever mode: a reader too holds up who changes a table's columns
_LOCK_HOLDERS = """
    select
        usename as login, application_name as program, pid,
        to_char(min(xact_start) at time zone 'UTC', 'DD Mon HH24:MI') as since
    from pg_stat_activity
    inner join pg_locks using (pid)
    inner join pg_class on pg_class.oid = relation
    where
        pg_locks.database = (select oid from pg_database where datname = current_database())
        and granted
        and pid <> pg_backend_pid()
        and relnamespace::regnamespace::text = any (%s)
    group by 1, 2, 3
    order by min(xact_start), pid
"""
# Postgres' own words for a server, a database or a login that takes no more of them
_NO_CONNECTION_LEFT = ("too many clients", "too many connections", "remaining connection slots")
_TAKE_LOCK = "select from ops.lock where name = %s for update"
# of no meaning to the server, and reset by no pool while the client stays
_SESSION_MARK = "greenery.session"
# other clients of the pool may come in between
_TRIES_FOR_A_SESSION = 3


@dataclass(frozen=True)
class _Holder:
    """A session that has locked tables of ours, and since when."""

    login: str | None
    program: str | None
    pid: int
    since: str | None


class PooledError(FinalError):
    """The pool before the warehouse does not keep sessions."""


class WarehouseUnreachableError(RetryLaterError):
    """The warehouse does not answer or does not let us in; trying again may help."""


@contextlib.contextmanager
def transaction(role: Role, *, timeout_seconds: int = 10) -> Iterator[Cursor]:
    """Yield a cursor in one transaction as a role: committed at the end, rolled back on error.

    Raises:
        WarehouseUnreachableError: in one sentence, if the connection is missing, wrong or dead.
    """
    # closing rolls back what was not committed, and never hides the error that got us here
    with contextlib.closing(connect(timeout_seconds)) as connection:
        with connection.cursor() as cursor:
            # local: ends with the transaction, so that a connection never keeps a role by accident
            cursor.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
            yield cursor
        connection.commit()


def connect(timeout_seconds: int = 10) -> Session:
    """Open a psycopg2 connection to the warehouse. It may do nothing until it takes a role."""
    try:
        settings = Connection.get(CONNECTION_ID)
    except AirflowNotFoundException:
        raise WarehouseUnreachableError(
            f"Airflow has no connection `{CONNECTION_ID}`. Make one of type Postgres."
        ) from None
    where = f"{settings.host}:{settings.port or 5432}/{settings.schema}"
    try:
        return session.connect(
            host=settings.host,
            port=settings.port or 5432,
            dbname=settings.schema,
            user=settings.login,
            password=settings.password,
            options=f"{LOCK_LIMIT} -c statement_timeout={statement_timeout()}",
            timeout_seconds=timeout_seconds,
            **{key: value for key, value in settings.extra_dejson.items() if key in TLS},
        )
    except psycopg2.OperationalError as error:
        first_line = str(error).strip().partition("\n")[0]
        reason = first_line.split("failed: ")[-1].removeprefix("FATAL:").strip()
        question = f"Is the server up, and is the Airflow connection `{CONNECTION_ID}` right?"
        if no_connection_left(reason):
            question = (
                "Each task at work takes two connections: raise max_connections, or have fewer "
                "tasks at once (GREENERY_PARALLELISM)."
            )
        elif "startup parameter" in reason:
            question = (
                "That is a pool's answer: PgBouncer needs pool_mode = session and "
                "ignore_startup_parameters = options."
            )
        elif "certificate" in reason:
            question = (
                f"In the Airflow connection `{CONNECTION_ID}` extra must name as sslrootcert the "
                "file of the CA that signed the server's certificate, and host a name in it."
            )
        raise WarehouseUnreachableError(
            f"The warehouse at {where} can't be reached as {settings.login}: {reason}. {question}"
        ) from None


def no_connection_left(message: str) -> bool:
    """Return whether a server's message says that it takes no more connections."""
    return any(words in message for words in _NO_CONNECTION_LEFT)


def require_sessions() -> None:
    """Make sure that what a connection sets is still so in its next transaction.

    Raises:
        PooledError: if a pool gives each transaction another session.
        WarehouseUnreachableError: if the warehouse can't be reached.
    """
    with contextlib.closing(connect()) as ours, contextlib.closing(connect()) as another:
        # between statements nothing is open, and the pool is free to change sessions
        ours.autocommit = True
        if any(_is_shared(ours, another) for _ in range(_TRIES_FOR_A_SESSION)):
            raise PooledError(
                "The pool before the warehouse gives each transaction another session, so that "
                "roles and settings of one are taken by another. Have it keep sessions (PgBouncer: "
                "pool_mode = session, ignore_startup_parameters = options), or let the connection "
                "`greenery_warehouse` lead to the server itself."
            )


def _is_shared(ours: Session, another: Session) -> bool:
    mark = uuid.uuid4().hex
    with ours.cursor() as cursor:
        cursor.execute("select set_config(%s, %s, false)", (_SESSION_MARK, mark))
    # with a transaction open it keeps the session that the pool gave it: ours, if that was free
    found = _setting(another)
    is_shared = found == mark or _setting(ours) != mark
    another.rollback()
    return is_shared


def _setting(opened: Session) -> str:
    with opened.cursor() as cursor:
        cursor.execute("select coalesce(current_setting(%s, true), '')", [_SESSION_MARK])
        return str(one_value(cursor))


def take_lock(cursor: Cursor, name: str) -> None:
    """Wait until nobody else has the lock, and have it until the loader's transaction ends.

    Raises:
        psycopg2.errors.LockNotAvailable: if that takes longer than the session's lock_timeout.
    """
    cursor.execute(_TAKE_LOCK, [name])
    if cursor.rowcount == 0:
        # whoever does so first makes the others wait
        cursor.execute("insert into ops.lock (name) values (%s) on conflict do nothing", [name])
        cursor.execute(_TAKE_LOCK, [name])


def lock_holders(cursor: Cursor) -> str:
    """Return who is at work with tables of ours now, in words."""
    cursor.execute(_LOCK_HOLDERS, [ALL_SCHEMAS])
    found = [
        f"{holder.login} ({holder.program or 'unnamed program'}, process {holder.pid}"
        + (f", since {holder.since} UTC)" if holder.since else ")")
        for holder in rows_as(cursor, _Holder)
    ]
    return ", ".join(found) or "none any more"
