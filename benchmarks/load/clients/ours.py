"""Our loader by its public entry: ``ours.py SOURCE URL``, or ``ours.py migrate`` for a new one.

SOURCE is a landing folder or the URL of a database. The warehouse of ``migrate`` is the one of the
Airflow connection.
"""

import contextlib
import sys
from collections.abc import Iterator

import psycopg2

from benchmarks.load.clients.timing import timed
from elt.loading.database import load_tables
from elt.loading.database.load_tables import DatabaseLoader
from elt.loading.database.source import database_at, is_database_url, open_snapshot
from elt.loading.files.find_files import find_files
from elt.loading.files.landing import landing_at
from elt.loading.files.load_table import load_table
from elt.loading.load_context import Loader
from elt.loading.sources_yaml import declared_tables
from elt.warehouse import session
from elt.warehouse.connection import LOCK_LIMIT
from elt.warehouse.migrate import migrate


@contextlib.contextmanager
def transaction(url: str) -> Iterator[psycopg2.extensions.cursor]:
    """As ``elt.warehouse.connection`` does it, without Airflow's connection."""
    with contextlib.closing(session.connect(url, options=LOCK_LIMIT)) as connection:
        with connection.cursor() as cursor:
            cursor.execute("set local role loader")
            yield cursor
        connection.commit()


def load_files(folder: str, url: str) -> None:
    landing = landing_at(folder)
    with timed():
        tables = declared_tables()
        files = find_files(landing, tables).of("events")
        load_table(Loader(landing, lambda: transaction(url), "bench"), tables["events"], files)


def load_database(source: str, url: str) -> None:
    with timed():
        database, events = database_at(source), declared_tables()["events"]
        with open_snapshot(database) as snapshot:
            loader = DatabaseLoader(database, lambda: transaction(url), "bench")
            load_tables.load_table(loader, snapshot, events)


if __name__ == "__main__":
    if sys.argv[1:] == ["migrate"]:
        migrate()
    elif is_database_url(sys.argv[1]):
        load_database(*sys.argv[1:])
    else:
        load_files(*sys.argv[1:])
