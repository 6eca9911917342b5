"""polars reads, ADBC copies: ``polars_client.py FILE URL``."""

import sys

import adbc_driver_postgresql.dbapi  # noqa: F401  polars would import it within the time
import polars

from benchmarks.load.clients.timing import COLUMNS, timed

file, url = sys.argv[1:]
TYPES = dict.fromkeys(COLUMNS, polars.String)
with timed():
    frame = polars.read_csv(file, schema_overrides=TYPES).with_columns(
        polars.col("created_at").str.to_datetime(
            "%Y-%m-%dT%H:%M:%SZ", time_unit="us", time_zone="UTC"
        )
    )
    frame.write_database("events", url, engine="adbc", if_table_exists="append")
