"""Roles, schemas and rights of a warehouse, made by an administrator: ``greenery bootstrap``.

A superuser can do it, and so can a log-in that may make roles and owns the database, as a managed
server gives one. What is there already stays.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor
from psycopg2.extensions import encrypt_password, parse_dsn

from elt.errors import FinalError
from elt.warehouse import session
from elt.warehouse.rows import all_values, value_or_none

SCRIPT = Path(__file__).with_suffix(".sql")
LOGINS = ("greenery", "analyst")
_ROLES = (*LOGINS, "loader", "transformer", "publisher", "reader", "sandbox")
OLDEST_SERVER = 160000
# what can be seen of what the script makes, each as a line to be read
_STATE = """
    with ours as (
        select oid, rolname, rolcanlogin from pg_roles where rolname = any(%(roles)s)
    ),
    spaces as (
        select oid, nspname, nspowner, nspacl from pg_namespace where nspname = any(%(schemas)s)
    )
    select case when rolcanlogin then 'log-in ' else 'role ' end || rolname from ours
    union all
    select
        member.rolname || case when inherit_option then ' is ' else ' may become ' end
        || granted.rolname
    from pg_auth_members
    inner join ours as granted on granted.oid = roleid
    inner join ours as member on member.oid = pg_auth_members.member
    union all
    select format('schema %%s, which belongs to %%s', nspname, nspowner::regrole) from spaces
    union all
    select format('%%s: %%s in schema %%s',
        coalesce(nullif(grantee, 0)::regrole::text, 'everybody'), lower(privilege_type), nspname)
    from spaces, aclexplode(nspacl)
    union all
    select format('%%s: %%s in database %%s',
        coalesce(nullif(grantee, 0)::regrole::text, 'everybody'), lower(privilege_type), datname)
    from pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba)))
    where datname = current_database()
    union all
    select format('%%s: %%s of what %%s makes in schema %%s', nullif(grantee, 0)::regrole,
        lower(privilege_type), defaclrole::regrole, nspname)
    from pg_default_acl inner join spaces on spaces.oid = defaclnamespace, aclexplode(defaclacl)
    union all
    select format('%%s for %%s in database %%s', setting,
        coalesce(nullif(setrole, 0)::regrole::text, 'everybody'), datname)
    from pg_db_role_setting
    inner join pg_database on pg_database.oid = setdatabase, unnest(setconfig) as setting
    where datname = current_database()
    union all
    select format('procedure %%s, which belongs to %%s', pg_proc.oid::regproc, proowner::regrole)
    from pg_proc inner join spaces on spaces.oid = pronamespace
    where nspname = 'sandbox'
"""


class BootstrapError(FinalError):
    """The warehouse can't be prepared; the message says what is missing."""


@dataclass(frozen=True)
class Changes:
    """What a bootstrap did, or would do, a line each. ``warnings`` are the script's."""

    database: str = ""
    made: list[str] = field(default_factory=list)
    taken_back: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return what there is to read: + for what is new, - for what is gone."""
        return [
            *([f"+ database {self.database}"] if self.database else []),
            *(f"+ {line}" for line in self.made),
            *(f"- {line}" for line in self.taken_back),
        ]


def prepare(connection: Connection, passwords: Mapping[str, str]) -> None:
    """Make what a warehouse has in the database of a connection, in its open transaction.

    Args:
        connection: of a superuser, or of a log-in that may make roles and owns the database.
        passwords: of log-ins, as far as they are to be set. They reach the server hashed, since it
            may log the statement.
    """
    with connection.cursor() as cursor:
        cursor.execute(SCRIPT.read_text())
        for login, password in passwords.items():
            set_password(cursor, login, password)


def set_password(cursor: Cursor, login: str, password: str) -> None:
    """Set the password of a log-in; it reaches the server hashed."""
    hashed = encrypt_password(password, login, cursor.connection, "scram-sha-256")
    cursor.execute(
        sql.SQL("alter role {} password {}").format(sql.Identifier(login), sql.Literal(hashed))
    )


def bootstrap(
    admin_url: str, database: str, passwords: Mapping[str, str], *, is_dry: bool = False
) -> Changes:
    """Prepare a warehouse on a server, and its database if it is not there.

    Args:
        admin_url: of a database of that server, with a log-in that may do it.
        database: the warehouse's.
        passwords: as for ``prepare``.
        is_dry: change nothing, and return what would change.

    Raises:
        BootstrapError: if the server can't be reached or is too old, or the log-in may not do it.
    """
    is_new = _make_database(admin_url, database, is_dry=is_dry)
    if is_new and is_dry:
        return Changes(database, ["all roles, schemas and rights in it"])
    with _connected(admin_url, database) as connection, connection.cursor() as cursor:
        before = _state(cursor)
        prepare(connection, passwords)
        after = _state(cursor)
        if is_dry:
            connection.rollback()
        else:
            connection.commit()
        warnings = [
            notice.removeprefix("WARNING:").strip()
            for notice in connection.notices
            if notice.startswith("WARNING:")
        ]
    return Changes(
        database if is_new else "", sorted(after - before), sorted(before - after), warnings
    )


def _make_database(admin_url: str, database: str, *, is_dry: bool) -> bool:
    """Make the database if it is not there, and return whether it was not."""
    with _connected(admin_url) as connection:
        if connection.server_version < OLDEST_SERVER:
            raise BootstrapError(
                f"This server is PostgreSQL {connection.server_version // 10000}; the warehouse "
                f"needs {OLDEST_SERVER // 10000} or newer."
            )
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("select true from pg_database where datname = %s", [database])
            is_new = not value_or_none(cursor, bool)
            if is_new and not is_dry:
                cursor.execute(sql.SQL("create database {}").format(sql.Identifier(database)))
    return is_new


@contextlib.contextmanager
def _connected(admin_url: str, database: str | None = None) -> Iterator[Connection]:
    """Yield a connection of the administrator; what goes wrong is said without the URL."""
    login = "The administrator"
    try:
        login = parse_dsn(admin_url).get("user", login)
        # what is said here beats what the URL says
        where: dict[str, Any] = {"dbname": database} if database else {}
        connection = session.connect(admin_url, **where)
    except psycopg2.ProgrammingError:
        raise BootstrapError(
            "That is no URL of a Postgres. One looks like postgresql://admin:…@host:5432/postgres"
        ) from None
    except psycopg2.OperationalError as error:
        raise BootstrapError(f"The server does not let {login} in: {error}".strip()) from None
    try:
        with contextlib.closing(connection):
            yield connection
    except psycopg2.errors.InsufficientPrivilege as error:
        raise BootstrapError(
            f"{login} may not prepare the warehouse: {error.diag.message_primary}. It needs "
            "CREATEROLE and CREATEDB, must own the database, and must have made these roles "
            f"itself: {', '.join(_ROLES)}. A superuser may always."
        ) from None


def _state(cursor: Cursor) -> set[str]:
    # it imports Airflow, whose secrets a container's init has yet to make when it calls prepare
    from elt.warehouse.connection import ALL_SCHEMAS

    schemas = [*ALL_SCHEMAS, "sandbox", "public"]
    cursor.execute(_STATE, {"roles": list(_ROLES), "schemas": schemas})
    return set(all_values(cursor, str))
