"""What every session of ours with a Postgres server has in common, whatever it runs in.

libpq takes what it is not told from variables (``PGTZ``, ``PGOPTIONS`` …) and files of whoever
starts it, and the server from settings of a log-in or a database. Both could change what rows say.
And what has no schema in its name is looked for along ``search_path``, by default first in schemas
that others may write: a function of theirs would run with our rights. So all of this is given.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from typing import Any

import psycopg2

# our own temporary tables last: they never stand for what the catalog has
SEARCH_PATH = "pg_catalog,pg_temp"
SETTINGS = {
    "search_path": SEARCH_PATH,
    "timezone": "UTC",
    "datestyle": "ISO,YMD",
    "intervalstyle": "postgres",
    "standard_conforming_strings": "on",
    "bytea_output": "hex",
    "extra_float_digits": "1",
}
# what a connection of Airflow's may say of TLS, in libpq's words
TLS = ("sslmode", "sslrootcert", "sslcert", "sslkey")
# the server's own way of being told at log-in; it beats what a log-in or a database has by default
OPTIONS = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
# the same within a transaction, by words that are looked up nowhere
SET_LOCAL = "; ".join(f"set local {name} = {value}" for name, value in SETTINGS.items())


def drop_libpq_variables(
    environ: MutableMapping[str, str] = os.environ,
) -> MutableMapping[str, str]:
    """Take from an environment all that libpq would read there, and return it.

    What runs dbt, psql or Airflow itself must call this first: those connect by themselves.
    """
    for name in [name for name in environ if name.startswith("PG")]:
        del environ[name]
    return environ


def connect(
    url: str | None = None,
    *,
    options: str | None = "",
    timeout_seconds: int = 10,
    **where: Any,
) -> psycopg2.extensions.connection:
    """Open a psycopg2 connection that is the same whatever it is opened in.

    Args:
        url: of the database; ``where`` has the words of libpq for what it does not say.
        options: more settings, as ``-c name=value``. None: not even ours, for a server behind a
            pool, which refuses them or drops them; each transaction begins with SET_LOCAL then.

    Raises:
        psycopg2.OperationalError: if the server does not answer or does not let us in.
    """
    drop_libpq_variables()
    opened: psycopg2.extensions.connection = psycopg2.connect(
        url,
        **{
            "application_name": "greenery",
            **where,
            "connect_timeout": timeout_seconds,
            "client_encoding": "UTF8",
            "options": None if options is None else f"{OPTIONS} {options}".strip(),
            # no ~/.pgpass: a password that is not given is missing, whoever starts this
            "passfile": os.devnull,
        },
    )
    return opened
