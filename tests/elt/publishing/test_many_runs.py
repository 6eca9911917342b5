"""A day of runs every ten minutes, in short: each costs what the first did, none piles up."""

from __future__ import annotations

import statistics
import tempfile
import time
from functools import partial

import pytest

from elt.loading.files.find_files import find_files
from elt.loading.files.landing import landing_at
from elt.loading.files.load_table import load_table
from elt.loading.load_context import Loader
from elt.publishing.publish import close_run
from elt.transform import change_log
from elt.transform.lineage import Lineage
from elt.warehouse import lease
from elt.warehouse.connection import transaction
from elt.warehouse.migrate import migrate
from tests.elt.loading.conftest import VISITS
from tests.elt.publishing.conftest import Shop, manifest

pytestmark = pytest.mark.slow

RUNS = 100
# a run brings a row, and changes one that is there, each second time
PERIOD = 2
MART = "fct_visits"


class Day:
    """Runs on one warehouse, as the tasks do them; dbt is a statement."""

    def __init__(self, warehouse, folder):
        self.shop = Shop(warehouse, Lineage(manifest({MART: ["visits"]})))
        self.folder = folder
        self.seconds: list[float] = []
        self.sizes: list[dict[str, int]] = []
        self.shop.build(f"create table marts_build.{MART} (visit_id text primary key, page text)")

    def run(self, number: int) -> None:
        started = time.thread_time()
        run_id = f"run {number}"
        if number % PERIOD == 0:
            rows = f"new {number},home,1\nold,page {number},2\n"
            self.folder.joinpath(f"{number:04}.csv").write_text("visit_id,page,seconds\n" + rows)
        migrate()
        with transaction("loader") as cursor:
            lease.take(cursor, run_id)
        source = landing_at(str(self.folder.parent))
        loader = Loader(source, partial(lease.loading, run_id), run_id, settle_seconds=0)
        found = find_files(source, ["visits"])
        load_table(loader, VISITS, found.of("visits"), found.strays["visits"])
        self.shop.begin(run_id)
        self.shop.build(
            f"insert into marts_build.{MART} select visit_id, page from raw.visits"
            " on conflict (visit_id) do update set page = excluded.page"
            f" where {MART}.page <> excluded.page"
        )
        self.shop.publish(run_id)
        close_run(run_id, self.shop.lineage.marts)
        with transaction("loader") as cursor:
            change_log.prune(cursor, [])
        self.seconds.append(time.thread_time() - started)

    def count(self) -> None:
        """Count the rows of each table that is ours and no data."""
        self.sizes.append(
            {
                table: self.shop.warehouse.run(f"select count(*) from {table}")[0][0]
                for (table,) in self.shop.warehouse.run(
                    "select format('%I.%I', schemaname, tablename) from pg_tables"
                    " where schemaname in ('ops', 'untested')"
                    " or schemaname = 'raw' and tablename <> 'visits'"
                )
            }
        )


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_a_hundred_runs_leave_a_constant_number_of_rows_each_and_no_file(
    warehouse, tmp_path, scratch
):
    folder = tmp_path / "landing" / "visits"
    folder.mkdir(parents=True)
    day = Day(warehouse, folder)
    for number in range(RUNS):
        day.run(number)
        if number % 20 == 19:
            day.count()
    grown = [
        {table: later[table] - earlier[table] for table in later}
        for earlier, later in zip(day.sizes, day.sizes[1:], strict=False)
    ]
    assert all(one == grown[0] for one in grown), grown
    # what is kept of each run for good: its results, its publication, each file that was loaded
    assert {table: rows / 20 for table, rows in grown[0].items() if rows} == {
        "ops.node_result": len(day.shop.lineage.of_type("model", "snapshot", "test")),
        "ops.publication": 1,
        "ops.load": 1 / PERIOD,
    }
    assert list(scratch.iterdir()) == []
    assert day.shop.read(f"marts.{MART}") == day.shop.read(f"marts_build.{MART}")
    first, last = (statistics.median(part) for part in (day.seconds[5:25], day.seconds[-20:]))
    assert last <= 1.5 * first, (first, last)
