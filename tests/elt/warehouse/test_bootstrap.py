"""A log-in that is no superuser, as a managed server gives one, prepares a warehouse."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from urllib.parse import quote

import psycopg2
import pytest

from devtools.local import postgres
from devtools.local.databases import LOGINS
from elt.cli.commands import greenery
from elt.warehouse import session
from elt.warehouse.bootstrap import BootstrapError, bootstrap, set_password
from elt.warehouse.connection import transaction
from elt.warehouse.migrate import migrate
from tests.support.postgres16 import older_programs

ROLES = ("loader", "transformer", "publisher", "reader", "sandbox", *LOGINS[1:])
PASSWORDS = {"greenery": "it's the run's", "analyst": "for people"}


class Managed:
    """A server on which nothing of ours is, and two administrators of it."""

    def __init__(self, server: postgres.Server) -> None:
        self._server = server
        self.port = server.port

    def url(self, login: str, password: str = "managed", database: str = "postgres") -> str:
        return f"postgresql://{login}:{password}@127.0.0.1:{self.port}/{database}"

    def run(self, statement: str, database: str = "postgres", login: str = "postgres") -> list:
        url = self._server.url("postgres", database)
        if login != "postgres":
            url = self.url(login, quote(PASSWORDS[login]), database)
        with contextlib.closing(session.connect(url)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="module", params=[18, 16], ids=["postgres 18", "postgres 16"])
def managed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Managed]:
    folder = tmp_path_factory.mktemp("managed")
    with older_programs() if request.param == 16 else contextlib.nullcontext():
        try:
            managed = Managed(postgres.start(folder))
            for database in ("greenery", "airflow"):
                managed.run(f"drop database {database}")
            for role in ROLES:
                managed.run(f"drop role {role}")
            for role, may in (("cloud", "createrole createdb"), ("other_cloud", "createdb")):
                managed.run(f"create role {role} login {may} password 'managed'")
            yield managed
        finally:
            postgres.remove(folder)


def test_all_is_made_once_and_runs(managed: Managed, monkeypatch):
    """In one test, since roles are the whole server's."""
    admin = managed.url("cloud")
    dry = bootstrap(admin, "shop", PASSWORDS, is_dry=True)
    assert dry.lines() == ["+ database shop", "+ all roles, schemas and rights in it"]
    assert managed.run("select from pg_database where datname = 'shop'") == []

    with pytest.raises(BootstrapError, match=r"other_cloud may not .*create role.* CREATEROLE"):
        bootstrap(managed.url("other_cloud"), "other", {})

    done = bootstrap(admin, "shop", PASSWORDS)
    assert {
        "+ database shop",
        "+ log-in greenery",
        "+ role loader",
        "+ greenery may become reader",
        "+ schema marts, which belongs to publisher",
        "+ transformer: select of what loader makes in schema raw",
    } <= set(done.lines())
    assert "its provider can change that" in done.warnings[0]
    assert not any(word in line for line in done.lines() for word in PASSWORDS.values())

    again = bootstrap(admin, "shop", PASSWORDS)
    assert (again.made, again.taken_back, again.database) == ([], [], "")

    managed.run("drop schema staging", "shop")
    managed.run("grant create on schema marts to analyst", "shop")
    dry = bootstrap(admin, "shop", {"greenery": "another"}, is_dry=True)
    assert "+ schema staging, which belongs to transformer" in dry.lines()
    assert managed.run("select from pg_namespace where nspname = 'staging'", "shop") == []
    bootstrap(admin, "shop", {})
    assert managed.run("select count(*) from pg_namespace where nspname = 'staging'", "shop") == [
        (1,)
    ]

    # it is a warehouse: the run's log-in brings it up to date and becomes each role
    url = managed.url("greenery", quote(PASSWORDS["greenery"]), "shop")
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_WAREHOUSE", url)
    migrate()
    for role, schema in (("loader", "raw"), ("transformer", "staging"), ("publisher", "marts")):
        with transaction(role) as cursor:
            cursor.execute(f"create table {schema}.made (a int)")
    assert managed.run("select * from marts.made", "shop", "analyst") == []
    managed.run("call sandbox.create_schema('dev_ann')", "shop", "analyst")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        managed.run("create schema mine", "shop", "analyst")

    with pytest.raises(BootstrapError, match=r"other_cloud may not .*made these roles itself: gre"):
        bootstrap(managed.url("other_cloud"), "shop", {})


def test_the_command_says_what_it_did_and_no_password(managed: Managed, monkeypatch, capsys):
    monkeypatch.setenv("GREENERY_ADMIN_URL", managed.url("cloud"))
    monkeypatch.setenv("GREENERY_ANALYST_PASSWORD", "for people")
    assert greenery.run(["bootstrap", "--database", "told", "--dry-run"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "Nothing was changed."
    assert greenery.run(["bootstrap", "--database", "told"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("+ database told\n+ ")
    assert said.out.endswith(
        "told is ready.\n"
        "The password of greenery stays as it is: GREENERY_WAREHOUSE_PASSWORD is not set.\n"
        "The password of analyst was set.\n"
    )
    assert "The log of this server may keep values" in said.err
    assert greenery.run(["bootstrap", "--database", "told"]) == 0
    assert capsys.readouterr().out.startswith("told was ready.\n")
    assert "managed" not in said.out + said.err
    assert "for people" not in said.out + said.err


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://cloud:wrong@127.0.0.1:{port}/postgres", "does not let cloud in: .*password"),
        ("postgresql://cloud:wrong@127.0.0.1:1/postgres", "does not let cloud in: .*refused"),
        ("postgresql://cloud:wrong@[/postgres", "That is no URL of a Postgres"),
    ],
)
def test_a_server_that_can_t_be_reached_is_said_without_the_url(
    managed: Managed, url, words, capsys
):
    url = url.format(port=managed.port)
    assert greenery.run(["bootstrap", "--admin-url", url]) == 1
    said = capsys.readouterr().err
    assert re.search(words, said)
    assert "wrong" not in said


def test_a_password_reaches_the_server_hashed(warehouse):
    admin = warehouse.server.connect("postgres", warehouse.database)
    with contextlib.closing(admin), admin.cursor() as cursor:
        # undone: the log-in is all tests'
        set_password(cursor, "analyst", "for people")
        assert b"SCRAM-SHA-256$4096:" in cursor.query
        assert b"for people" not in cursor.query
