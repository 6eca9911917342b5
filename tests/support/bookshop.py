"""The second small shop: loaded by the engine's own functions, built by dbt."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from unittest import mock

from airflow.sdk import Connection

from elt.airflow.load_tasks import as_loader
from elt.loading.contract import Table
from elt.loading.files import load_table as load
from elt.loading.files.find_files import find_files
from elt.loading.files.landing import CONNECTION_ID, open_landing
from elt.loading.load_context import Loader
from elt.loading.load_log import LoadResult
from elt.loading.sources_yaml import read_contracts
from tests.dbt.conftest import PROJECT
from tests.dbt.daily import DailyBuild
from tests.support.warehouse import Warehouse

SHOP = Path(__file__).parents[1] / "fixtures" / "bookshop"
SOURCES = "models/staging/_bookshop__sources.yml"

# what the dbt project of every shop has of the product
SHARED = ("macros", "materializations", "models/ops", "tests/generic")


def add_shared(project: Path) -> None:
    """Complete a copy of its dbt project by what is the product's."""
    for folder in SHARED:
        shutil.copytree(PROJECT / folder, project / folder)


class Bookshop:
    """Its landing folder, contracts and dbt project: copies, which may be changed."""

    def __init__(self, warehouse: Warehouse, folder: Path, loaded: Bookshop | None = None) -> None:
        """Take the folders anew, or of a shop that the warehouse is a copy of."""
        self.warehouse = warehouse
        self.landing = shutil.copytree(
            loaded.landing if loaded else SHOP / "landing", folder / "landing"
        )
        self.project = shutil.copytree(loaded.project if loaded else SHOP / "dbt", folder / "dbt")
        if not loaded:
            add_shared(self.project)
        self.build = DailyBuild(warehouse, folder / "build", self.project)

    @property
    def tables(self) -> dict[str, Table]:
        return read_contracts(self.project / SOURCES)

    def load(self, run_id: str = "a run") -> dict[str, list[LoadResult]]:
        """Load what is new in the landing folder, of each table."""
        source = json.dumps({"conn_type": "fs", "extra": {"path": str(self.landing)}})
        with mock.patch.dict("os.environ", {"AIRFLOW_CONN_GREENERY_SOURCE": source}):
            landing = open_landing(Connection.get(CONNECTION_ID))
        loader = Loader(landing, as_loader, run_id, (), settle_seconds=0)
        found = find_files(landing, self.tables)
        return {
            name: load.load_table(loader, table, found.of(name), found.strays[name])
            for name, table in self.tables.items()
        }

    def publish(self) -> None:
        """Show readers what was built, as far as a test of something else needs it."""
        for mart in self.marts:
            self.warehouse.run(
                f"drop table if exists marts.{mart}; set role publisher;"
                f"create table marts.{mart} as select * from marts_build.{mart}"
            )

    @property
    def marts(self) -> list[str]:
        return sorted(file.stem for file in (self.project / "models" / "marts").glob("*.sql"))
