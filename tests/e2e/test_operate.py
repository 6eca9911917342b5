"""What an operator decides, through a real Airflow: rollback, release, override, no backfill."""

from __future__ import annotations

import time

import pytest

from elt.cli.commands import greenery
from tests.e2e.told import trigger, wait_for_message
from tests.support.installation import ORDERS_AND_KPIS
from tests.support.readers import watched_by_readers
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.rare, pytest.mark.timeout(1500)]


MODELS = ORDERS_AND_KPIS


def total(shop) -> object:
    return shop.warehouse.run("select sum(order_total_usd) from marts.fct_orders")[0][0]


def test_a_bad_publication_is_undone_and_held_until_it_is_released(shop, slack):
    first, state = shop.run()
    assert state == "success", shop.explain(first)
    before = total(shop)
    header, order, *_ = (shop.landing / "orders.csv").read_text().splitlines()
    wrong = dict(zip(header.split(","), order.split(","), strict=True))
    for amount in ("shipping_cost", "order_total"):
        wrong[amount] = str(round(float(wrong[amount]) + 1000, 2))
    shop.drop("orders", "2.csv", f"{header}\n{','.join(wrong.values())}\n")
    second, state = shop.run()
    assert state == "success", shop.explain(second)
    assert total(shop) == before + 1000

    assert trigger(shop, "rollback") == "failed"
    assert total(shop) == before + 1000
    with watched_by_readers(shop.warehouse) as readers:
        begun = time.monotonic()
        assert greenery.run(["rollback", "--reason", "1000 too much", "--by", "ada"]) == 0
        assert time.monotonic() - begun < 10
        assert total(shop) == before
        seen = readers.answers
        wait_until(lambda: readers.answers > seen + 20, "readers of the older publication")
    readers.assert_undisturbed()
    assert trigger(shop, "rollback", confirm=True) == "success"

    third, state = shop.run()
    assert state == "success", shop.explain(third)
    assert shop.states(third)["publish_marts"] == "skipped"
    assert total(shop) == before
    ((outcome, pinned),) = shop.warehouse.run(
        "select distinct last_run_outcome, pinned from marts.data_status"
    )
    assert outcome == "held back"
    assert "by ada: 1000 too much" in pinned
    # but for the rollback that nobody had confirmed; what is said of that may be brought up to date
    assert len(slack.messages) == 1, "nobody is alarmed"

    # an old day is refused, and changes nothing
    lease = shop.warehouse.run("select * from ops.run_lease")
    body = {"dag_id": "greenery_elt", "from_date": "2021-03-01T00:00:00Z"}
    body |= {"to_date": "2021-03-01T00:00:00Z", "reprocess_behavior": "none", "max_active_runs": 1}
    shop.api.call("POST", "/backfills", json=body)
    (refused,) = wait_until(
        lambda: shop.warehouse.run(
            "select message from ops.task_failure where run_id like 'backfill%%'", ()
        ),
        "the refusal of the backfill",
        seconds=300,
    )
    assert "takes no backfill, and nothing was done" in refused[0]
    wait_until(lambda: not shop.api.unfinished_runs(), "the end of the backfill", 300)
    assert shop.warehouse.run("select * from ops.run_lease") == lease

    assert trigger(shop, "release", by="bob") == "success"
    fourth, state = shop.run()
    assert state == "success", shop.explain(fourth)
    assert shop.states(fourth)["publish_marts"] == "success"
    assert total(shop) == before + 1000
    assert shop.warehouse.run("select distinct pinned from marts.data_status") == [(None,)]


def test_a_test_that_is_let_through_is_published_and_told(installation, shop, slack, monkeypatch):
    monkeypatch.setenv("GREENERY_DBT_TARGET", str(installation.home.dbt_target))
    order_id = (shop.landing / "orders.csv").read_text().splitlines()[1].split(",")[0]
    shop.drop("order_items", "2.csv", f"order_id,product_id,quantity\n{order_id},no-such-plant,1\n")
    failed, state = shop.run()
    assert state == "failed"
    wait_for_message(shop, slack, "Greenery run failed")
    tests = shop.warehouse.run(
        "select unique_id from ops.node_result where run_id = %s and status = 'fail'", (failed,)
    )
    assert tests
    for (unique_id,) in tests:
        arguments = ["override", "--test", unique_id.split(".")[2], "--by", "ada"]
        assert greenery.run([*arguments, "--reason", "that plant is known", "--days", "1"]) == 0

    let_through, state = shop.run()
    assert state == "success", shop.explain(let_through)
    assert shop.states(let_through)["publish_marts"] == "success"
    assert shop.warehouse.run(
        "select count(*) from marts.fct_order_items where product_id = 'no-such-plant'"
    ) == [(1,)]
    (warned,) = shop.warehouse.run(
        "select warnings from marts.data_status where mart = 'fct_order_items'"
    )[0]
    assert "let through until" in warned
    assert "by ada: that plant is known." in warned
    assert shop.warehouse.run(
        "select warnings from marts.data_status where mart = 'dim_users'"
    ) == [(None,)]
    message = wait_for_message(
        shop, slack, "Greenery published with", "by ada: that plant is known"
    )
    assert "no-such-plant" not in message
    assert slack.messages[0]["text"].startswith("Greenery published")


def test_what_the_full_test_finds_is_mended_by_building_its_day_anew(shop, slack):
    first, state = shop.run()
    assert state == "success", shop.explain(first)
    # behind the loader's back, so no daily run looks at it
    ((day,),) = shop.warehouse.run(
        "update marts_build.fct_orders set order_cost_usd = null where order_id ="
        " (select min(order_id) from marts_build.fct_orders) returning ordered_date::text"
    )
    assert trigger(shop, "full_test") == "failed"
    wait_for_message(shop, slack, "`fct_orders.order_cost_usd` must not be empty: 1 row")

    assert trigger(shop, "rebuild", day=day, confirm=True) == "success"
    second, state = shop.run()
    assert state == "success", shop.explain(second)
    assert shop.states(second)["publish_marts"] == "success"
    wrong = "select count(*) from {}.fct_orders where order_cost_usd is null"
    assert shop.warehouse.run(wrong.format("marts_build")) == [(0,)]
    assert shop.warehouse.run(wrong.format("marts")) == [(0,)]
    assert trigger(shop, "full_test") == "success"
    wait_for_message(shop, slack, "Resolved")
