"""Reads landing files with Python's csv module and says which rule of the shop a row breaks."""

from __future__ import annotations

import csv
import gzip
import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

Row = dict[str, str]
SNAPSHOTS = ("addresses", "users", "products", "promos")
KEYS = {
    "addresses": ("address_id",),
    "users": ("user_id",),
    "products": ("product_id",),
    "promos": ("promo_id",),
    "orders": ("order_id",),
    "order_items": ("order_id", "product_id"),
    "events": ("event_id",),
}


def rows(file: Path) -> list[Row]:
    opener = gzip.open if file.suffix == ".gz" else open
    with opener(file, "rt", encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def fingerprint(landing: Path, *, until: date = date.max) -> dict[str, str]:
    """Return a hash of every drop's bytes, by name."""
    return {
        str(file.relative_to(landing)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(landing.glob("*/*.csv*"))
        if file.name[:10] <= until.isoformat()
    }


def instant(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Shop:
    """All drops of a folder: the rows by table and day."""

    drops: dict[str, dict[date, list[Row]]]

    @classmethod
    def read(cls, landing: Path) -> Shop:
        return cls(
            {
                table: {
                    date.fromisoformat(file.name[:10]): rows(file)
                    for file in sorted((landing / table).glob("2*.csv*"))
                }
                for table in KEYS
            }
        )

    @property
    def days(self) -> list[date]:
        return sorted(self.drops["orders"])

    def as_of(self, day: date) -> dict[str, list[Row]]:
        """Return what a warehouse holds when the drops up to and with the day are loaded."""
        held: dict[str, list[Row]] = {}
        for table, key in KEYS.items():
            kept: dict[tuple[str, ...], Row] = {}
            for drop_day, drop in self.drops[table].items():
                if drop_day == day if table in SNAPSHOTS else drop_day <= day:
                    kept |= {tuple(row[column] for column in key): row for row in drop}
            held[table] = list(kept.values())
        return held

    def price(self, product_id: str, day: date) -> Decimal:
        """Return the price on a day, 0 for what is no product."""
        prices = {row["product_id"]: row["price"] for row in self.drops["products"][day]}
        return Decimal(prices.get(product_id, 0))


def broken_rules(shop: Shop, day: date) -> list[str]:
    """Return a sentence for every row that breaks a rule of the shop, as it stands that day."""
    return list(_broken_rules(shop, shop.as_of(day), day))


def _broken_rules(shop: Shop, held: dict[str, list[Row]], day: date) -> Iterator[str]:
    for table, key in KEYS.items():
        names = [tuple(row[column] for column in key) for row in shop.drops[table][day]]
        if len(names) != len(set(names)) or any("" in name for name in names):
            yield f"a key of {table} is empty or twice in one file"
    yield from _foreign_keys(held)
    yield from _orders(shop, held)
    yield from _sessions(held)
    end = datetime.combine(day + timedelta(days=1), datetime.min.time())
    for table in ("users", "orders", "events"):
        for row in held[table]:
            for column in ("created_at", "updated_at", "delivered_at"):
                if row.get(column) and instant(row[column]) >= end:
                    yield f"{table}.{column} is {row[column]}, after {day}"
    for row in held["products"]:
        if int(row["inventory"]) < 0 or Decimal(row["price"]) <= 0:
            yield f"product {row} has an odd stock or price"


def _foreign_keys(held: dict[str, list[Row]]) -> Iterator[str]:
    ids = {table: {row[key[0]] for row in held[table]} for table, key in KEYS.items()}
    parents = {
        "user_id": "users",
        "address_id": "addresses",
        "promo_id": "promos",
        "product_id": "products",
        "order_id": "orders",
    }
    for table in ("users", "orders", "order_items", "events"):
        for row in held[table]:
            for column, parent in parents.items():
                if row.get(column) and row[column] not in ids[parent]:
                    yield f"{table}.{column} {row[column]} is not in {parent}"
    born = {row["user_id"]: instant(row["created_at"]) for row in held["users"]}
    for row in held["users"]:
        if instant(row["updated_at"]) < born[row["user_id"]]:
            yield f"user {row['user_id']} was updated before it was created"
    for row in held["orders"] + held["events"]:
        if instant(row["created_at"]) < born.get(row["user_id"], datetime.min):
            yield f"user {row['user_id']} was here before the account"


def _orders(shop: Shop, held: dict[str, list[Row]]) -> Iterator[str]:
    items = defaultdict(list)
    for row in held["order_items"]:
        items[row["order_id"]].append(row)
        if int(row["quantity"]) < 1:
            yield f"quantity of {row}"
    discounts = {row["promo_id"]: Decimal(row["discount"]) for row in held["promos"]}
    checkouts = {row["order_id"]: row for row in held["events"] if row["event_type"] == "checkout"}
    for order in held["orders"]:
        order_id = order["order_id"]
        created = instant(order["created_at"])
        cost, shipping = Decimal(order["order_cost"]), Decimal(order["shipping_cost"])
        discount = discounts[order["promo_id"]] if order["promo_id"] else 0
        if cost + shipping - discount != Decimal(order["order_total"]) or cost <= discount:
            yield f"the total of order {order_id}"
        lines = [
            shop.price(row["product_id"], created.date()) * int(row["quantity"])
            for row in items[order_id]
        ]
        if not lines or sum(lines) != cost:
            yield f"the items of order {order_id} add up to {sum(lines)}, not {cost}"
        checkout = checkouts.get(order_id)
        if checkout is None or checkout["user_id"] != order["user_id"]:
            yield f"order {order_id} has no checkout of its user"
        elif not 1 <= (created - instant(checkout["created_at"])).total_seconds() <= 5:
            yield f"order {order_id} does not follow its checkout by 1 to 5 s"
        is_shipped = order["status"] != "preparing"
        for column in ("tracking_id", "shipping_service", "estimated_delivery_at"):
            if bool(order[column]) != is_shipped:
                yield f"{column} of order {order_id}, which is {order['status']}"
        if bool(order["delivered_at"]) != (order["status"] == "delivered"):
            yield f"delivered_at of order {order_id}, which is {order['status']}"


def _sessions(held: dict[str, list[Row]]) -> Iterator[str]:
    sessions, bought = defaultdict(list), defaultdict(set)
    for row in held["events"]:
        sessions[row["session_id"]].append(row)
        if bool(row["product_id"]) == bool(row["order_id"]):
            yield f"event {row['event_id']} has both a product and an order, or neither"
        page = {"checkout": "checkout", "package_shipped": "shipping"}.get(
            row["event_type"], "product"
        )
        subject = row["product_id"] or row["order_id"]
        if row["page_url"] != f"https://greenery.example/{page}/{subject}":
            yield f"the page of event {row['event_id']}: {row['page_url']}"
    for row in held["order_items"]:
        bought[row["order_id"]].add(row["product_id"])
    for session_id, events in sessions.items():
        steps = {
            step: [row for row in events if row["event_type"] == step]
            for step in ("page_view", "add_to_cart", "checkout", "package_shipped")
        }
        if len({row["user_id"] for row in events}) != 1:
            yield f"session {session_id} has several users"
        if len(steps["checkout"]) > 1 or len(steps["package_shipped"]) > len(steps["checkout"]):
            yield f"session {session_id} has too many checkouts or shipments"
        viewed = {row["product_id"]: row["created_at"] for row in steps["page_view"]}
        carted = {row["product_id"]: row["created_at"] for row in steps["add_to_cart"]}
        if any(viewed.get(product, "never") > at for product, at in carted.items()):
            yield f"session {session_id} has put in the cart what it had not viewed"
        for checkout in steps["checkout"]:
            if not bought[checkout["order_id"]] <= carted.keys():
                yield f"session {session_id} has bought what was not in the cart"
            on_site = steps["page_view"] + steps["add_to_cart"]
            if any(row["created_at"] > checkout["created_at"] for row in on_site):
                yield f"session {session_id} goes on after its checkout"
            for shipment in steps["package_shipped"]:
                waited = instant(shipment["created_at"]) - instant(checkout["created_at"])
                if shipment["order_id"] != checkout["order_id"] or waited < timedelta(hours=2):
                    yield f"the shipment of session {session_id}"
