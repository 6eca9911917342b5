"""What people see when a run fails, through a real Airflow and a strict fake Slack."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.e2e.told import wait_for_message, wait_for_reply
from tests.support.installation import ORDERS_AND_KPIS
from tests.support.readers import watched_by_readers

# several whole runs; a busy machine may take its time
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


MODELS = ORDERS_AND_KPIS


def test_a_failed_test_holds_back_what_depends_on_it_and_slack_hears_once(shop, slack):
    first, state = shop.run()
    assert state == "success", shop.explain(first)
    marts, published_at = shop.marts(), shop.published_at()
    order_id, total = shop.warehouse.run(
        "select order_id, order_total_usd from marts.fct_orders order by 1 limit 1"
    )[0]

    shop.drop("order_items", "2.csv", f"order_id,product_id,quantity\n{order_id},no-such-plant,1\n")
    with watched_by_readers(shop.warehouse) as readers:
        failed, state = shop.run()
    assert state == "failed"
    readers.assert_undisturbed()
    states = shop.states(failed)
    assert states["build.stg_greenery__order_items"] == "failed"
    for held_back in ("fct_order_items", "fct_orders", "fct_kpis"):
        assert states[f"build.{held_back}"] == "upstream_failed", held_back
    for goes_on in ("dim_users", "int_session_events_agg", "int_daily_sessions"):
        assert states[f"build.{goes_on}"] == "success", goes_on
    assert states["publish_marts"] == "upstream_failed"
    assert states["end_run"] == "success"

    assert shop.marts() == marts
    assert shop.published_at() == published_at
    (status,) = shop.warehouse.run(
        "select distinct last_run_outcome, reason from marts.data_status"
    )
    assert status[0] == "failed"
    assert "order_items" in status[1]
    assert "1 row" in status[1]

    message = wait_for_message(shop, slack, "Greenery run failed: 1 test failed")
    assert "product_id" in message
    assert "1 row" in message
    assert "fct_orders" in message
    assert "Marts still show data published" in message
    assert f"/dags/greenery_elt/runs/{quote(failed)}" in message
    reply = wait_for_reply(slack)
    assert "as parent_key" in reply, "the SQL that found it"
    assert "no-such-plant" not in message + reply, "data must not leave the warehouse"

    # in the next run it is the same trouble, so the same message
    again, state = shop.run()
    assert state == "failed"
    wait_for_message(
        shop, slack, "failed again: 1 test failed", "still failing, 2 runs since", again
    )
    assert len(slack.replies) == 1

    # the shop sends the missing plant: the same rows are right now
    products = shop.landing / "products.csv"
    products.write_text(products.read_text().rstrip("\n") + "\nno-such-plant,Bonsai,9.5,3\n")
    # and a correction that readers must see in all marts at once
    header, order, *_ = (shop.landing / "orders.csv").read_text().splitlines()
    corrected = dict(zip(header.split(","), order.split(","), strict=True))
    for amount in ("shipping_cost", "order_total"):
        corrected[amount] = str(round(float(corrected[amount]) + 1, 2))
    shop.drop("orders", "2.csv", f"{header}\n{','.join(corrected.values())}\n")
    with watched_by_readers(shop.warehouse) as readers:
        mended, state = shop.run()
    assert state == "success", shop.explain(mended)
    readers.assert_undisturbed()
    assert len(readers.pictures) == 2
    assert corrected["order_id"] != order_id
    assert shop.warehouse.run(
        "select order_total_usd, product_count - 1 in "
        "(select count(*) from marts.fct_order_items as i where i.order_id = o.order_id "
        "and product_id <> 'no-such-plant') from marts.fct_orders as o where order_id = %s",
        (order_id,),
    ) == [(total, True)]
    assert shop.warehouse.run("select distinct last_run_outcome from marts.data_status") == [
        ("published",)
    ]
    wait_for_message(shop, slack, ":white_check_mark: Resolved after ", ", 2 runs: 1 test failed")


@pytest.mark.rare
def test_a_bad_file_stops_the_run_before_anything_is_built(shop, slack):
    orders = shop.landing / "orders.csv"
    right = orders.read_text()
    lines = right.splitlines()
    # more than one row in a hundred: too many to load the rest
    for place in range(5, 15):
        lines[place] = lines[place].replace(lines[place].split(",")[5], "much", 1)
    orders.write_text("\n".join(lines) + "\n")
    failed, state = shop.run()
    assert state == "failed"
    states = shop.states(failed)
    assert states["load_orders"] == "failed"
    assert states["load_users"] == "success", "the other tables are untouched by it"
    assert states["build.stg_greenery__users"] == "upstream_failed"
    # its table was to be made in the same transaction
    assert shop.warehouse.run("select to_regclass('raw.orders')") == [(None,)]
    message = wait_for_message(shop, slack, "Greenery run failed: 1 load failed")
    assert "orders.csv has 10 bad rows of 361" in message
    assert "The first: line 6: column order_cost" in message
    assert "marts are empty" in message

    # cleared after mending, the same run goes through
    orders.write_text(right)
    shop.api.clear(failed, ["load_orders"], downstream=True)
    assert shop.wait(failed) == "success", shop.explain(failed)
    assert shop.warehouse.run("select count(*) from marts.fct_orders") == [(361,)]
    wait_for_message(shop, slack, ":white_check_mark: Resolved after ")
