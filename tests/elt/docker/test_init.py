from __future__ import annotations

import json
import subprocess
import sys

import pytest

from elt.alerting import warehouse_down
from elt.docker import environment, init


@pytest.mark.parametrize(("needed", "words"), [(10**6, "A run needs about"), (0, "")])
def test_too_little_memory_is_told_and_what_to_do(capsys, monkeypatch, needed, words):
    monkeypatch.setattr(init, "NEEDED_MEMORY_GB", needed)
    init.warn_of_little_memory()
    told = capsys.readouterr().out
    assert words in told
    assert ("GREENERY_PARALLELISM=1" in told) == bool(words)


@pytest.mark.parametrize(
    "more",
    [
        {"port": 1, "extra": {"source_schema": "till", "sslmode": "disable"}},
        # written by hand
        {"extra": '{"connect_timeout": 1}'},
        {"port": None, "login": None, "extra": None},
    ],
)
def test_a_shop_s_database_that_does_not_answer_is_told_without_its_password(capsys, more):
    # nobody listens there
    known = {"conn_type": "postgres", "host": "127.0.0.255", "login": "me", "password": "hidden"}
    init.warn_of_silent_database(json.dumps({**known, "schema": "shop", **more}))
    told = capsys.readouterr().err
    assert "The shop's database (GREENERY_SOURCE) can't be read now" in told
    assert "127.0.0.255" in told
    assert "hidden" not in told


def test_only_what_the_alerts_remember_may_be_lost_with_the_key():
    assert init.OWN_VARIABLE == warehouse_down.NOTIFIED_VARIABLE


def test_it_comes_before_airflow_whose_secrets_it_makes():
    loaded = "import sys, elt.docker.init; sys.exit('airflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", loaded]).returncode == 0


def test_broker_and_workers_are_given_their_own_secrets_and_no_other(tmp_path, monkeypatch):
    own, worker, broker = (tmp_path / name for name in ("own", "worker", "broker"))
    given = dict(zip((broker, worker), init.HANDED_OUT.values(), strict=True))
    monkeypatch.setattr(init, "HANDED_OUT", given)
    for function in (environment.write_secret, environment.read_secret):
        monkeypatch.setattr(function, "__defaults__", (own,))
    environment.make_missing_secrets(own)
    environment.write_secret("metadata_url", "postgresql://…", own)
    init.hand_out_secrets()
    password = environment.read_secret("broker_password", own)
    assert {file.name for file in broker.iterdir()} == {"broker_password"}
    assert {file.name: file.read_text() for file in worker.iterdir()} == {
        "broker_url": f"redis://:{password}@broker:6379/0",
        "metadata_url": "postgresql://…",
        "warehouse_password": environment.read_secret("warehouse_password", own),
    }
    assert {file.stat().st_mode & 0o777 for file in worker.iterdir()} == {0o600}
