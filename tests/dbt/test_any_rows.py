"""Whatever the rows say, every model can be built of them, and what must add up adds up."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from elt.loading import raw_table
from elt.loading.sources_yaml import declared_tables
from elt.warehouse.connection import transaction
from tests.dbt.daily import DailyBuild
from tests.support.warehouse import ONE_AT_A_TIME, Warehouse, fresh_warehouse

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

# what raw can hold, whatever the loader and the tests of staging say to it
INSTANTS = (
    *(None, "2021-02-10 10:00Z", "2021-02-10 10:00:05.9Z", "2021-02-11 10:00Z", "0001-01-01Z"),
    *("9999-12-31Z", "infinity", "-infinity", "294276-12-31Z", "4713-01-01Z BC"),
)
AMOUNTS = (
    *(None, "0", "0.01", "19.99", "-5", "0.005", "9999999999.99", "1e12", "1e400", "-1e12"),
    *("NaN", "Infinity", "-Infinity"),
)
QUANTITIES = (None, 0, 0, 1, 3, -1, -2147483648, 2147483647)
STATUSES = (None, "", "odd", "preparing", "shipped", "delivered", "cancelled", "returned")
EVENTS = (None, "odd", "page_view", "add_to_cart", "checkout", "checkout", "package_shipped")
KEYS = {table.name: table.primary_key for table in declared_tables().values()}


def values(table: str, column: str, data_type: str) -> st.SearchStrategy:
    """Return what a column may hold; few ids, so that rows of all tables meet."""
    if column.endswith("_id"):
        ids = [f"{column} {number}" for number in range(3)]
        return st.sampled_from(ids if column in KEYS[table] else [None, *ids])
    if column == "status" or column == "event_type":
        return st.sampled_from(EVENTS if column == "event_type" else STATUSES)
    by_type = {"timestamptz": INSTANTS, "numeric": AMOUNTS, "integer": QUANTITIES}
    return st.sampled_from(by_type.get(data_type, (None, "", "text")))


def rows_of(table: str) -> st.SearchStrategy:
    columns = {column.name: column.data_type for column in declared_tables()[table].columns}
    row = st.fixed_dictionaries(
        {name: values(table, name, data_type) for name, data_type in columns.items()}
    )
    key = KEYS[table]
    return st.lists(row, max_size=12, unique_by=lambda row: tuple(row[name] for name in key))


shops = st.fixed_dictionaries({table: rows_of(table) for table in KEYS})


def one(table: str, **said: object) -> dict:
    """Return a row of which nothing is known but its key and what is said."""
    columns = [column.name for column in declared_tables()[table].columns]
    key = {name: f"{name} 0" for name in KEYS[table]}
    return {**dict.fromkeys(columns), **key, **said}


NOTHING = {table: [] for table in KEYS}
ORDERED = {"user_id": "user_id 0", "created_at": "2021-02-10 10:00Z", "order_cost": "9.01"}
LINES = [one("order_items", product_id=f"product_id {number}", quantity=0) for number in range(3)]
SHOPS_BY_HAND = [
    {table: [one(table)] for table in KEYS},
    # an order of no units
    {**NOTHING, "orders": [one("orders", **ORDERED, status="shipped")], "order_items": LINES},
    # nothing was sold
    {**NOTHING, "orders": [one("orders", **ORDERED, status="cancelled")], "order_items": LINES},
]


def fill(warehouse: Warehouse, shop: dict[str, list[dict]]) -> None:
    """Put rows in the place of all that raw holds."""
    for table, rows in shop.items():
        warehouse.run(
            f"truncate raw.{table};"
            " with load as (insert into ops.load (table_name, source_file, started_at, finished_at,"
            " status, cause) values (%(table)s, 'a file', now(), now(), 'loaded', 'delivery')"
            " returning load_id, started_at)"
            f" insert into raw.{table} select filled.* from load"
            f" cross join json_populate_recordset(null::raw.{table}, %(rows)s) as said"
            f" cross join lateral json_populate_record(said, json_build_object('_load_id',"
            " load_id, '_loaded_at', started_at)) as filled",
            {"table": table, "rows": json.dumps(rows)},
        )


def wrong(warehouse: Warehouse, query: str) -> list[tuple]:
    return warehouse.run(query.replace("from fct", "from marts_build.fct"))


@pytest.fixture(scope="module")
def build(server, tmp_path_factory) -> Iterator[DailyBuild]:
    with fresh_warehouse(server, ONE_AT_A_TIME) as warehouse:
        with transaction("loader") as cursor:
            for table in declared_tables().values():
                raw_table.create(cursor, table)
        build = DailyBuild(warehouse, tmp_path_factory.mktemp("build"))
        build.parse_once()
        yield build


@settings(
    max_examples=2,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(shop=shops)
@example(shop=SHOPS_BY_HAND[0])
@example(shop=SHOPS_BY_HAND[1])
@example(shop=SHOPS_BY_HAND[2])
def test_every_model_is_built_of_any_rows_and_what_must_add_up_does(build, shop):
    fill(build.warehouse, shop)
    build("run", "--full-refresh")
    # that lines add up, to the cent
    assert not wrong(
        build.warehouse,
        "select order_id, order_cost_usd, sum(line_total_usd) from fct_orders"
        " inner join marts_build.fct_order_items using (order_id) group by 1, 2"
        " having order_cost_usd is distinct from sum(line_total_usd)",
    )
    for mart, rate in {
        **{"fct_kpis where unit = 'share'": "value", "fct_repeat_indicators": "repeat_rate"},
        "fct_product_funnel": "rate_of_first",
    }.items():
        assert not wrong(
            build.warehouse,
            f"select * from (select * from {mart}) as rates where not {rate} between 0 and 1",
        )
    # each buyer has one first order and one last one
    assert not wrong(
        build.warehouse,
        "select user_id from fct_user_orders left join marts_build.fct_orders using (user_id)"
        " group by 1 having count(*) filter (where is_first_order) <> 1"
        " or count(*) filter (where is_last_order) <> 1",
    )
    assert wrong(
        build.warehouse,
        "select numerator = (select count(*) from fct_orders where ordered_at is not null)"
        " from fct_kpis where metric = 'orders'",
    ) == [(True,)]
    assert wrong(build.warehouse, "select count(*) from fct_kpis") == [(15,)]
