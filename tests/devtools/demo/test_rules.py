"""The demo shop keeps the rules of the real one, on every day, whatever it is made from."""

from __future__ import annotations

import contextlib
import tempfile
from collections import Counter, defaultdict
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devtools.demo.files import TABLES
from devtools.demo.generate import write_landing
from devtools.demo.settings import DemoSettings, days_until
from tests.devtools.demo.conftest import LAST_DAY, SETTINGS
from tests.devtools.demo.judge import KEYS, Shop, broken_rules, instant

SOURCES = Path(__file__).parents[3] / "dbt/greenery/models/staging/greenery/_greenery__sources.yml"


def test_every_rule_of_the_shop_holds_on_every_day(shop):
    assert len(shop.days) == 24
    for day in shop.days:
        assert broken_rules(shop, day) == []


@given(
    seed=st.integers(-(10**9), 10**12),
    users=st.integers(5, 60),
    sessions=st.integers(1, 25),
    first_day=st.dates(date(2020, 1, 1), date(2030, 1, 1)),
    count=st.integers(1, 6),
)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_rules_hold_for_any_seed_and_size(server, seed, users, sessions, first_day, count):
    made_from = DemoSettings(first_day, seed, users, sessions)
    days = days_until(made_from, first_day + timedelta(days=count - 1))
    with tempfile.TemporaryDirectory() as folder:
        with contextlib.closing(server.connect("analyst")) as opened:
            files = write_landing(opened, Path(folder), made_from, days)
        shop = Shop.read(Path(folder))

    assert len(files) == 7 * count
    assert [problem for day in shop.days for problem in broken_rules(shop, day)] == []


def test_each_header_is_the_contract_of_its_table(landing):
    tables = yaml.safe_load(SOURCES.read_text())["sources"][0]["tables"]
    contract = {table["name"]: [column["name"] for column in table["columns"]] for table in tables}

    headers = {
        table: (landing / table / f"{LAST_DAY}.csv").read_text().splitlines()[0].split(",")
        for table in TABLES
    }
    assert headers == contract


def test_orders_go_from_preparing_over_shipped_to_delivered(shop):
    steps = defaultdict(list)
    for drop in shop.drops["orders"].values():
        for row in drop:
            steps[row["order_id"]].append(row["status"])
    order_of = ["preparing", "shipped", "delivered"]

    assert len(steps) > 300
    assert all(seen == sorted(set(seen), key=order_of.index) for seen in steps.values())
    assert Counter(map(tuple, steps.values()))[("preparing", "shipped", "delivered")] > 50


def test_every_order_is_delivered_nine_days_later(shop):
    old = LAST_DAY - timedelta(days=9)
    statuses = {
        row["status"]
        for row in shop.as_of(LAST_DAY)["orders"]
        if instant(row["created_at"]).date() <= old
    }
    assert statuses == {"delivered"}


def test_a_shipment_comes_into_the_drop_of_a_later_day_with_the_session_of_the_visit(shop):
    held = shop.as_of(LAST_DAY)["events"]
    checkout_days = {
        row["session_id"]: row["created_at"][:10] for row in held if row["event_type"] == "checkout"
    }
    shipments = [row for row in held if row["event_type"] == "package_shipped"]

    assert len(shipments) > 200
    later = [row for row in shipments if row["created_at"][:10] > checkout_days[row["session_id"]]]
    assert len(later) > 100


def test_some_events_arrive_a_day_late_and_none_later_or_early(shop):
    delays = Counter(
        (day - instant(row["created_at"]).date()).days
        for day, drop in shop.drops["events"].items()
        for row in drop
    )
    assert set(delays) == {0, 1}
    assert 0.005 < delays[1] / delays.total() < 0.08


def test_no_event_comes_twice(shop):
    ids = [row["event_id"] for drop in shop.drops["events"].values() for row in drop]
    assert len(ids) == len(set(ids)) > 3000


def test_snapshots_grow_and_lose_nobody(shop):
    for table in ("users", "addresses"):
        ids = [{row[KEYS[table][0]] for row in drop} for drop in shop.drops[table].values()]
        assert len(ids[0]) >= SETTINGS.users
        assert len(ids[-1]) > len(ids[0])
        assert all(before <= after for before, after in pairwise(ids))


def test_updated_at_moves_exactly_when_a_user_moves(shop):
    moves = 0
    for day, after in pairwise(shop.days):
        before = {row["user_id"]: row for row in shop.drops["users"][day]}
        for row in shop.drops["users"][after]:
            old = before.get(row["user_id"], row)
            changed = {column for column in row if row[column] != old[column]}
            assert changed in (set(), {"updated_at", "address_id"})
            if changed:
                moves += 1
                assert instant(row["updated_at"]).date() == after
    assert moves > 2


def test_stock_goes_down_by_what_was_sold_and_is_filled_up(shop):
    refills = 0
    held = shop.as_of(shop.days[-1])
    for before, day in pairwise(shop.days):
        stock = {row["product_id"]: int(row["inventory"]) for row in shop.drops["products"][before]}
        ordered = {
            row["order_id"] for row in held["orders"] if instant(row["created_at"]).date() == day
        }
        sold = Counter()
        for row in held["order_items"]:
            if row["order_id"] in ordered:
                sold[row["product_id"]] += int(row["quantity"])
        for row in shop.drops["products"][day]:
            expected = stock[row["product_id"]] - sold[row["product_id"]]
            # an order of the day that arrives after the last drop is not known here
            if int(row["inventory"]) != expected and day < shop.days[-1]:
                assert int(row["inventory"]) > expected
                refills += 1
    assert refills > 20


def test_prices_have_cents_and_change_now_and_then(shop):
    prices = [
        {row["product_id"]: Decimal(row["price"]) for row in drop}
        for drop in shop.drops["products"].values()
    ]
    changes = sum(
        before[product] != after[product] for before, after in pairwise(prices) for product in after
    )
    assert any(price % 1 for price in prices[0].values())
    assert 3 < changes < 60


def test_promos_are_used_now_and_then_and_only_while_they_are_active(shop):
    active = {
        day: {row["promo_id"] for row in drop if row["status"] == "active"}
        for day, drop in shop.drops["promos"].items()
    }
    orders = shop.as_of(LAST_DAY)["orders"]
    used = [row for row in orders if row["promo_id"]]

    assert 0.04 < len(used) / len(orders) < 0.25
    assert all(row["promo_id"] in active[instant(row["created_at"]).date()] for row in used)


def test_visits_buy_and_buyers_come_back_about_as_in_the_real_shop(shop):
    held = shop.as_of(LAST_DAY)
    orders = Counter(row["user_id"] for row in held["orders"])
    sessions = {row["session_id"] for row in held["events"] if row["event_type"] == "page_view"}
    repeat_rate = sum(count > 1 for count in orders.values()) / len(orders)

    assert 0.6 <= repeat_rate <= 0.85
    assert 0.5 <= len(held["orders"]) / len(sessions) <= 0.65
    assert len(orders) < 0.9 * len(held["users"])


def test_nobody_real_can_be_meant(shop):
    for row in shop.drops["users"][LAST_DAY]:
        assert row["email"].endswith("@example.com")
        assert row["phone_number"][3:11] == "-555-01" + row["phone_number"][10]
        assert len(row["phone_number"]) == 12
    assert len({row["email"] for row in shop.drops["users"][LAST_DAY]}) == len(
        shop.drops["users"][LAST_DAY]
    )
    zipcodes = [row["zipcode"] for row in shop.drops["addresses"][LAST_DAY]]
    assert {len(zipcode) for zipcode in zipcodes} == {5}
    assert any(zipcode.startswith("0") for zipcode in zipcodes)
