"""Who else is at work while a run builds and publishes: a long dump, autovacuum, an analyst."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from devtools.local.postgres import binary
from elt.transform.project import DBT
from tests.dbt.conftest import PROJECT
from tests.dbt.daily import DailyBuild
from tests.dbt.daily_shop import DailyShop
from tests.dbt.landing import read_rows
from tests.support.waiting import wait_until
from tests.support.warehouse import Warehouse

pytestmark = [pytest.mark.slow, pytest.mark.rare, pytest.mark.timeout(600)]


@contextlib.contextmanager
def long_dump(warehouse: Warehouse) -> Iterator[None]:
    """Have pg_dump in the middle of its work: it waits for somebody to read what it writes."""
    command = [binary("pg_dump", warehouse.server), warehouse.url()]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as dump:
        try:
            wait_until(
                lambda: (
                    warehouse.run(
                        "select count(*) > 20 from pg_locks inner join pg_stat_activity using (pid)"
                        " where application_name = 'pg_dump' and locktype = 'relation'"
                    )
                    == [(True,)]
                ),
                "the dump's locks",
            )
            yield
            assert dump.poll() is None, "it was over before the run"
        finally:
            dump.kill()


@contextlib.contextmanager
def analysts_build(warehouse: Warehouse, folder: Path) -> Iterator[None]:
    """Have an analyst build and test the whole project into schemas of their own meanwhile."""
    command = [*DBT, "--quiet", "build"]
    command += ["--exclude-resource-type", "unit_test", f"--project-dir={PROJECT}"]
    command += [f"--{what}-path={folder}" for what in ("target", "log")]
    settings = {
        "GREENERY_DBT_PORT": str(warehouse.server.port),
        "GREENERY_DBT_PASSWORD": warehouse.server.passwords["analyst"],
        "GREENERY_DBT_DATABASE": warehouse.database,
        "GREENERY_DBT_NAME": "ann",
        "DBT_PROFILES_DIR": str(PROJECT),
    }
    with subprocess.Popen(command, env={**os.environ, **settings}) as build:
        yield
        assert build.wait(120) == 0
    assert warehouse.run("select count(*) > 300 from dev_ann_marts_build.fct_orders") == [(True,)]


@contextlib.contextmanager
def vacuum_all_along(warehouse: Warehouse) -> Iterator[None]:
    """Vacuum the whole warehouse again and again, as an eager autovacuum would."""
    stop = threading.Event()

    def vacuum() -> None:
        with contextlib.closing(warehouse.connect()) as connection:
            connection.autocommit = True
            while not stop.is_set():
                connection.cursor().execute("vacuum (analyze, skip_locked)")

    thread = threading.Thread(target=vacuum)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(60)


@pytest.fixture
def real(real_data) -> dict[str, list[dict[str, str]]]:
    return read_rows(real_data)


@pytest.fixture
def shop(warehouse, real, monkeypatch, tmp_path) -> DailyShop:
    """A shop with a first run, and news for the next one."""
    build = DailyBuild(warehouse, tmp_path / "build")
    build.parse_once()
    shop = DailyShop(build, tmp_path / "shop", monkeypatch)
    shop.landing.deliver({**real, "events": real["events"][:2000]})
    shop.run()
    shop.landing.deliver(real)
    return shop


def test_a_long_dump_holds_up_no_run(shop):
    with long_dump(shop.warehouse):
        # dbt would wait for as long as the dump goes on
        shop.warehouse.run(
            f"alter role greenery in database {shop.warehouse.database} set lock_timeout = '10s'"
        )
        shop.run()
    shop.assert_equal_to_one_full_refresh()


def test_an_analyst_and_autovacuum_at_work_change_nothing(shop, tmp_path):
    with analysts_build(shop.warehouse, tmp_path / "ann"), vacuum_all_along(shop.warehouse):
        for _ in range(3):
            shop.run()
    shop.assert_equal_to_one_full_refresh()
