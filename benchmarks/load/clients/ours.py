"""Our loader by its public entry: ``ours.py SOURCE URL``, or ``ours.py migrate`` for a new one.

SOURCE is a landing folder or the URL of a database. The warehouse of ``migrate`` is the one of the
Airflow connection.
"""

import contextlib
import sys
from collections.abc import Iterator

import psycopg2

from benchmarks.load.clients.timing import timed
from include.extract import database_load
from include.extract.database import database_at, is_database_url, open_snapshot
from include.extract.database_load import DatabaseLoader
from include.extract.landing import find_files, landing_at
from include.extract.load import load_table
from include.extract.loader import Loader
from include.extract.task import declared_tables
from include.warehouse import session
from include.warehouse.connection import LOCK_LIMIT
from include.warehouse.migrate import migrate


@contextlib.contextmanager
def transaction(url: str) -> Iterator[psycopg2.extensions.cursor]:
    """As ``include.warehouse.connection`` does it, without Airflow's connection."""
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
            database_load.load_table(loader, snapshot, events)


if __name__ == "__main__":
    if sys.argv[1:] == ["migrate"]:
        migrate()
    elif is_database_url(sys.argv[1]):
        load_database(*sys.argv[1:])
    else:
        load_files(*sys.argv[1:])
