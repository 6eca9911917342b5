"""The shop's own Postgres as the source: who it is, and one snapshot of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import psycopg2
from airflow.sdk import Connection
from psycopg2.extensions import ISOLATION_LEVEL_REPEATABLE_READ
from psycopg2.extensions import cursor as Cursor

from elt.errors import SourceError, SourceUnreachableError
from elt.time_limit import statement_timeout
from elt.warehouse import session
from elt.warehouse.rows import one_row
from elt.warehouse.session import TLS

SCHEMES = ("postgres", "postgresql")
DEFAULT_SCHEMA = "public"


@dataclass(frozen=True)
class Database:
    """Where the shop's tables are. ``schema`` is the one that holds them."""

    host: str
    port: int
    name: str
    schema: str = DEFAULT_SCHEMA
    login: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: tuple[tuple[str, str], ...] = ()

    @property
    def url(self) -> str:
        """What tells this shop from another: no log-in, no password."""
        schema = "" if self.schema == DEFAULT_SCHEMA else f"?schema={quote(self.schema)}"
        return f"postgresql://{self.host}:{self.port}/{quote(self.name)}{schema}"

    def as_connection(self) -> dict[str, Any]:
        """Return the Airflow connection to this database, to be written as JSON."""
        return {
            "conn_type": "postgres",
            "host": self.host,
            "port": self.port,
            "schema": self.name,
            "login": self.login,
            "password": self.password,
            "extra": {"source_schema": self.schema, **dict(self.tls)},
        }


@dataclass(frozen=True)
class _Moment:
    name: str
    xid: str
    taken_at: datetime


@dataclass(frozen=True)
class Snapshot:
    """An open transaction that sees the shop as it was at one moment.

    ``name`` is Postgres' own ``xmin:xmax:running``. Every transaction that had written by then has
    a lower id than ``xid``, every later one a higher. ``taken_at`` is by the shop's clock, in UTC.
    """

    cursor: Cursor
    database: Database
    name: str
    xid: str
    taken_at: datetime


def lost(database: Database, error: Exception) -> SourceUnreachableError:
    """Return what to raise when the connection broke while the shop was read."""
    return SourceUnreachableError(
        f"The connection to the shop's database {database.url} was lost while it was read "
        f"({type(error).__name__}). What was loaded before stays; trying again may help."
    )


def is_database(connection: Connection) -> bool:
    """Tell whether a connection of Airflow's leads to a database."""
    return connection.conn_type in SCHEMES


def is_database_url(text: str) -> bool:
    """Tell whether a text is the URL of a Postgres database."""
    return text.startswith(tuple(f"{scheme}://" for scheme in SCHEMES))


def database_of(connection: Connection) -> Database:
    """Return the database of an Airflow connection.

    Raises:
        SourceError: if the connection does not name a host and a database.
    """
    extra = connection.extra_dejson
    return _named(
        host=connection.host,
        port=connection.port or 5432,
        name=connection.schema,
        schema=str(extra.get("source_schema") or DEFAULT_SCHEMA),
        login=connection.login,
        password=connection.password,
        tls=tuple((key, str(extra[key])) for key in TLS if key in extra),
    )


def database_at(url: str) -> Database:
    """Return the database at ``postgresql://login:password@host:port/name?schema=public``.

    Raises:
        SourceError: if the URL does not name a host and a database.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or 5432
    except ValueError:
        raise SourceError(
            "The URL of the shop's database can't be read: its port is not a number, or an "
            "address in [] has no end."
        ) from None
    query = dict(parse_qsl(parts.query))
    return _named(
        host=parts.hostname,
        port=port,
        name=unquote(parts.path.strip("/")),
        schema=query.get("schema", DEFAULT_SCHEMA),
        login=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        tls=tuple((key, query[key]) for key in TLS if key in query),
    )


@contextlib.contextmanager
def open_snapshot(database: Database, *, timeout_seconds: int = 10) -> Iterator[Snapshot]:
    """Yield one read-only REPEATABLE READ snapshot of the shop's database.

    Raises:
        SourceUnreachableError: in one sentence without the password.
    """
    with contextlib.closing(_connect(database, timeout_seconds)) as connection:
        connection.set_session(isolation_level=ISOLATION_LEVEL_REPEATABLE_READ, readonly=True)
        with connection.cursor() as cursor:
            # local, so that a pool in between hands nothing on
            cursor.execute(session.SET_LOCAL)
            # a row that security hides from us must be an error: it would look like a deleted one
            cursor.execute(
                "set local row_security = off; "
                "set local lock_timeout = '1min'; set local statement_timeout = %s",
                (statement_timeout(),),
            )
            # the snapshot's own xmax is no such limit: it may be the id of a transaction at work. A
            # standby gives no ids; there the overlap alone has to find what is committed late.
            cursor.execute(
                "select pg_current_snapshot()::text as name, case when pg_is_in_recovery() "
                "then pg_snapshot_xmax(pg_current_snapshot()) else pg_current_xact_id() end::text "
                "as xid, now() as taken_at"
            )
            now = one_row(cursor, _Moment)
            yield Snapshot(cursor, database, now.name, now.xid, now.taken_at)


def _named(**parts: Any) -> Database:
    if not parts["host"] or not parts["name"]:
        raise SourceError(
            "The shop's database is not named in full. Give host and database: in the Airflow "
            "connection `greenery_source`, or as postgresql://login:password@host:5432/database."
        )
    return Database(**parts)


def _connect(database: Database, timeout_seconds: int) -> psycopg2.extensions.connection:
    try:
        return session.connect(
            host=database.host,
            port=database.port,
            dbname=database.name,
            user=database.login,
            password=database.password,
            options=None,
            timeout_seconds=timeout_seconds,
            **dict(database.tls),
        )
    except psycopg2.OperationalError as error:
        reason = str(error).strip().partition("\n")[0].split("failed: ")[-1]
        raise SourceUnreachableError(
            f"The shop's database {database.url} can't be reached as "
            f"{database.login or 'nobody in particular'}: {reason.removeprefix('FATAL:').strip()}. "
            "Is the server up, and is the Airflow connection `greenery_source` right?"
        ) from None
