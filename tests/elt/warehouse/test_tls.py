"""A warehouse whose certificate is of a shop's own CA: looked at by whoever connects to it."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from dbt.cli.main import dbtRunner

from devtools.local.postgres import Server
from elt.airflow import dbt_tasks
from elt.transform.project import PROJECT
from elt.warehouse.connection import CONNECTION_ID, WarehouseUnreachableError, connect, transaction
from tests.support.bouncer import PROGRAM, bouncer
from tests.support.warehouse import Warehouse

OPENSSL = shutil.which("openssl")
# the wheel's Postgres is built without TLS: PgBouncer speaks it before it
pytestmark = [
    pytest.mark.skipif(not PROGRAM, reason="Debian's package pgbouncer is missing"),
    pytest.mark.skipif(not OPENSSL, reason="openssl is missing"),
]


def certificate(file: Path, subject: str, *more: str) -> Path:
    """Make a certificate and, beside it, its key."""
    made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    to = ["-keyout", str(file.with_suffix(".key")), "-out", str(file), "-days", "2"]
    subprocess.run(
        [OPENSSL, *made, *to, "-subj", f"/CN={subject}", *more], check=True, capture_output=True
    )
    return file


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Path:
    return certificate(tmp_path_factory.mktemp("ca") / "ca.pem", "the shop's own CA")


@pytest.fixture(scope="module")
def encrypted(server, authority) -> Iterator[Server]:
    """The server as it is reached by TLS alone."""
    signed = ("-CA", str(authority), "-CAkey", str(authority.with_suffix(".key")))
    names = ("-addext", "subjectAltName=IP:127.0.0.1")
    shown = certificate(authority.with_name("server.pem"), "warehouse", *names, *signed)
    with bouncer(server, mode="session", certificate=shown) as pooled:
        yield pooled


def connect_by(warehouse: Warehouse, server: Server, monkeypatch, **changed) -> None:
    """Have Airflow's connection lead to a server, with words of libpq's as its extra."""
    through = dataclasses.replace(warehouse, server=server)
    connection = json.loads(through.airflow_connection)
    host = changed.pop("host", connection["host"])
    monkeypatch.setenv(
        f"AIRFLOW_CONN_{CONNECTION_ID.upper()}",
        json.dumps({**connection, "host": host, "extra": changed}),
    )


def test_a_certificate_of_the_ca_that_is_named_is_taken(
    warehouse, encrypted, authority, monkeypatch
):
    connect_by(warehouse, encrypted, monkeypatch, sslmode="verify-full", sslrootcert=str(authority))
    with transaction("reader") as cursor:
        cursor.execute("select current_user")
        assert cursor.fetchone() == ("reader",)
        assert cursor.connection.info.ssl_in_use


@pytest.mark.parametrize("is_known", [True, False])
def test_dbt_looks_at_it_too(warehouse, encrypted, authority, monkeypatch, tmp_path, is_known):
    # Cosmos keeps the connection that it has read first in a process: another test's
    importlib.reload(dbt_tasks)
    named = authority if is_known else certificate(tmp_path / "another.pem", "another CA")
    connect_by(warehouse, encrypted, monkeypatch, sslmode="verify-full", sslrootcert=str(named))
    with dbt_tasks.open_profile() as (file, environment), mock.patch.dict(os.environ, environment):
        folders = ["--project-dir", PROJECT, "--profiles-dir", file.parent]
        folders += ["--log-path", tmp_path, "--target", "prod"]
        done = dbtRunner().invoke(["--quiet", "debug", "--connection", *map(str, folders)])
    assert done.success is is_known


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"sslmode": "verify-full"}, "certificate verify failed"),
        ({"sslmode": "verify-full", "host": "localhost"}, "does not match host name"),
        ({"sslmode": "verify-full", "sslrootcert": "/nowhere.pem"}, "does not exist"),
    ],
    ids=["another CA", "another name", "no file"],
)
def test_what_is_wrong_with_it_is_one_sentence_with_what_to_do(
    warehouse, encrypted, authority, monkeypatch, tmp_path, changed, reason
):
    named = authority
    if "certificate" in reason:
        named = certificate(tmp_path / "another.pem", "another CA")
    connect_by(warehouse, encrypted, monkeypatch, **{"sslrootcert": str(named), **changed})
    with pytest.raises(WarehouseUnreachableError, match=reason) as told:
        connect()
    assert "as sslrootcert the file of the CA that signed the server's certificate" in str(
        told.value
    )
    assert str(told.value).count("\n") == 0
