"""pyarrow reads, ADBC copies: ``adbc_client.py FILE URL``."""

import sys

import adbc_driver_postgresql.dbapi

from benchmarks.load.clients import arrow
from benchmarks.load.clients.timing import timed

file, url = sys.argv[1:]
with timed(), adbc_driver_postgresql.dbapi.connect(url) as connection:
    with connection.cursor() as cursor:
        cursor.adbc_ingest("events", arrow.read(file), mode="append")
    connection.commit()
