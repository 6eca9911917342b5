"""Bring ``ops`` and ``raw`` to the state this code expects, by numbered SQL files."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import socket
from collections.abc import Sequence
from pathlib import Path

from psycopg2 import errors, sql
from psycopg2.extensions import cursor as Cursor

from elt.errors import FinalError, RetryLaterError
from elt.time_limit import statement_timeout
from elt.warehouse.connection import WarehouseUnreachableError, connect, lock_holders
from elt.warehouse.rows import value_or_none

log = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).with_name("migrations")
WAIT = "1min"
# as they were before analysts' schemas were made for them; a log-in that is nobody is no member
_RIGHTS_OF_OLD = """
    select
        has_database_privilege(rolname, current_database(), 'create')
        or pg_has_role(oid, 'pg_read_all_data', 'member')
    from pg_roles
    where rolname = 'analyst' and not rolsuper
"""


class MigrationError(FinalError):
    """The warehouse and the migration files don't fit together."""


class OlderCodeError(RetryLaterError):
    """The code here is older than the warehouse; another worker's may not be."""

    def __init__(self, unknown: Sequence[str]) -> None:
        """Say so of the migrations that were applied and are none of this code's."""
        super().__init__(
            f"{socket.gethostname()} has an older version of the code than the warehouse, which "
            f"was brought up to date by {', '.join(unknown)}. Nothing was done. Update the code: "
            "start a worker anew with the image that the scheduler has. Another worker may take "
            "this task meanwhile."
        )


class WarehouseLockedError(WarehouseUnreachableError):
    """Others have locked what a migration changes; trying again later helps."""


def migrate(folder: Path = MIGRATIONS, wait: str = WAIT) -> list[str]:
    """Apply the migrations that the warehouse lacks, each in a transaction, and return their names.

    A file is applied as the login's own role; it says ``set local role`` itself.

    Args:
        wait: how long to wait for others, as Postgres writes it.

    Raises:
        MigrationError: if an applied file has changed.
        OlderCodeError: if an applied file is missing.
        WarehouseLockedError: if others are at it for longer; the message says who.
        WarehouseUnreachableError: if the warehouse does not answer.
    """
    files = {file.name: file for file in sorted(folder.glob("*.sql"))}
    digests = {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in files.items()}
    applied_now: list[str] = []
    with contextlib.closing(connect()) as connection, connection.cursor() as cursor:
        _require_rights_of_today(cursor)
        try:
            _limit_statements(cursor)
            _make_log(cursor, wait)
            while True:
                with connection:
                    applied = _lock_and_read(cursor, wait)
                    missing = _missing(applied, digests)
                    if not missing:
                        return applied_now
                    cursor.execute("set local role none")
                    cursor.execute(files[missing[0]].read_text())
                    cursor.execute("set local role loader")
                    cursor.execute(
                        "insert into ops.migration (name, sha256) values (%s, %s)",
                        (missing[0], digests[missing[0]]),
                    )
                log.info("Applied migration %s", missing[0])
                applied_now.append(missing[0])
        except errors.LockNotAvailable:
            raise WarehouseLockedError(
                f"The warehouse could not be brought up to date: for {wait} others have locked "
                f"what has to change. At work are {lock_holders(cursor)}. Try again when they are "
                "done, or have an administrator end one: select pg_terminate_backend(…)"
            ) from None


def _require_rights_of_today(cursor: Cursor) -> None:
    """Make sure that an administrator has prepared the warehouse for this version, too.

    Raises:
        MigrationError: if analysts can still make a schema that the run's sessions would look into,
            or read the server's passwords.
    """
    with cursor.connection:
        cursor.execute(_RIGHTS_OF_OLD)
        if value_or_none(cursor, bool):
            raise MigrationError(
                "This warehouse was prepared by an older version: analysts may still make "
                "schemas in it, or read the server's passwords. An administrator runs "
                "greenery bootstrap again; what is there stays."
            )


def _limit_statements(cursor: Cursor) -> None:
    """Have the server stop a statement that takes too long, in sessions that don't ask for it.

    dbt's can't, and Airflow can't interrupt a thread that waits for the server.
    """
    limit = statement_timeout()
    with contextlib.suppress(errors.InternalError_), cursor.connection:
        cursor.execute(
            "select from pg_db_role_setting inner join pg_database on setdatabase = pg_database.oid"
            " where datname = current_database() and setrole = session_user::regrole"
            " and %s = any(setconfig)",
            (f"statement_timeout={limit}",),
        )
        # who does so at the same moment (`tuple concurrently updated`) sets the same
        if not cursor.rowcount:
            cursor.execute(
                sql.SQL("alter role session_user in database {} set statement_timeout = {}").format(
                    sql.Identifier(cursor.connection.info.dbname), sql.Literal(limit)
                )
            )


def _make_log(cursor: Cursor, wait: str) -> None:
    """Make the table of what was applied, if there is none."""
    # whoever makes it at the same time has it once we have waited
    made_meanwhile = (errors.UniqueViolation, errors.DuplicateObject, errors.DuplicateTable)
    with contextlib.suppress(*made_meanwhile), cursor.connection:
        _become_loader(cursor, wait)
        cursor.execute(
            "create table if not exists ops.migration ("
            "name text primary key, sha256 text not null,"
            "applied_at timestamptz not null default now())"
        )


def _lock_and_read(cursor: Cursor, wait: str) -> dict[str, str]:
    """Be the only one that migrates until the transaction ends; return the hashes by name."""
    _become_loader(cursor, wait)
    # in a mode that rights to read don't give: an advisory lock is anybody's
    cursor.execute("lock table ops.migration in share update exclusive mode")
    cursor.execute("select name, sha256 from ops.migration")
    return dict(cursor.fetchall())


def _become_loader(cursor: Cursor, wait: str) -> None:
    cursor.execute("select set_config('lock_timeout', %s, true)", [wait])
    try:
        cursor.execute("set local role loader")
    except (errors.InvalidParameterValue, errors.InsufficientPrivilege) as error:
        raise MigrationError(
            f"This warehouse is not prepared: {error.diag.message_primary}. An administrator runs "
            "greenery bootstrap once."
        ) from None


def _missing(applied: dict[str, str], digests: dict[str, str]) -> list[str]:
    """Return the names of the files that were not applied.

    Raises:
        MigrationError: if an applied one has changed.
        OlderCodeError: if an applied one is not there.
    """
    if unknown := sorted(applied.keys() - digests.keys()):
        raise OlderCodeError(unknown)
    for name, digest in digests.items():
        if applied.get(name, digest) != digest:
            raise MigrationError(
                f"{name} was changed after it had been applied. "
                "Put it back and write a new migration instead."
            )
    return [name for name in digests if name not in applied]
