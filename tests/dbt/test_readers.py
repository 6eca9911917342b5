"""Readers over many publications and failed runs: never an error, a wait, a mix or a bad number."""

from __future__ import annotations

import pytest

from elt.publishing.table_schema import PublishRefusedError
from tests.dbt.daily import DailyBuild
from tests.dbt.daily_shop import DailyShop
from tests.dbt.landing import read_rows
from tests.support.readers import QUERY, watched_by_readers

pytestmark = [pytest.mark.slow, pytest.mark.rare, pytest.mark.timeout(1800)]

PUBLICATIONS = 30
# after these many publications comes a run that fails when everything is built
FAILURES = (4, 9, 15, 21, 28)


def picture(warehouse) -> tuple:
    (row,) = warehouse.run(QUERY)
    return row


def test_thirty_publications_and_five_failed_runs_disturb_nobody(
    warehouse, real_data, monkeypatch, tmp_path
):
    real = read_rows(real_data)
    build = DailyBuild(warehouse, tmp_path / "build")
    build.parse_once()
    shop = DailyShop(build, tmp_path / "shop", monkeypatch)
    of_order = {row["order_id"]: row for row in real["orders"]}
    events = sorted(real["events"], key=lambda row: row["created_at"])
    size = -(-len(events) // PUBLICATIONS)

    def slice_of(number: int) -> dict[str, list]:
        """Return one more part of the shop's history, with the orders that it speaks of."""
        some = events[number * size : (number + 1) * size]
        orders = {row["order_id"] for row in some} & of_order.keys()
        return {
            "events": some,
            "orders": [of_order[order] for order in orders],
            "order_items": [row for row in real["order_items"] if row["order_id"] in orders],
        }

    rest = {table: real[table] for table in ("addresses", "users", "products", "promos")}
    shop.landing.deliver({**rest, **slice_of(0)})
    shop.run()
    published = [picture(warehouse)]
    with watched_by_readers(warehouse) as readers:
        for number in range(1, PUBLICATIONS):
            if number in FAILURES:
                wrong = [{**row, "order_total": 1} for row in real["orders"]]
                shop.landing.deliver({"orders": wrong})
                shop.begin()
                build("run")
                with pytest.raises(PublishRefusedError, match="in_range"):
                    shop.publish(failed_test="in_range")
                shop.end()
                shop.landing.deliver({"orders": real["orders"]})
            shop.landing.deliver(slice_of(number))
            shop.run()
            published.append(picture(warehouse))
    readers.assert_undisturbed()
    assert len(set(published)) > PUBLICATIONS // 2
    assert readers.pictures <= set(published), "somebody saw what was never published"
