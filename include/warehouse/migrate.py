"""Bring ``ops`` and ``raw`` to the state this code expects, by numbered SQL files."""

from __future__ import annotations

import contextlib
import hashlib
import logging
from pathlib import Path

from psycopg2 import errors

from include.warehouse.connection import connect

log = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).with_name("migrations")
# any number will do; it must only be the same for everybody
LOCK = 7_301_958


class MigrationError(Exception):
    """The warehouse and the migration files don't fit together."""


def migrate(folder: Path = MIGRATIONS) -> list[str]:
    """Apply the migrations that the warehouse lacks, each in a transaction, and return their names.

    A file is applied as the login's own role; it says ``set local role`` itself.

    Raises:
        MigrationError: if an applied file has changed or is missing.
        WarehouseUnreachableError: if the warehouse does not answer.
    """
    applied_now = []
    with contextlib.closing(connect()) as connection, connection.cursor() as cursor:
        cursor.execute("select pg_advisory_lock(%s)", (LOCK,))
        with connection:
            _become_loader(cursor)
            cursor.execute(
                "create table if not exists ops.migration ("
                "name text primary key, sha256 text not null,"
                "applied_at timestamptz not null default now())"
            )
            cursor.execute("select name, sha256 from ops.migration")
            applied = dict(cursor.fetchall())
        files = {file.name: file for file in sorted(folder.glob("*.sql"))}
        if unknown := sorted(applied.keys() - files.keys()):
            raise MigrationError(
                f"The warehouse has migrations that this code does not know: {', '.join(unknown)}. "
                "It was used by a newer version; update the code."
            )
        for name, file in files.items():
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            if applied.get(name, digest) != digest:
                raise MigrationError(
                    f"{name} was changed after it had been applied. "
                    "Put it back and write a new migration instead."
                )
            if name in applied:
                continue
            with connection:
                cursor.execute(file.read_text())
                cursor.execute("set local role loader")
                cursor.execute(
                    "insert into ops.migration (name, sha256) values (%s, %s)", (name, digest)
                )
            log.info("Applied migration %s", name)
            applied_now.append(name)
    return applied_now


def _become_loader(cursor) -> None:
    try:
        cursor.execute("set local role loader")
    except (errors.InvalidParameterValue, errors.InsufficientPrivilege) as error:
        raise MigrationError(
            f"This warehouse is not prepared: {error.diag.message_primary}. An administrator runs "
            "include/warehouse/bootstrap.sql in its database once."
        ) from None
