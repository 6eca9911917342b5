"""The dead-man switch, against a small real server."""

from __future__ import annotations

import gc
import json
import logging
import threading
import time
import warnings
from collections.abc import Iterator

import pytest

from elt.airflow import run_tasks
from elt.airflow.alerts import ping
from elt.publishing.row_diff import RowCounts
from tests.support.switch import SECRET, Switch


@pytest.fixture
def switch(monkeypatch) -> Iterator[Switch]:
    running = Switch()
    threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_DEAD_MAN", running.connection)
    yield running
    running.shutdown()
    running.server_close()


@pytest.fixture(autouse=True)
def no_secret_in_the_log(caplog):
    caplog.set_level(logging.DEBUG)
    yield
    logged = [record.getMessage() for record in caplog.get_records("call")]
    assert SECRET not in "\n".join(logged)


def test_the_switch_is_asked_once(switch, caplog):
    ping()
    assert switch.asked == [f"GET /{SECRET}"]
    assert "The dead-man switch at 127.0.0.1 knows of the publication." in caplog.text


def test_without_a_connection_nothing_is_asked_nor_said(caplog):
    ping()
    assert "dead-man" not in caplog.text


@pytest.mark.parametrize("how", ["waits", "trickles"])
def test_a_slow_switch_is_not_waited_for(switch, caplog, how):
    setattr(switch, how, 3)
    begun = time.monotonic()
    ping(seconds=0.5)
    assert time.monotonic() - begun < 2.5
    assert "did not answer within 0.5 s" in caplog.text


def test_a_switch_that_refuses_is_a_line_in_the_log(switch, caplog):
    switch.status = 404
    with warnings.catch_warnings(record=True, action="always") as left_open:
        ping()
        gc.collect()
    assert "127.0.0.1 answered HTTP 404" in caplog.text
    assert not left_open


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (f"http://127.0.0.1:9/{SECRET}", "127.0.0.1 can't be reached"),
        (f"http://no-such-host.invalid/{SECRET}", "can't be reached"),
        (f"http://127.0.0.1:x/{SECRET}", "can't be asked"),
        (f"http://[::1/{SECRET}", "can't be read"),
        (f"http://127.0.0.1:9/{SECRET}\x7f", "can't be asked"),
        (f"file:///etc/{SECRET}", "no http(s) URL"),
        (f"hc-ping.com/{SECRET}", "no http(s) URL"),
    ],
)
def test_a_switch_that_is_not_there_is_a_line_in_the_log(monkeypatch, caplog, url, says):
    as_json = json.dumps({"conn_type": "generic", "password": url})
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_DEAD_MAN", as_json)
    ping()
    assert says in caplog.text


def test_it_is_asked_after_a_publication_and_only_then(switch, monkeypatch):
    published = RowCounts(1, 2, 3)
    context = {"run_id": "r", "outlet_events": {}}
    monkeypatch.setattr(run_tasks, "get_current_context", lambda: context)
    monkeypatch.setattr(run_tasks, "describe_events", lambda *_: None)
    monkeypatch.setattr(run_tasks, "manifest_path", lambda: None)
    monkeypatch.setattr(run_tasks.Lineage, "read", lambda _: None)
    monkeypatch.setattr(run_tasks, "publish", lambda *_: published)
    assert run_tasks.publish_marts.function() == vars(published)
    assert len(switch.asked) == 1

    def refuse(*_):
        raise OSError("not published")

    monkeypatch.setattr(run_tasks, "publish", refuse)
    with pytest.raises(OSError, match="not published"):
        run_tasks.publish_marts.function()
    assert len(switch.asked) == 1
