"""The tables of a person, locked against loads while rows of theirs go."""

from __future__ import annotations

import contextlib
import sys

from psycopg2 import errors, sql
from psycopg2.extensions import cursor as Cursor

from elt.privacy.rules import Rules
from elt.warehouse.connection import transaction


def take(cursor: Cursor, rules: Rules, seconds: int) -> None:
    """Lock the person's tables in ``raw``; wait for a load that is at work, and say so.

    Raises:
        psycopg2.errors.LockNotAvailable: if that took too long, or takes so later on.
    """
    cursor.execute("select set_config('lock_timeout', %s, true)", (f"{seconds}s",))
    for table in rules.tables:
        cursor.execute("select to_regclass(format('raw.%%I', %s)) is null", (table.name,))
        if cursor.fetchone()[0]:
            continue
        lock = sql.SQL("lock table {} in share row exclusive mode").format(
            sql.Identifier("raw", table.name)
        )
        cursor.execute("savepoint before_lock")
        try:
            cursor.execute(lock + sql.SQL(" nowait"))
        except errors.LockNotAvailable:
            cursor.execute("rollback to savepoint before_lock")
            print(
                f"Somebody is at work on raw.{table.name}: waiting up to {seconds} seconds.",
                file=sys.stderr,
                flush=True,
            )
            cursor.execute(lock)
        cursor.execute("release savepoint before_lock")


def in_words(seconds: int) -> str:
    """Say that it took too long, and who is at work, as far as the server shows it."""
    told = ""
    with contextlib.suppress(Exception), transaction("loader") as cursor:
        cursor.execute(
            "select string_agg(distinct format('session %s%s%s', pid,"
            " ' (' || nullif(application_name, '') || ')',"
            " ' since ' || to_char(xact_start, 'HH24:MI') || ' UTC'), ', ')"
            " from pg_locks inner join pg_stat_activity using (pid)"
            " inner join pg_class on pg_class.oid = relation"
            " where relnamespace in ('raw'::regnamespace, 'ops'::regnamespace,"
            " to_regnamespace('marts'), to_regnamespace('marts_build'),"
            " to_regnamespace('snapshots'), to_regnamespace('intermediate'))"
            " and mode not in ('AccessShareLock') and pid <> pg_backend_pid()"
        )
        (found,) = cursor.fetchone()
        told = f": {found}" if found else ""
    return (
        f"Somebody else has kept a table locked for more than {seconds} seconds{told}. Nothing was "
        "changed. Try again once that has ended."
    )
