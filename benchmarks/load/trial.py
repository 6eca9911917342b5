"""One trial: a database in its start state, a load into it, and a look at what arrived."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.load import files, measure
from benchmarks.load.databases import PLAIN, Databases
from benchmarks.load.measure import Measured
from benchmarks.load.scenarios import SCENARIOS, Job, Scenario
from benchmarks.load.ways import WAYS, Way
from devtools.local.databases import WAREHOUSE

TARGET = "bench"


@dataclass(frozen=True)
class Bench:
    databases: Databases
    folder: Path
    rows: files.Rows

    def measure(self, scenario: Scenario, way: Way) -> Measured:
        """Load once and return what it took; a wrong number of rows is an error, too."""
        self.databases.copy(self.start_state(way.start, scenario.before), TARGET)
        measured = self.load(scenario, way, TARGET)
        return replace(measured, error=measured.error or self.verdict(scenario, way.table, TARGET))

    def verdict(self, scenario: Scenario, table: str, database: str) -> str | None:
        """Return what is wrong with the number of rows that arrived, or None."""
        count, expected = self.databases.count(database, table), scenario.rows(self.rows)
        return None if count == expected else f"{count} rows instead of {expected}"

    def load(self, scenario: Scenario, way: Way, database: str) -> Measured:
        """Load into a database that is in its start state."""
        work = self.folder / "work"
        landing, scratch = work / "landing", work / "scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        drops = [name for name in (scenario.before, scenario.file) if name]
        files.link(landing, [self.file(name) for name in dict.fromkeys(drops)])
        source = self.start_state("keyed", "small") if scenario.from_postgres else database
        job = Job(
            scenario,
            self.file(scenario.file),
            self.databases.url(source),
            self.databases.url(database),
            self.databases.url(database, "greenery"),
            landing,
            scratch,
        )
        command = way.command(job)
        self.databases.settle(database)
        return measure.run(command, self.environment(scratch), self.databases.postmaster)

    def file(self, name: str) -> Path:
        return self.folder / f"{name}.csv"

    def environment(self, scratch: Path) -> dict[str, str]:
        return {
            "HOME": str(scratch),
            "AIRFLOW_HOME": str(self.folder / "work/airflow"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW_CONN_GREENERY_WAREHOUSE": self.databases.airflow_connection,
            "DO_NOT_TRACK": "1",
            "RUNTIME__DLTHUB_TELEMETRY": "false",
            "SLING_DISABLE_TELEMETRY": "true",
        }

    def start_state(self, start: str, loaded: str | None) -> str:
        """Return the database of a kind with a file loaded, making it if it is not there yet."""
        name = f"{start}_{loaded or 'empty'}"
        if self.databases.exists(name):
            return name
        making = f"{name}_in_the_making"
        if loaded is None:
            self._make_empty(start, making)
        else:
            way = {"ours": "ours", "dlt": "dlt"}.get(start, "copy")
            scenario = next(
                one for one in SCENARIOS.values() if (one.file, one.before) == (loaded, None)
            )
            self.databases.copy(self.start_state(start, None), making)
            measured = self.load(scenario, WAYS[way], making)
            if measured.error:
                raise RuntimeError(f"The start state {name} can't be made: {measured.error}")
            # else the first to read it would pay for the hint bits
            self.databases.run("vacuum (freeze, analyze)", making)
        self.databases.run(f"alter database {making} rename to {name}")
        return name

    def _make_empty(self, start: str, database: str) -> None:
        if start != "ours":
            self.databases.copy("template0", database)
            if start in PLAIN:
                self.databases.run(PLAIN[start], database)
            return
        command = [sys.executable, "-m", "benchmarks.load.clients.ours", "migrate"]
        scratch = self.folder / "work/scratch"
        measured = measure.run(command, self.environment(scratch), self.databases.postmaster)
        if measured.error:
            raise RuntimeError(f"The warehouse can't be made: {measured.error}")
        self.databases.copy(WAREHOUSE, database)
