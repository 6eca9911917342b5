"""The dbt project built as the daily run builds it, in this process, without Airflow."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from unittest import mock

import yaml
from dbt.artifacts.schemas.run import RunExecutionResult
from dbt.cli.main import dbtRunner

from elt.transform.lineage import Lineage
from tests.dbt.conftest import PROJECT
from tests.support.warehouse import Warehouse

# everything that a run builds: `dbt run` would leave out the snapshots
BUILD = ("build", "--resource-type", "model", "--resource-type", "snapshot")

# the shop's project as parsed in this process, and its file, by the database's name
_parsed: dict[tuple[int, str], tuple[Any, bytes]] = {}


class DailyBuild:
    """Builds the project, or a copy of it, into the shared schemas of a warehouse."""

    def __init__(self, warehouse: Warehouse, folder: Path, project: Path = PROJECT) -> None:
        self.warehouse, self.folder, self.project = warehouse, folder, project
        self.said: list[str] = []
        self.manifest: Any = None
        folder.mkdir(parents=True, exist_ok=True)
        output = {
            "type": "postgres",
            "host": "127.0.0.1",
            "port": warehouse.server.port,
            "user": "greenery",
            "password": "{{ env_var('GREENERY_TEST_PASSWORD') }}",
            "dbname": warehouse.database,
            "schema": "staging",
            "role": "transformer",
            "threads": 2,
        }
        profile = {"greenery": {"target": "prod", "outputs": {"prod": output}}}
        (folder / "profiles.yml").write_text(yaml.safe_dump(profile))

    def copy_project(self) -> Path:
        """Build from a copy from now on, and return it: it may be changed."""
        self.project = self.folder / "project"
        shutil.copytree(PROJECT, self.project, ignore=shutil.ignore_patterns("target", "logs"))
        return self.project

    def __call__(self, command: str = "run", *arguments: str) -> Any:
        """Run a dbt command and return its results; what dbt said is in ``said``.

        ``run`` builds the snapshots as well.
        """
        self.said = []
        folders = ["--project-dir", self.project, "--profiles-dir", self.folder]
        folders += ["--target-path", self.folder / "target", "--log-path", self.folder]
        if self.manifest:
            # files of debug messages and of results take longer than a small shop's models
            folders += ["--no-write-json", "--log-level-file", "none"]
        commands = BUILD if command == "run" else command.split()
        password = {"GREENERY_TEST_PASSWORD": self.warehouse.server.passwords["greenery"]}
        with mock.patch.dict(os.environ, {**password, "DO_NOT_TRACK": "1"}):
            done = dbtRunner(manifest=self.manifest, callbacks=[self._listen]).invoke(
                ["--quiet", "--no-use-colors", *commands, *map(str, folders), *arguments]
            )
        if isinstance(done.result, RunExecutionResult):
            failed = [result.message for result in done.result if result.status == "error"]
            assert not failed, failed
        assert done.exception is None, done.exception
        return done.result

    def parse_once(self) -> None:
        """Parse the project as it is now, and not again with each command.

        The shop's own project is parsed once in a process for all databases of one name.
        """
        file = self.folder / "target" / "manifest.json"
        key = self.warehouse.server.port, self.warehouse.database
        if self.project == PROJECT and key in _parsed:
            self.manifest, text = _parsed[key]
            file.parent.mkdir()
            file.write_bytes(text)
            return
        self.manifest = self("parse")
        if self.project == PROJECT:
            _parsed[key] = self.manifest, file.read_bytes()

    def built_whole(self) -> set[str]:
        """Return the names of the models that the last command built whole by themselves."""
        return {line.split()[0] for line in self.said if " is built whole: " in line}

    def _listen(self, event: Any) -> None:
        self.said.append(event.info.msg)


def models(folder: Path) -> list[str]:
    """Return the tables of all models, from the manifest of the last build in a folder."""
    nodes = Lineage.read(folder / "target" / "manifest.json").nodes.values()
    return sorted(
        node["relation_name"]
        for node in nodes
        if node["resource_type"] == "model" and node["config"]["materialized"] != "view"
    )


def rows_of(warehouse: Warehouse, tables: Iterable[str]) -> dict[str, Counter[str]]:
    """Return the rows of tables as text, to compare what two builds gave."""
    return {
        table: Counter(row for (row,) in warehouse.run(f"select t::text from {table} as t"))
        for table in tables
    }


def differences(one: dict[str, Counter[str]], other: dict[str, Counter[str]]) -> dict[str, list]:
    """Return some rows of each table that are only in one, then some that are only in the other."""
    return {
        table: [list(one[table] - other[table])[:3], list(other[table] - one[table])[:3]]
        for table in one.keys() | other.keys()
        if one[table] != other[table]
    }
