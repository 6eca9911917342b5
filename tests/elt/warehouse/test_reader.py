"""People may read from a replica: what they see is whole, and never older than it says."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg2
import pytest

from elt.warehouse import reader
from elt.warehouse.connection import WarehouseUnreachableError, transaction
from elt.warehouse.reader import ReplicaBehindError, reading, wait_for_replica
from tests.support.replica import Replicated, replicated
from tests.support.warehouse import Warehouse, fresh_warehouse


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicated]:
    with replicated(tmp_path_factory.mktemp("replicated")) as servers:
        yield servers


@pytest.fixture
def shop(servers: Replicated, monkeypatch: pytest.MonkeyPatch) -> Iterator[Warehouse]:
    """A warehouse whose readers are sent to the replica."""
    with fresh_warehouse(servers.server) as warehouse:
        url = servers.replica.url("greenery", warehouse.database)
        monkeypatch.setenv(reader.VARIABLE, url)
        publish(1)
        servers.wait_for_database(warehouse.database)
        wait_for_replica()
        yield warehouse


def publish(number: int) -> None:
    with transaction("publisher") as cursor:
        for mart in ("marts.one", "marts.two"):
            cursor.execute(f"create table if not exists {mart} (number int)")
            cursor.execute(f"delete from {mart}")
            cursor.execute(f"insert into {mart} select {number} from generate_series(1, 1000)")


def published() -> tuple:
    with reading() as cursor:
        cursor.execute(
            "select array_agg(distinct number), pg_is_in_recovery() from ("
            "select number from marts.one union all select number from marts.two) as both_marts"
        )
        return cursor.fetchone()


@pytest.mark.slow
def test_a_publication_appears_on_the_replica_whole(shop: Warehouse):
    assert published() == ([1], True)
    seen = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.is_set():
            seen.append(published()[0])

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for number in range(2, 12):
            publish(number)
            wait_for_replica()
            assert published() == ([number], True)
    finally:
        ended.set()
        watcher.join()
    assert seen
    assert all(len(numbers) == 1 for numbers in seen)


@pytest.mark.slow
def test_a_long_query_on_the_replica_stops_no_publication(shop: Warehouse, servers: Replicated):
    with reading() as cursor:
        cursor.execute("select count(*) from marts.one")
        # what is read there can't change there: the replica waits, and the warehouse does not
        with transaction("publisher") as publisher:
            publisher.execute("alter table marts.one add column added int")
        publish(2)
        with pytest.raises(
            ReplicaBehindError, match=r"is .* behind the warehouse after 0 s .* UTC"
        ):
            wait_for_replica(patience_seconds=0)
    wait_for_replica()
    assert published() == ([2], True)


@pytest.mark.slow
def test_a_replica_that_stands_still_is_told_with_how_far_it_is(shop, servers):
    servers.ask_replica("select pg_wal_replay_pause()")
    try:
        publish(3)
        with pytest.raises(
            ReplicaBehindError, match=r"127\.0\.0\.1:\d+/\S+, is [\d.,]+ (MB|bytes) "
        ):
            wait_for_replica(patience_seconds=0.3)
        assert published() == ([1], True)
    finally:
        servers.ask_replica("select pg_wal_replay_resume()")
    wait_for_replica()
    assert published() == ([3], True)


@pytest.mark.slow
def test_nothing_can_be_written_where_people_read(shop: Warehouse, monkeypatch):
    for url in (True, False):
        if not url:
            monkeypatch.delenv(reader.VARIABLE)
        with reading() as cursor, pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
            cursor.execute("create temporary table mine as select 1")


def test_without_a_replica_people_read_the_warehouse_and_wait_for_nothing(warehouse, monkeypatch):
    monkeypatch.delenv(reader.VARIABLE, raising=False)
    wait_for_replica()
    with reading() as cursor:
        cursor.execute("select current_user, pg_is_in_recovery()")
        assert cursor.fetchone() == ("reader", False)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://greenery:secret@127.0.0.1:1/shop", r"127\.0\.0\.1:1/shop, can't be reached"),
        ("postgresql://greenery:secret@[/shop", "is no URL of a Postgres"),
    ],
)
def test_a_server_for_readers_that_is_not_there_is_named(monkeypatch, url, words):
    monkeypatch.setenv(reader.VARIABLE, url)
    with pytest.raises(WarehouseUnreachableError, match=words) as raised, reading():
        pass
    assert "secret" not in str(raised.value)
