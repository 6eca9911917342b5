from __future__ import annotations

import json
import re

import psycopg2
import pytest

from devtools.local.postgres import free_port
from elt.warehouse.connection import (
    FEW_BY_KEYS,
    WarehouseUnreachableError,
    no_connection_left,
    transaction,
)
from tests.support.installation import ROOT


def test_what_is_done_in_it_is_committed_at_the_end_and_rolled_back_on_an_error(warehouse):
    with transaction("loader") as cursor:
        cursor.execute("insert into ops.source (url) values ('kept')")

    def fail_half_way():
        with transaction("loader") as cursor:
            cursor.execute("update ops.source set url = 'lost'")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fail_half_way()
    assert warehouse.run("select url from ops.source") == [("kept",)]


def test_it_acts_as_the_role_and_speaks_utc(warehouse):
    with transaction("publisher") as cursor:
        cursor.execute("select current_user, current_setting('timezone')")
        assert cursor.fetchone() == ("publisher", "UTC")


def test_a_connection_lost_on_the_way_is_told_as_such(warehouse):
    def lose_it():
        with transaction("loader") as cursor:
            cursor.execute("select pg_backend_pid()")
            warehouse.run("select pg_terminate_backend(%s)", cursor.fetchone())
            cursor.execute("select 1")

    with pytest.raises(psycopg2.OperationalError, match="terminat"):
        lose_it()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"password": "wrong"}, "password authentication failed"),
        ({"schema": "no_such"}, 'database "no_such" does not exist'),
        ({"port": None}, "Connection refused"),
    ],
    ids=["password", "database", "nobody listens"],
)
def test_a_wrong_or_dead_warehouse_is_said_in_one_sentence(warehouse, monkeypatch, change, reason):
    settings = json.loads(warehouse.airflow_connection)
    settings |= {key: free_port() if value is None else value for key, value in change.items()}
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_WAREHOUSE", json.dumps(settings))
    with pytest.raises(WarehouseUnreachableError, match=reason) as caught:
        with transaction("loader"):
            pass
    assert "\n" not in str(caught.value)
    assert "greenery_warehouse" in str(caught.value)
    assert warehouse.server.passwords["greenery"] not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_server_that_takes_no_more_connections_is_said_with_what_to_do(warehouse):
    limit = f"alter database {warehouse.database} connection limit"
    warehouse.run(f"{limit} 0")
    try:
        with pytest.raises(WarehouseUnreachableError, match="max_connections") as caught:
            with transaction("loader"):
                pass
    finally:
        warehouse.run(f"{limit} -1")
    assert "too many connections for database" in str(caught.value)
    assert "Is the server up" not in str(caught.value)


@pytest.mark.parametrize(
    "message",
    [
        "FATAL:  sorry, too many clients already",
        'FATAL:  too many connections for role "greenery"',
        "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute",
    ],
)
def test_the_servers_words_for_it_are_known(message):
    assert no_connection_left(message)


def test_a_missing_connection_is_said_in_words(monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_GREENERY_WAREHOUSE", raising=False)
    with pytest.raises(WarehouseUnreachableError, match="no connection `greenery_warehouse`"):
        with transaction("loader"):
            pass


@pytest.mark.usefixtures("warehouse")
def test_no_statement_outlives_the_task_that_waits_for_it():
    with transaction("loader") as cursor:
        cursor.execute(
            "select current_setting('statement_timeout'), current_setting('lock_timeout')"
        )
        assert cursor.fetchone() == ("29min", "5min")


@pytest.mark.usefixtures("warehouse")
@pytest.mark.parametrize(
    ("minutes", "timeout"),
    [("180", "179min"), ("1", "54s"), ("0.001", "54ms"), ("soon", "29min"), ("-5", "29min")],
)
def test_a_statement_may_take_a_bit_less_than_a_task(monkeypatch, minutes, timeout):
    monkeypatch.setenv("GREENERY_TASK_MINUTES", minutes)
    with transaction("loader") as cursor:
        cursor.execute("show statement_timeout")
        assert cursor.fetchone() == (timeout,)


def test_dbt_looks_up_keys_at_the_same_prices():
    macro = (ROOT / "dbt/greenery/macros/few_by_keys.sql").read_text()
    prices = re.findall(r"set_config\('(\w+)', '([\w.]+)', true\)", macro)
    assert "; ".join(f"set local {name} = {value}" for name, value in prices) == FEW_BY_KEYS
