"""A landing folder that gets one delivery after another, each loaded at once."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from io import StringIO
from pathlib import Path

import pytest

from elt.airflow.load_tasks import load_table
from elt.loading.sources_yaml import declared_tables

Row = Mapping[str, object]


class Landing:
    """A shop that delivers. Each delivery is a file of its own for each of its tables."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.delivery = 0
        folder.mkdir(parents=True)
        connection = json.dumps({"conn_type": "fs", "extra": {"path": str(folder)}})
        monkeypatch.setenv("AIRFLOW_CONN_GREENERY_SOURCE", connection)
        monkeypatch.setenv("GREENERY_SETTLE_SECONDS", "0")
        self.columns = {name: table.column_names for name, table in declared_tables().items()}

    def deliver(self, tables: Mapping[str, Iterable[Row]]) -> None:
        """Write the rows of tables as one more delivery and load it. A missing value is null."""
        self.delivery += 1
        for table, rows in tables.items():
            file = self.folder / table / f"{self.delivery:04}.csv"
            file.parent.mkdir(exist_ok=True)
            with file.open("w", newline="") as opened:
                writer = csv.DictWriter(opened, self.columns[table])
                writer.writeheader()
                writer.writerows(rows)
            load_table(table, run_id=f"delivery {self.delivery}", confirm_shrunk=[table])


def read_rows(folder: Path) -> dict[str, list[dict[str, str]]]:
    """Return the rows of each table's file in a folder."""
    return {
        name: list(csv.DictReader(StringIO((folder / f"{name}.csv").read_text())))
        for name in declared_tables()
    }
