"""A landing folder in an S3 bucket, on a server of that kind: moto."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from elt.airflow import load_tasks
from elt.errors import SourceError, SourceUnreachableError
from elt.loading.files.find_files import find_files
from elt.loading.files.landing import landing_at

from .conftest import Shop

pytest.importorskip("s3fs", reason="requirements-s3-test.txt is not installed")
pytest.importorskip("moto", reason="requirements-s3-test.txt is not installed")
pytestmark = pytest.mark.slow
SECRET = "not-for-any-log"
PROMOS = "promo_id,discount,status\nA,1,active\nB,2,inactive\n"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(endpoint: str, shop: Shop, monkeypatch) -> Iterator[Any]:
    """An empty bucket named shop, with landing/ in it as `greenery_source`."""
    import boto3

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("GREENERY_SETTLE_SECONDS", "0")
    connect(monkeypatch, endpoint)
    boto = boto3.resource(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="anybody",
        aws_secret_access_key=SECRET,
    )
    made = boto.create_bucket(Bucket="shop")
    yield made
    made.objects.all().delete()
    made.delete()


def connect(
    monkeypatch, endpoint: str, path: str = "s3://shop/landing", conn_id: str = "shop_s3"
) -> None:
    source = {"conn_type": "generic", "extra": {"path": path, "conn_id": conn_id}}
    store = {
        "conn_type": "aws",
        "login": "anybody",
        "password": SECRET,
        "extra": {"endpoint_url": endpoint, "region_name": "us-east-1"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_SOURCE", json.dumps(source))
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(store))


def put(bucket: Any, path: str, text: str | bytes) -> None:
    bucket.put_object(Key=f"landing/{path}", Body=text.encode() if isinstance(text, str) else text)


def test_files_in_a_bucket_are_loaded_once_and_again_when_they_change(
    shop: Shop, bucket, real_data
):
    put(bucket, "promos.csv", PROMOS)
    put(bucket, "events.csv.gz", gzip.compress((real_data / "events.csv").read_bytes()))
    assert load_tasks.check_source() == "s3://shop/landing"
    assert load_tasks.load_table("promos", run_id="1")["rows_inserted"] == 2
    assert load_tasks.load_table("events", run_id="1")["rows_inserted"] == 3553
    for table in ("promos", "events"):
        assert load_tasks.load_table(table, run_id="2")["files"]["skipped"] == 1
    put(bucket, "promos.csv", PROMOS.replace("B,2", "B,3.5"))
    changed = load_tasks.load_table("promos", run_id="3")
    assert (changed["rows_updated"], changed["rows_unchanged"]) == (1, 1)
    assert shop.rows("select discount from raw.promos where promo_id = 'B'") == [(Decimal("3.5"),)]


def test_drops_in_a_bucket_are_loaded_in_the_order_of_their_names(shop: Shop, bucket):
    put(bucket, "promos/2.csv", "promo_id,discount,status\nA,2,active\n")
    put(bucket, "promos/1.csv", "promo_id,discount,status\nA,1,active\n")
    assert load_tasks.load_table("promos", run_id="1")["files"]["loaded"] == 2
    assert shop.rows("select discount from raw.promos") == [(2,)]


def test_folders_of_a_bucket_are_listed_by_the_thousand_and_hidden_ones_not_at_all(
    shop: Shop, bucket, monkeypatch
):
    for number in range(1200):
        put(bucket, f"events/day={number // 100}/{number}.CSV", "x\n")
    for number in range(5):
        put(bucket, f"_old/{number}/1.csv", "x\n")
    put(bucket, "events/", "")
    put(bucket, "events/day=1/", "")
    put(bucket, "events/day=1/_SUCCESS", "")
    put(bucket, "events/day=1/x.parquet", "x")
    put(bucket, "promos//1.csv", PROMOS)
    landing = landing_at("s3://shop/landing", "shop_s3")
    calls: list[str] = []
    session = landing.root.fs.s3.meta.events
    session.register("before-call.s3", lambda model, **_: calls.append(model.name))
    found = find_files(landing, ["events", "promos"])
    assert len(found.of("events")) == 1200
    assert [file.path for file in found.of("events")[99:101]] == [
        "events/day=0/99.CSV",
        "events/day=1/100.CSV",
    ]
    assert [stray.path for stray in found.strays["events"]] == ["events/day=1/x.parquet"]
    assert len(found.of("promos")) == 1
    # the top, two pages of events, one of promos
    assert len(calls) <= 6
    assert load_tasks.load_table("promos", run_id="1")["rows_inserted"] == 2


def know_all(shop: Shop, table: str) -> int:
    """Have all files of a table count as loaded, as they lie there, and return how many."""
    files = find_files(landing_at("s3://shop/landing", "shop_s3"), [table, "users"]).of(table)
    shop.warehouse.run(
        "insert into ops.load (run_id, table_name, source_file, file_size, file_modified_at, "
        "file_sha256, started_at, finished_at, status) "
        "select '0', %s, path, size, modified_at, '', now(), now(), 'loaded' "
        "from unnest(%s, %s::bigint[], %s::timestamptz[]) as file (path, size, modified_at)",
        (
            table,
            [file.path for file in files],
            [file.size for file in files],
            [file.modified_at for file in files],
        ),
    )
    return len(files)


@pytest.fixture
def requests(monkeypatch) -> list[str]:
    """The names of the calls to the store, as they are made."""
    from aiobotocore.client import AioBaseClient

    made: list[str] = []
    call = AioBaseClient._make_api_call

    async def counted(self: Any, operation: str, arguments: Any) -> Any:
        made.append(operation)
        return await call(self, operation, arguments)

    monkeypatch.setattr(AioBaseClient, "_make_api_call", counted)
    return made


def test_a_new_drop_costs_the_same_beside_many_and_other_tables_cost_nothing(
    shop: Shop, bucket, requests
):
    put(bucket, "promos/0.csv", PROMOS)
    assert load_tasks.load_table("promos", run_id="1")["files"]["loaded"] == 1
    put(bucket, "promos/1.csv", PROMOS)
    requests.clear()
    assert load_tasks.load_table("promos", run_id="2")["files"]["loaded"] == 1
    alone = [*requests]
    for number in range(2, 30):
        put(bucket, f"promos/{number}.csv", PROMOS)
    put(bucket, "users/1.csv", PROMOS)
    assert know_all(shop, "promos") == 30
    requests.clear()
    assert load_tasks.load_table("promos", run_id="3")["files"]["skipped"] == 30
    # the top, and this table's folder
    assert requests == ["ListObjectsV2"] * 2
    put(bucket, "promos/30.csv", PROMOS)
    requests.clear()
    files = load_tasks.load_table("promos", run_id="4")["files"]
    assert (files["loaded"], files["skipped"]) == (1, 30)
    assert sorted(requests) == sorted(alone)
    # a new drop is looked at before and after it is read
    heads = ["HeadObject"] * 3
    assert sorted(alone) == ["GetObject", *heads, "ListObjectsV2", "ListObjectsV2"]


def test_a_bucket_that_is_down_is_said_in_a_sentence_and_nothing_is_lost(
    shop: Shop, bucket, endpoint, monkeypatch
):
    put(bucket, "promos/1.csv", PROMOS)
    load_tasks.load_table("promos", run_id="1")
    put(bucket, "promos/2.csv", PROMOS.replace("B", "C"))
    with monkeypatch.context() as down:
        # a client of its own: the other one is kept by its connection's name
        connect(down, "http://127.0.0.1:1", conn_id="shop_down")
        for ask in (load_tasks.check_source, lambda: load_tasks.load_table("promos", run_id="2")):
            with pytest.raises(SourceUnreachableError) as error:
                ask()
            said = str(error.value)
            assert said.startswith("The landing folder s3://shop/landing can't be reached")
            assert SECRET not in said
    assert shop.rows("select count(*) from ops.load where status = 'failed'") == [(0,)]
    assert load_tasks.load_table("promos", run_id="3")["rows_inserted"] == 1
    assert shop.rows("select count(*) from raw.promos") == [(3,)]


@pytest.mark.parametrize("path", ["s3://nowhere/landing", "s3://shop/nothing"])
def test_a_bucket_or_folder_that_is_not_there_is_named(bucket, endpoint, monkeypatch, path):
    connect(monkeypatch, endpoint, path)
    with pytest.raises(SourceError, match=f"The landing folder {path} does not exist"):
        load_tasks.check_source()


def test_credentials_that_open_nothing_are_said_without_them(bucket, endpoint, monkeypatch):
    from moto.core import set_initial_no_auth_action_count

    put(bucket, "promos.csv", PROMOS)

    @set_initial_no_auth_action_count(0)
    def denied() -> str:
        with pytest.raises(SourceError, match="s3://shop/landing may not be read") as error:
            load_tasks.check_source()
        return str(error.value)

    said = denied()
    assert SECRET not in said
    assert "anybody" not in said
