"""One real Postgres server for all tests, and a warehouse of its own for each."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from xdist.scheduler import LoadFileScheduling

# before anything imports Airflow: it makes its home folder and reads its settings then
os.environ.update(
    {
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "120",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False",
        "DO_NOT_TRACK": "1",
    }
)
ROOT = Path(__file__).parents[1]
WITH_AIRFLOW = "tests/e2e/"
LONGEST = (WITH_AIRFLOW, "test_kill.py", "test_equality.py", "test_neighbours.py")


def pytest_configure(config: pytest.Config) -> None:
    import tempfile

    home = tempfile.mkdtemp(prefix="greenery-tests-")
    os.environ["AIRFLOW_HOME"] = home
    # it has tests of its own, and takes seconds of each run
    os.environ["GREENERY_REPORT"] = ""
    # nobody's real channel
    os.environ.pop("AIRFLOW_CONN_GREENERY_SLACK", None)
    # nor a replica
    os.environ.pop("GREENERY_READER_URL", None)
    os.environ["AIRFLOW__COSMOS__CACHE_DIR"] = str(Path(home, "cosmos"))
    # parsed without a warehouse: not for the run of this checkout
    os.environ["GREENERY_DBT_TARGET"] = str(Path(home, "dbt"))
    config.add_cleanup(lambda: __import__("shutil").rmtree(home, ignore_errors=True))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that take longest: else the last of them keeps one process waiting."""

    def place(item: pytest.Item) -> int:
        return next((i for i, name in enumerate(LONGEST) if name in item.nodeid), len(LONGEST))

    items.sort(key=place)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadFileScheduling:
    """Keep a file's tests in one process, and all with a whole Airflow in the same one.

    Two Airflows at once take more than twice as long on two cores. (xdist's own groups do nothing
    with pytest 9.2.)
    """

    class OneAirflow(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return WITH_AIRFLOW if nodeid.startswith(WITH_AIRFLOW) else super()._split_scope(nodeid)

    return OneAirflow(config, log)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with the shop's real data."""
    named = os.environ.get("GREENERY_DATA", "../shared/greenery")
    if not named:
        pytest.skip("GREENERY_DATA is set to nothing: no real data here")
    folder = (ROOT / named).resolve()
    assert (folder / "events.csv").exists(), f"no real data in {folder}: set GREENERY_DATA"
    return folder


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """A Postgres server for the whole session, with a template for warehouses."""
    from devtools.local import postgres
    from tests.support.warehouse import make_template, set_for_tests

    state = tmp_path_factory.mktemp("postgres")
    started = postgres.start(state)
    set_for_tests(started)
    make_template(started)
    yield started
    postgres.remove(state)


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The manifest of this shop's dbt project, parsed once for all processes of the session."""
    from elt.transform.project import PROJECT
    from tests.support.manifest import parse

    folder = tmp_path_factory.getbasetemp()
    folder = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "manifest"
    with FileLock(f"{folder}.lock"):
        if not (folder / "whole").exists():
            parse(PROJECT, folder)
            (folder / "whole").touch()
    return json.loads((folder / "manifest.json").read_text())


@pytest.fixture
def warehouse(server) -> Iterator[object]:
    from tests.support.warehouse import ONE_AT_A_TIME, fresh_warehouse

    with fresh_warehouse(server, ONE_AT_A_TIME) as fresh:
        yield fresh
