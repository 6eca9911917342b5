"""However the data comes, the marts are those of one build of the whole history, row for row."""

from __future__ import annotations

import contextlib
import random
from collections import defaultdict

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from elt.loading.quarantine.replay import replay
from elt.loading.sources_yaml import declared_tables
from elt.publishing import rollback
from elt.publishing.rollback import NothingToRollBackError, PublicationPinnedError, roll_back
from elt.transform.rebuild import request_rebuild
from tests.dbt.daily import DailyBuild, differences
from tests.dbt.daily_shop import DailyShop
from tests.dbt.landing import read_rows
from tests.support.warehouse import ONE_AT_A_TIME, Warehouse, fresh_warehouse

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

BY_CHANGES = ("--select", "config.materialized:incremental_by_key")
KEYS = {
    **{"users": ("user_id",), "addresses": ("address_id",), "products": ("product_id",)},
    **{"promos": ("promo_id",), "orders": ("order_id",), "events": ("event_id",)},
    "order_items": ("order_id", "product_id"),
}
SNAPSHOTS = ("users", "addresses", "products", "promos")


# --- a small shop of which anything may change; few ids, so that everything meets everything

some = st.integers(0, 3)
day = st.integers(0, 2)
# what is not known is null, once in a while
STATUSES = ("preparing", "shipped", *["delivered"] * 2, *["cancelled"] * 2, "returned", "odd", None)


def known(number: st.SearchStrategy, prefix: str = "") -> st.SearchStrategy:
    """Return numbers, or ids that begin with a prefix, and a null for one of many."""
    said = number.map(lambda n: f"{prefix}{n}")
    return st.integers(0, 11).flatmap(lambda n: st.none() if n == 0 else said)


rows = {
    "users": st.builds(
        lambda n, address, name, version: {
            **{"user_id": f"u{n}", "address_id": f"a{address}", "first_name": f"name {name}"},
            **{"created_at": "2021-01-01Z", "updated_at": f"2021-02-0{version + 1}Z"},
        },
        *(some, some, some, some),
    ),
    "addresses": st.builds(
        lambda n, state: {"address_id": f"a{n}", "state": f"state {state}"}, some, some
    ),
    "products": st.builds(
        lambda n, price, stock: {
            **{"product_id": f"p{n}", "name": f"plant {n}", "price": price, "inventory": stock}
        },
        *(some, some, some),
    ),
    "promos": st.builds(
        lambda n, discount: {"promo_id": f"promo {n}", "discount": discount, "status": "active"},
        *(some, some),
    ),
    "orders": st.builds(
        lambda n, user, on, cost, status: {
            **{"order_id": f"o{n}", "user_id": user, "created_at": on and f"2021-02-1{on}T10:00Z"},
            **{"order_cost": cost * 10, "shipping_cost": 5, "order_total": cost * 10 + 5},
            "status": status,
            "delivered_at": "2021-02-14Z" if status in ("delivered", "returned") else None,
        },
        *(some, known(some, "u"), known(day), some, st.sampled_from(STATUSES)),
    ),
    "order_items": st.builds(
        lambda order, product, quantity: {
            **{"order_id": f"o{order}", "product_id": f"p{product}", "quantity": quantity}
        },
        *(some, some, known(some)),
    ),
    "events": st.builds(
        lambda n, session, user, kind, product, order, on, minute: {
            **{"event_id": f"e{n}", "session_id": session, "user_id": f"u{user}"},
            "created_at": f"2021-02-1{on}T{(0, 9, 9, 23)[minute]}:0{minute}Z",
            "event_type": ("page_view", "add_to_cart", "checkout", "package_shipped")[kind],
            "product_id": f"p{product}" if kind < 2 else None,
            "order_id": f"o{order}" if kind > 1 else None,
        },
        *(st.integers(0, 15), known(some, "s"), some, some, some, some, day, some),
    ),
}
# a value that no contract takes, and what it is mended to before the row is replayed
SPOILT = "unreadable"
MENDED = {
    "orders": ("created_at", "2021-02-11T10:00Z"),
    "order_items": ("quantity", "3"),
    "events": ("created_at", "2021-02-11T09:00Z"),
}
changes = st.one_of(
    *(st.tuples(st.just("row"), st.just(table), row) for table, row in rows.items()),
    # events are what there is most of
    *[st.tuples(st.just("row"), st.just("events"), rows["events"])] * 4,
    *(st.tuples(st.just("gone"), st.just(table), row) for table, row in rows.items()),
    *(st.tuples(st.just("spoilt"), st.just(table), rows[table]) for table in MENDED),
)
# what an operator does before a run
hands = st.sampled_from(["nothing", "nothing", "replay", "rebuild"])
# what a run does with a delivery; it may also die before anything is built
outcomes = st.sampled_from(["published", "published twice", "failed", "cleared", "rolled back"])
deliveries = st.lists(
    st.tuples(st.lists(changes, min_size=1, max_size=12), hands, outcomes), min_size=2, max_size=5
)


def erase(warehouse: Warehouse, table: str, row: dict) -> None:
    """Delete a row for good, as forgetting a person does: the change log keeps its keys alone."""
    key = " and ".join(f"{column} = %({column})s" for column in KEYS[table])
    warehouse.run(
        "with load as (insert into ops.load (table_name, source_file, started_at, finished_at,"
        f" status) values ('{table}', 'forgotten', now(), now(), 'loaded') returning load_id),"
        f" gone as (delete from raw.{table} as gone where {key} returning to_jsonb(gone) as old)"
        " insert into raw.change_log (load_id, table_name, change, old_key)"
        f" select load_id, '{table}', 'delete', old from load, gone",
        row,
    )


def mend_and_replay(warehouse: Warehouse, run_id: str) -> None:
    for table, (_, value) in MENDED.items():
        warehouse.run(
            "update ops.quarantine set row_text = replace(row_text, %s, %s) where table_name = %s",
            (SPOILT, value, table),
        )
    for replayed in replay(declared_tables(), run_id):
        assert not replayed.still_bad


def publish(daily: DailyShop) -> bool:
    """Publish, or release the pin that holds this back, as an operator does when it has."""
    try:
        daily.publish()
    except PublicationPinnedError:
        rollback.release()
        return False
    return True


@pytest.fixture(scope="module")
def build(server, tmp_path_factory) -> DailyBuild:
    """Return a build that is parsed for a database, not yet made, that each shop has anew."""
    warehouse = Warehouse(server, ONE_AT_A_TIME)
    build = DailyBuild(warehouse, tmp_path_factory.mktemp("build"))
    build.parse_once()
    return build


@settings(
    max_examples=3,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(first=st.lists(changes, min_size=20, max_size=40), later=deliveries)
def test_any_deliveries_in_any_order_give_what_a_full_refresh_gives(
    build, tmp_path_factory, first, later
):
    shop: dict[str, dict] = defaultdict(dict)

    def tables_of(news: list) -> dict[str, list]:
        """Return the files that tell of some changes: whole snapshots, and deltas."""
        told: dict[str, dict] = defaultdict(dict)
        for what, table, row in news:
            key = tuple(row[column] for column in KEYS[table])
            if what == "spoilt":
                # one in a file is what a contract lets pass
                if not any(SPOILT in one.values() for one in told[table].values()):
                    told[table][key] = {**row, MENDED[table][0]: SPOILT}
            elif what == "row":
                shop[table][key] = told[table][key] = row
            elif table in SNAPSHOTS:
                shop[table].pop(key, None)
                told[table].pop(key, None)
        return {
            table: list((shop if table in SNAPSHOTS else told)[table].values())
            for table in [*told, *(t for what, t, _ in news if t in SNAPSHOTS)]
        }

    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        fresh_warehouse(build.warehouse.server, build.warehouse.database) as warehouse,
    ):
        daily = DailyShop(build, tmp_path_factory.mktemp("shop"), monkeypatch)
        daily.landing.deliver({**{table: [] for table in KEYS}, **tables_of(first)})
        daily.run()
        before_last_change: dict = {}
        for number, (news, hand, outcome) in enumerate(later):
            daily.landing.deliver(tables_of(news))
            if hand == "replay":
                mend_and_replay(warehouse, f"replay {number}")
            elif hand == "rebuild":
                request_rebuild(daily.lineage, day="2021-02-11", confirm=lambda _: True)
            for what, table, row in news:
                if what == "gone" and table not in SNAPSHOTS:
                    erase(warehouse, table, row)
            daily.begin()
            daily.build("run", *(BY_CHANGES if outcome == "failed" else ()))
            if outcome == "cleared":
                daily.build("run", "--select", "int_user_orders+", "fct_events")
            shown = daily.marts()
            published = outcome != "failed" and publish(daily)
            if daily.marts() != shown:
                before_last_change = shown
            if published and outcome == "rolled back":
                # what changed no mart is not undone, but the publication before that did
                with contextlib.suppress(NothingToRollBackError):
                    roll_back()
                    assert differences(daily.marts(), before_last_change) == {}
            if outcome == "published twice":
                publish(daily)
            daily.end()
        rollback.release()
        daily.assert_equal_to_one_full_refresh()


def test_the_real_data_day_by_day_gives_what_a_full_refresh_gives(
    warehouse, real_data, monkeypatch, tmp_path
):
    real = read_rows(real_data)
    chance = random.Random(5)
    build = DailyBuild(warehouse, tmp_path / "build")
    build.parse_once()
    daily = DailyShop(build, tmp_path / "daily", monkeypatch)
    days = sorted({row["created_at"][:10] for row in real["events"]})
    assert len(days) > 1
    ordered = {row["order_id"]: row["created_at"][:10] for row in real["orders"]}
    for day in days:
        late = {row["event_id"] for row in real["events"] if chance.random() < 0.05}
        daily.landing.deliver(
            {
                **{table: real[table] for table in SNAPSHOTS},
                "orders": [
                    {**row, "status": "preparing", "delivered_at": None}
                    for row in real["orders"]
                    if ordered[row["order_id"]] == day
                ],
                "order_items": [
                    row for row in real["order_items"] if ordered[row["order_id"]] == day
                ],
                "events": [
                    row
                    for row in real["events"]
                    if row["created_at"][:10] == day and row["event_id"] not in late
                ],
            }
        )
        daily.run()
    # orders arrive, and what was late comes last
    daily.landing.deliver({"orders": real["orders"], "events": real["events"]})
    daily.assert_equal_to_one_full_refresh()
