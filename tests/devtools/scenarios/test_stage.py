"""What a stage does to its warehouse, without an Airflow."""

from __future__ import annotations

import psycopg2
import pytest

from devtools.local.postgres import Server
from devtools.local.state_folder import Home
from devtools.scenarios import troubles
from devtools.scenarios.stage import Stage

HOURS = "round(extract(epoch from now() - {}) / 3600)"


class NoRun(Stage):
    """A stage on which no DAG is run."""

    def run_well(self):
        pass

    def remind(self):
        pass

    def forget_warnings(self):
        pass


@pytest.fixture
def stage(warehouse) -> Stage:
    return NoRun(Home(), warehouse, None, "")


def test_a_warehouse_that_lets_nobody_in_ends_who_is_there(server: Server):
    stage = Stage(Home(), server, None, "")
    inside = server.connect("analyst")
    stage.let_in(False)
    try:
        with pytest.raises(psycopg2.OperationalError, match="not currently accepting"):
            server.connect("analyst")
        with pytest.raises(psycopg2.OperationalError), inside.cursor() as cursor:
            cursor.execute("select 1")
        # Airflow's own database is not meant
        server.connect("airflow", "airflow").close()
    finally:
        stage.let_in(True)
    server.connect("analyst").close()


def test_a_table_that_is_held_is_waited_for(stage, warehouse):
    with stage.holding("ops.publication"):
        with pytest.raises(psycopg2.errors.LockNotAvailable):
            warehouse.run("set lock_timeout = 100; select count(*) from ops.publication")
    warehouse.run("set lock_timeout = 100; select count(*) from ops.publication")


def test_late_makes_the_last_publication_thirty_hours_old(stage, warehouse):
    warehouse.run(
        "insert into ops.publication (run_id, published_at, rows_inserted, rows_updated, "
        "rows_deleted, tables) values ('run 1', now(), 0, 0, 0, '[]')"
    )
    next(troubles.late(stage))
    (age,) = warehouse.run(
        "select round(extract(epoch from now() - published_at) / 3600) from ops.publication"
    )
    assert age == (30,)


def test_late_data_makes_the_orders_two_days_old_and_young_again(stage, warehouse):
    warehouse.run(
        "insert into ops.load "
        "(table_name, source_file, file_size, started_at, finished_at, status) "
        "select name, 'f', 1, now(), now(), 'loaded' from unnest(array['orders', 'users']) as name"
    )
    age = f"select table_name, {HOURS.format('finished_at')} from ops.load order by 1"
    steps = troubles.late_data(stage)
    next(steps)
    assert warehouse.run(age) == [("orders", 48), ("users", 0)]
    next(steps, None)
    assert warehouse.run(age) == [("orders", 0), ("users", 0)]
