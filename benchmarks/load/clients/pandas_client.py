"""pandas reads, SQLAlchemy inserts, as its documentation shows: ``pandas_client.py FILE URL``."""

import sys

import pandas
import psycopg2  # noqa: F401  SQLAlchemy would import it within the time
import sqlalchemy

from benchmarks.load.clients.timing import COLUMNS, timed

file, url = sys.argv[1:]
TYPES = dict.fromkeys(set(COLUMNS) - {"created_at"}, "string")
with timed():
    engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg2://"))
    chunks = pandas.read_csv(file, dtype=TYPES, parse_dates=["created_at"], chunksize=100_000)
    with engine.begin() as connection:
        for chunk in chunks:
            chunk.to_sql("events", connection, if_exists="append", index=False)
