"""dlt on its fastest path, Arrow in and parquet by ADBC out.

Called ``dlt_client.py FILE URL FOLDER MODE``: FILE may be the URL of another Postgres, MODE is
append or merge. A value of another type than its column stops it.
"""

import sys

import adbc_driver_postgresql.dbapi
import dlt
import pyarrow  # noqa: F401
from dlt.destinations import postgres

from benchmarks.load.clients import arrow
from benchmarks.load.clients.timing import COLUMNS, timed

source, url, folder, mode = sys.argv[1:]


def batches():
    if not source.startswith("postgresql://"):
        yield from arrow.read(source)
        return
    with adbc_driver_postgresql.dbapi.connect(source) as connection:
        with connection.cursor() as cursor:
            cursor.execute(f"select {', '.join(COLUMNS)} from events")
            yield from cursor.fetch_record_batch()


with timed():
    pipeline = dlt.pipeline(
        "bench", destination=postgres(url), dataset_name="public", pipelines_dir=folder
    )
    events = dlt.resource(
        batches,
        name="events",
        write_disposition=(
            {"disposition": "merge", "strategy": "upsert"} if mode == "merge" else "append"
        ),
        columns={"event_id": {"primary_key": True, "unique": True, "nullable": False}},
        schema_contract={"columns": "evolve", "data_type": "freeze"},
    )
    pipeline.run(events(), loader_file_format="parquet")
