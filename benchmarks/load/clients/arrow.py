"""The events file as Arrow batches, with the types that the table has."""

from __future__ import annotations

import pyarrow
from pyarrow import csv

from benchmarks.load.clients.timing import COLUMNS

SCHEMA = pyarrow.schema(
    (name, pyarrow.timestamp("us", "UTC") if name == "created_at" else pyarrow.string())
    for name in COLUMNS
)


def read(file: str) -> csv.CSVStreamingReader:
    """Open a file; its batches come as they are read."""
    return csv.open_csv(
        file,
        read_options=csv.ReadOptions(block_size=4 << 20),
        convert_options=csv.ConvertOptions(
            column_types=SCHEMA, strings_can_be_null=True, null_values=[""]
        ),
    )
