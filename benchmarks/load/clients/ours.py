"""Our loader by its public entry: ``ours.py FOLDER URL``, or ``ours.py migrate`` for a new one.

FOLDER is a landing folder. The warehouse of ``migrate`` is the one of the Airflow connection.
"""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg2

from benchmarks.load.clients.timing import timed
from include.extract.landing import find_files, landing_at
from include.extract.load import load_table
from include.extract.loader import Loader
from include.extract.task import declared_tables
from include.warehouse.connection import SESSION
from include.warehouse.migrate import migrate


@contextlib.contextmanager
def transaction(url: str) -> Iterator[psycopg2.extensions.cursor]:
    """As ``include.warehouse.connection`` does it, without Airflow's connection."""
    with contextlib.closing(psycopg2.connect(url, options=SESSION)) as connection:
        with connection.cursor() as cursor:
            cursor.execute("set local role loader")
            yield cursor
        connection.commit()


def load(folder: Path, url: str) -> None:
    landing = landing_at(str(folder))
    with timed():
        tables = declared_tables()
        files = find_files(landing, tables)["events"]
        load_table(Loader(landing, lambda: transaction(url), "bench"), tables["events"], files)


if __name__ == "__main__":
    if sys.argv[1:] == ["migrate"]:
        migrate()
    else:
        load(Path(sys.argv[1]), sys.argv[2])
