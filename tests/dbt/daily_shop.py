"""A shop whose deliveries are loaded, built and published, without Airflow."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from elt.publishing.publish import publish
from elt.transform.lineage import Lineage
from elt.warehouse import lease
from elt.warehouse.connection import transaction
from tests.dbt.daily import DailyBuild, differences, models, rows_of
from tests.dbt.landing import Landing


class DailyShop:
    """A shop whose deliveries are loaded, built and published as the daily run does it."""

    def __init__(self, build: DailyBuild, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.warehouse, self.build = build.warehouse, build
        self.landing = Landing(folder / "landing", monkeypatch)
        self.runs = 0

    def begin(self) -> None:
        """Take the lease and freeze the horizon, as a run does when everything is loaded."""
        self.runs += 1
        with transaction("loader") as cursor:
            lease.take(cursor, f"run {self.runs}")
            lease.freeze_horizon(cursor, f"run {self.runs}")

    def end(self) -> None:
        with transaction("loader") as cursor:
            lease.release(cursor, f"run {self.runs}")

    @property
    def lineage(self) -> Lineage:
        return Lineage.read(self.build.folder / "target" / "manifest.json")

    def publish(self, failed_test: str = "nothing has failed") -> None:
        """Publish as if every test had passed, but those with this in their name.

        What is built here need not make sense.
        """
        with transaction("loader") as cursor:
            for unique_id in self.lineage.of_type("model", "snapshot", "test"):
                cursor.execute(
                    "insert into ops.node_result"
                    " (run_id, task_id, try_number, unique_id, kind, status)"
                    " values (%s, 'a task', 1, %s, 'test', %s) on conflict do nothing",
                    (f"run {self.runs}", unique_id, "fail" if failed_test in unique_id else "pass"),
                )
        publish(f"run {self.runs}", self.lineage)

    def run(self) -> None:
        self.begin()
        self.build("run")
        self.publish()
        self.end()

    def marts(self) -> dict[str, Counter[str]]:
        """Return the rows of each mart as they are published."""
        return {
            mart: rows_of(self.warehouse, [f"marts.{mart}"])[f"marts.{mart}"]
            for mart in sorted(self.lineage.marts)
        }

    def assert_equal_to_one_full_refresh(self) -> None:
        self.begin()
        self.build("run")
        self.publish()
        whole = self.build.built_whole()
        tables = models(self.build.folder)
        marts = sorted(self.lineage.marts)
        assert len(marts) > 10
        built = rows_of(self.warehouse, tables)
        published = self.marts()
        self.build("run", "--full-refresh")
        refreshed = rows_of(self.warehouse, tables)
        assert differences(built, refreshed) == {}
        wanted = rows_of(self.warehouse, [f"marts_build.{mart}" for mart in marts])
        wanted = {table.split(".")[1]: rows for table, rows in wanted.items()}
        assert differences(published, wanted) == {}
        assert whole == set(), "nothing would be proven"
        self.end()
