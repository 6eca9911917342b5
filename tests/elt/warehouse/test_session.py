"""A session is the same whoever starts it, and whatever the server has by default."""

from __future__ import annotations

import contextlib
import os

import pytest

from elt.loading.database.source import Database, open_snapshot
from elt.warehouse import session
from elt.warehouse.connection import transaction
from tests.support import hostile

WANTED = {
    "search_path": "pg_catalog, pg_temp",
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "client_encoding": "UTF8",
    "standard_conforming_strings": "on",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "application_name": "greenery",
}


@pytest.fixture
def _hostile_variables(monkeypatch):
    for name, value in hostile.VARIABLES.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def _hostile_defaults(warehouse):
    """What the server has by default is otherwise, for the database and for each log-in."""
    for where in (f"database {warehouse.database}", "role greenery", "role postgres"):
        for setting in (
            "timezone = 'Asia/Tokyo'",
            "datestyle = 'SQL, DMY'",
            "intervalstyle = 'sql_standard'",
            "bytea_output = 'escape'",
            "extra_float_digits = -5",
            "search_path = elsewhere",
        ):
            warehouse.run(f"alter {where} set {setting}")
    yield
    for role in ("greenery", "postgres"):
        warehouse.run(f"alter role {role} reset all")


def settings(cursor) -> dict[str, str]:
    cursor.execute("select name, setting from pg_settings where name = any (%s)", [[*WANTED]])
    return {**dict(cursor.fetchall()), "search_path": _path(cursor)}


def _path(cursor) -> str:
    cursor.execute("show search_path")
    return cursor.fetchone()[0].replace(",", ", ").replace("  ", " ")


@pytest.mark.usefixtures("_hostile_variables", "_hostile_defaults")
def test_a_session_with_the_warehouse_has_nothing_from_outside(warehouse):
    with transaction("loader") as cursor:
        assert settings(cursor) == WANTED


@pytest.mark.usefixtures("_hostile_variables", "_hostile_defaults")
def test_neither_has_one_with_the_shops_database_or_of_an_administrator(warehouse):
    server = warehouse.server
    password = server.passwords["postgres"]
    shop = Database("127.0.0.1", server.port, warehouse.database, "raw", "postgres", password)
    with open_snapshot(shop) as snapshot:
        assert settings(snapshot.cursor) == WANTED
        # a pool before the shop's database refuses them at log-in, or drops them
        assert not snapshot.cursor.connection.get_dsn_parameters()["options"]
    with contextlib.closing(warehouse.connect()) as connection, connection.cursor() as cursor:
        assert settings(cursor) == WANTED


@pytest.mark.usefixtures("_hostile_variables")
def test_what_is_started_from_here_has_no_variable_of_libpq():
    kept = {"PATH": "/bin", "PAGER": "less", "PSQL_EDITOR": "vi"}
    assert session.drop_libpq_variables({**hostile.VARIABLES, **kept}) == kept
    session.drop_libpq_variables()
    assert not [name for name in os.environ if name.startswith("PG")]


def test_a_password_of_the_users_own_file_is_not_taken(warehouse, monkeypatch, tmp_path):
    server = warehouse.server
    (tmp_path / ".pgpass").write_text(f"*:*:*:*:{server.passwords['postgres']}\n")
    (tmp_path / ".pgpass").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(Exception, match="no password supplied"):
        session.connect(host="127.0.0.1", port=server.port, user="postgres", dbname="postgres")
