"""The databases, roles and schemas of the local server."""

from __future__ import annotations

import contextlib
from typing import Any

from psycopg2 import sql

from elt.warehouse.bootstrap import prepare

WAREHOUSE = "greenery"
METADATA = "airflow"
LOGINS = ("postgres", "greenery", "analyst", METADATA)


def bootstrap(server: Any) -> None:
    """Make what is missing. Safe to repeat; every log-in gets the password of ``server``."""
    with contextlib.closing(server.connect("postgres", "postgres")) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("select datname from pg_database")
            present = {name for (name,) in cursor}
            for database in (WAREHOUSE, METADATA):
                if database not in present:
                    cursor.execute(sql.SQL("create database {}").format(sql.Identifier(database)))
            # by itself: whoever made the database may have been killed before the role was there
            cursor.execute("select 1 from pg_roles where rolname = %s", (METADATA,))
            if not cursor.fetchone():
                cursor.execute(sql.SQL("create role {} login").format(sql.Identifier(METADATA)))
            cursor.execute(
                sql.SQL("alter database {0} owner to {0}").format(sql.Identifier(METADATA))
            )
            # Airflow's connections and variables are there
            cursor.execute(
                sql.SQL("revoke all on database {} from public").format(sql.Identifier(METADATA))
            )
    with contextlib.closing(server.connect("postgres")) as connection, connection:
        prepare(connection, {login: server.passwords[login] for login in LOGINS[1:]})
