"""Locks by name, for what is done by one at a time.

Not advisory locks: whoever may connect to the database may take any of them, and have us wait. To
lock a row one must be allowed to change it.
"""

from __future__ import annotations

from psycopg2.extensions import cursor as Cursor

# in whatever mode: a reader too holds up who changes a table's columns
_HOLDERS = """
    select
        usename, application_name, pid,
        to_char(min(xact_start) at time zone 'UTC', 'DD Mon HH24:MI')
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
_OURS = ["raw", "ops", "staging", "intermediate", "snapshots", "marts_build", "untested", "marts"]
_TAKE = "select from ops.lock where name = %s for update"


def take(cursor: Cursor, name: str) -> None:
    """Wait until nobody else has the lock, and have it until the loader's transaction ends.

    Raises:
        psycopg2.errors.LockNotAvailable: if that takes longer than the session's lock_timeout.
    """
    cursor.execute(_TAKE, [name])
    if cursor.rowcount == 0:
        # whoever does so first makes the others wait
        cursor.execute("insert into ops.lock (name) values (%s) on conflict do nothing", [name])
        cursor.execute(_TAKE, [name])


def holders(cursor: Cursor) -> str:
    """Return who is at work with tables of ours now, in words."""
    cursor.execute(_HOLDERS, [_OURS])
    found = [
        f"{login} ({program or 'unnamed program'}, process {pid}"
        + (f", since {since} UTC)" if since else ")")
        for login, program, pid, since in cursor
    ]
    return ", ".join(found) or "none any more"
