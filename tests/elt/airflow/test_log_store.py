from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from elt.airflow import log_store
from elt.airflow.log_store import CHECK, why_not_kept

for library in ("s3fs", "boto3", "moto"):
    pytest.importorskip(library, reason="requirements-s3-test.txt is not installed")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    from tests.support.bucket_server import bucket_server

    with bucket_server() as server:
        server.client.create_bucket(Bucket="logs")
        yield server


@pytest.fixture
def logs(server, monkeypatch) -> Any:
    from tests.support.bucket_server import REGION, WHO

    for name, value in {
        **WHO,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": server.url,
        "NO_PROXY": "127.0.0.1",
        "AIRFLOW__LOGGING__REMOTE_LOGGING": "True",
        "AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER": "s3://logs/greenery/",
    }.items():
        monkeypatch.setenv(name, value)
    server.is_full = False
    return server


def test_a_store_that_takes_logs_is_told_what_the_file_is_for(logs):
    assert why_not_kept() is None
    written = logs.client.get_object(Bucket="logs", Key=f"greenery/{CHECK}")["Body"].read()
    assert b"to see whether the logs of tasks can be kept here" in written


def test_a_full_store_is_named_with_its_own_reason_and_no_secret(logs):
    logs.is_full = True
    said = why_not_kept()
    assert said is not None
    assert said.startswith(f"{socket.gethostname()} can't write the logs of tasks to s3://logs/")
    assert "The bucket is full" in said
    assert "not-for-any-log" not in said


def test_a_bucket_that_is_not_there_is_named(logs, monkeypatch):
    monkeypatch.setenv("AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER", "s3://nowhere/greenery")
    assert "s3://nowhere/greenery: " in str(why_not_kept())


def test_a_store_that_can_not_even_be_opened_is_named(logs, monkeypatch):
    def refused(*_: Any, **__: Any) -> None:
        raise PermissionError("the role may not be assumed")

    monkeypatch.setattr(log_store, "ObjectStoragePath", refused)
    assert "the role may not be assumed" in str(why_not_kept())


def test_a_store_that_does_not_answer_holds_nobody(logs, monkeypatch):
    nobody_listens = {"conn_type": "aws", "extra": {"endpoint_url": "http://127.0.0.1:9"}}
    monkeypatch.setenv("AIRFLOW_CONN_OTHER_STORE", json.dumps(nobody_listens))
    monkeypatch.setenv("AIRFLOW__LOGGING__REMOTE_LOG_CONN_ID", "other_store")
    assert "no answer within 0.2 s" in str(why_not_kept(seconds=0.2))


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("REMOTE_LOGGING", "False"),
        # no files are written there
        ("REMOTE_BASE_LOG_FOLDER", "cloudwatch://arn:aws:logs:eu-west-1:1:log-group:airflow"),
        ("REMOTE_BASE_LOG_FOLDER", ""),
        ("REMOTE_BASE_LOG_FOLDER", "wasb-logs"),
    ],
)
def test_where_no_files_are_kept_elsewhere_there_is_nothing_to_say(
    logs, monkeypatch, tmp_path, setting, value
):
    logs.is_full = True
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(f"AIRFLOW__LOGGING__{setting}", value)
    assert why_not_kept() is None
    assert [*tmp_path.iterdir()] == []
