"""Through PgBouncer a run goes as without one, or is refused before it does anything."""

from __future__ import annotations

import dataclasses

import pytest

from elt.warehouse.connection import (
    PooledError,
    WarehouseUnreachableError,
    connect,
    require_sessions,
    transaction,
)
from tests.support.bookshop import Bookshop
from tests.support.bouncer import PROGRAM, bouncer
from tests.support.warehouse import Warehouse

with_pgbouncer = pytest.mark.skipif(not PROGRAM, reason="Debian's package pgbouncer is missing")


def pooled(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, server) -> Warehouse:
    through = dataclasses.replace(warehouse, server=server)
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_WAREHOUSE", through.airflow_connection)
    return through


@with_pgbouncer
@pytest.mark.slow  # it builds a whole shop
def test_a_pool_that_keeps_sessions_changes_nothing(warehouse, tmp_path, monkeypatch):
    with bouncer(warehouse.server, mode="session") as server:
        shop = Bookshop(pooled(warehouse, monkeypatch, server), tmp_path)
        require_sessions()
        shop.load()
        shop.build()
        with transaction("reader") as cursor:
            cursor.execute("select current_setting('search_path'), current_setting('timezone')")
            assert cursor.fetchone() == ("pg_catalog, pg_temp", "UTC")
    counts = [warehouse.run(f"select count(*) from marts_build.{mart}") for mart in shop.marts]
    assert all(count > 0 for ((count,),) in counts)


@with_pgbouncer
def test_a_pool_that_changes_sessions_is_refused(warehouse, monkeypatch):
    with bouncer(warehouse.server, mode="transaction") as server:
        pooled(warehouse, monkeypatch, server)
        with pytest.raises(PooledError, match=r"another session.*pool_mode = session"):
            require_sessions()


@with_pgbouncer
def test_a_pool_that_refuses_our_settings_is_told_apart_from_a_dead_server(warehouse, monkeypatch):
    with bouncer(warehouse.server, mode="session", ignored="extra_float_digits") as server:
        pooled(warehouse, monkeypatch, server)
        with pytest.raises(WarehouseUnreachableError, match="ignore_startup_parameters = options"):
            connect()


def test_without_a_pool_there_is_nothing_to_refuse(warehouse):
    require_sessions()
