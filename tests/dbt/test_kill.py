"""A run that is killed anywhere and followed by another one ends where it would have ended."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
from collections.abc import Callable, Iterator
from datetime import date, timedelta

import psycopg2
import pytest

from elt.publishing.table_schema import PublishInterruptedError
from elt.warehouse.connection import WarehouseUnreachableError
from tests.dbt.daily import DailyBuild
from tests.dbt.daily_shop import DailyShop
from tests.dbt.landing import read_rows
from tests.support.fault_points import STEPS, FaultPoints, killed_at
from tests.support.killable import KillableServer, killable_server
from tests.support.readers import QUERY
from tests.support.waiting import wait_until
from tests.support.warehouse import Warehouse, fresh_warehouse

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
LOST = (
    psycopg2.OperationalError,
    psycopg2.InterfaceError,
    PublishInterruptedError,
    WarehouseUnreachableError,
)

STUCK_AT = ("marts_build.fct_events", "marts_build.dim_users", "intermediate.int_page_views")


def picture(shop: DailyShop) -> tuple:
    (row,) = shop.warehouse.run(QUERY)
    return row


@pytest.fixture
def real(real_data) -> dict[str, list[dict[str, str]]]:
    return read_rows(real_data)


@pytest.fixture
def shop(warehouse, monkeypatch, tmp_path) -> DailyShop:
    return open_shop(warehouse, monkeypatch, tmp_path)


def open_shop(warehouse: Warehouse, monkeypatch, folder) -> DailyShop:
    build = DailyBuild(warehouse, folder / "build")
    build.parse_once()
    return DailyShop(build, folder / "shop", monkeypatch)


class News:
    """Deliveries each of which changes every model."""

    def __init__(self, shop: DailyShop, real: dict[str, list[dict[str, str]]]) -> None:
        self.shop, self.real, self.number = shop, real, 0
        self.changed = {"users": "first_name", "addresses": "state", "products": "name"}
        shop.landing.deliver({**real, "events": real["events"][: len(real["events"]) // 2]})

    def arrive(self) -> None:
        """Deliver one more part of the events; all orders cost more, all snapshots are renamed.

        Orders get another status and products another stock.
        """
        self.number += 1
        events = self.real["events"]
        # each a day newer, and none of them later than its load
        version = {"updated_at": f"{date(2022, 1, 1) + timedelta(days=self.number)}Z"}
        snapshots = {
            table: [
                {**row, column: f"{row[column]} {self.number}"}
                | {name: value for name, value in version.items() if name in row}
                for row in self.real[table]
            ]
            for table, column in self.changed.items()
        }
        for product in snapshots["products"]:
            product["inventory"] = self.number
        status = "shipped" if self.number % 2 else "delivered"
        self.shop.landing.deliver(
            {
                **snapshots,
                "promos": [{**row, "discount": self.number} for row in self.real["promos"]],
                "events": [
                    {**row, "page_url": f"{row['page_url']}?{self.number}"}
                    for row in events[: len(events) // 2 + self.number * 50]
                ],
                "orders": [
                    {**row, "status": status, "order_total": 1}
                    | {"order_cost": float(row["order_cost"]) + self.number}
                    for row in self.real["orders"]
                ],
                "order_items": [
                    {**row, "quantity": self.number} for row in self.real["order_items"]
                ],
            }
        )


@contextlib.contextmanager
def stuck_at(warehouse: Warehouse, table: str) -> Iterator[Callable[[], bool]]:
    """Have whoever writes a table wait in the middle of it; yield how to ask if somebody does."""
    with contextlib.closing(warehouse.connect()) as connection:
        with connection.cursor() as cursor:
            cursor.execute(f"lock table {table} in share mode")

            def somebody_waits() -> bool:
                cursor.execute(
                    "select exists (select from pg_locks where relation = %s::regclass"
                    " and not granted)",
                    (table,),
                )
                return cursor.fetchone()[0]

            yield somebody_waits
        with contextlib.suppress(psycopg2.Error):
            connection.rollback()


def in_a_process(action: Callable[[], object]) -> int:
    """Start an action in a process of its own, and return its id."""
    child = os.fork()
    if child == 0:
        try:
            action()
        finally:
            os._exit(0)
    return child


def wait_until_stuck(child: int, somebody_waits: Callable[[], bool]) -> None:
    def is_stuck() -> bool:
        assert os.waitpid(child, os.WNOHANG)[0] == 0, "it ended without writing the model"
        return somebody_waits()

    wait_until(is_stuck, "the model that is written")


@STEPS
def test_a_build_killed_in_the_middle_of_each_model_and_done_again(shop, real, step):
    news = News(shop, real)
    shop.run()
    tables = [
        node["relation_name"].replace('"', "")
        for unique_id in shop.lineage.of_type("model", "snapshot")
        if (node := shop.lineage.nodes[unique_id])["config"]["materialized"] != "view"
    ]
    assert len(tables) > 15
    published = picture(shop)
    for table in tables[::step]:
        news.arrive()
        shop.begin()
        with stuck_at(shop.warehouse, table.partition(".")[2]) as somebody_waits:
            child = in_a_process(lambda: shop.build("run"))
            wait_until_stuck(child, somebody_waits)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        assert picture(shop) == published
        shop.end()
    shop.assert_equal_to_one_full_refresh()
    assert picture(shop) != published


@STEPS
def test_a_publication_killed_at_any_step_and_done_again(shop, real, step):
    news = News(shop, real)
    shop.run()
    before = picture(shop)
    news.arrive()
    shop.begin()
    shop.build("run")
    for fatal in itertools.count(1, step):
        was_killed = killed_at(fatal, shop.publish)
        if picture(shop) != before:
            break
        assert was_killed
    assert fatal > 100
    shop.publish()
    shop.end()
    shop.assert_equal_to_one_full_refresh()


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KillableServer]:
    with killable_server(tmp_path_factory.mktemp("killed-postgres")) as server:
        yield server


def test_a_server_killed_in_the_middle_of_a_model_or_a_publication(
    own_server: KillableServer, real, monkeypatch, tmp_path
):
    with fresh_warehouse(own_server.server) as warehouse:
        shop = open_shop(warehouse, monkeypatch, tmp_path)
        news = News(shop, real)
        shop.run()
        published = picture(shop)
        for table in STUCK_AT:
            news.arrive()
            shop.begin()
            with stuck_at(warehouse, table) as somebody_waits:
                child = in_a_process(lambda: shop.build("run"))
                wait_until_stuck(child, somebody_waits)
                own_server.kill()
                os.waitpid(child, 0)
            own_server.start()
            assert picture(shop) == published
            shop.end()
        shop.begin()
        shop.build("run")
        for fatal in itertools.count(1, 23):
            points = FaultPoints(fatal, own_server.kill)
            with points.armed(), contextlib.suppress(*LOST):
                shop.publish()
            if points.passed < fatal:
                break
            own_server.start()
            if picture(shop) != published:
                # it died when all was written
                break
        assert fatal > 100
        shop.end()
        shop.assert_equal_to_one_full_refresh()
