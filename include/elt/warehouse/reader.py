"""Where people read: the warehouse, or the server that GREENERY_READER_URL names, a replica of it.

What is read there keeps the warehouse from nothing, and must not be older than what was asked for.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor
from psycopg2.extensions import parse_dsn

from elt.errors import RetryLaterError
from elt.warehouse import session
from elt.warehouse.connection import WarehouseUnreachableError, transaction
from elt.warehouse.rows import one_row, one_value

VARIABLE = "GREENERY_READER_URL"
PATIENCE_SECONDS = 60.0
_LOOK_SECONDS = 0.1
_BEHIND = """
    select
        case when pg_is_in_recovery()
            then greatest(pg_wal_lsn_diff(%s, pg_last_wal_replay_lsn()), 0) else 0
        end::bigint as bytes,
        to_char(pg_last_xact_replay_timestamp() at time zone 'UTC', 'DD Mon HH24:MI') as up_to
"""


class ReplicaBehindError(RetryLaterError):
    """The server for readers does not have yet what the warehouse has."""


@dataclass(frozen=True)
class _Behind:
    """How much of the warehouse's log a replica has yet to play, and when it was last changed."""

    bytes: int
    up_to: str | None


@contextlib.contextmanager
def reading() -> Iterator[Cursor]:
    """Yield a cursor that reads one state of the marts, as ``reader``, where people read.

    Raises:
        WarehouseUnreachableError: if the server does not answer or does not let us in.
    """
    with contextlib.ExitStack() as stack:
        if url := os.environ.get(VARIABLE, ""):
            cursor = stack.enter_context(contextlib.closing(_connect(url))).cursor()
            cursor.execute("set local role reader")
        else:
            cursor = stack.enter_context(transaction("reader"))
        cursor.execute("set transaction isolation level repeatable read, read only")
        yield cursor


def wait_for_replica(patience_seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until people can read what is in the warehouse by now.

    Args:
        patience_seconds: for how long at most.

    Raises:
        ReplicaBehindError: if it takes longer.
        WarehouseUnreachableError: if one of the two servers does not answer.
    """
    url = os.environ.get(VARIABLE, "")
    if not url:
        return
    with transaction("reader") as cursor:
        cursor.execute("select pg_current_wal_lsn()::text")
        place = one_value(cursor)
    end = time.monotonic() + patience_seconds
    with contextlib.closing(_connect(url)) as connection:
        connection.autocommit = True
        while (behind := _behind(connection, str(place))).bytes:
            if time.monotonic() > end:
                raise ReplicaBehindError(
                    f"The server for readers, {_name(url)}, is {_size(behind.bytes)} behind the "
                    f"warehouse after {patience_seconds:.0f} s of waiting; what it has is of "
                    f"{behind.up_to or 'an unknown time'} UTC. Does its replication run, or does "
                    "a long query there hold it up (max_standby_streaming_delay)?"
                )
            time.sleep(_LOOK_SECONDS)


def _connect(url: str) -> Connection:
    try:
        return session.connect(url)
    except psycopg2.ProgrammingError:
        raise WarehouseUnreachableError(
            f"{VARIABLE} is no URL of a Postgres, like postgresql://greenery:…@replica/greenery"
        ) from None
    except psycopg2.OperationalError as error:
        reason = str(error).strip().partition("\n")[0].split("failed: ")[-1]
        raise WarehouseUnreachableError(
            f"The server for readers, {_name(url)}, can't be reached: "
            f"{reason.removeprefix('FATAL:').strip()}. Is it up, and is {VARIABLE} right?"
        ) from None


def _behind(connection: Connection, place: str) -> _Behind:
    with connection.cursor() as cursor:
        cursor.execute(_BEHIND, [place])
        return one_row(cursor, _Behind)


def _name(url: str) -> str:
    parts = parse_dsn(url)
    return f"{parts.get('host', 'localhost')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB" if count >= 100_000 else f"{count:,} bytes"
