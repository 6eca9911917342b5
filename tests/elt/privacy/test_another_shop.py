"""In a shop whose keys are all called `id` one person goes, wholly, and nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from elt.loading.contract import Column, Table
from elt.loading.sources_yaml import ContractError
from elt.privacy.forget import forget
from elt.privacy.outcome import Forgotten, LeftoverError, UnknownPersonError, left_to_do
from elt.privacy.rules import check, read_rules
from tests.support.bookshop import Bookshop
from tests.support.warehouse import as_admin, fresh_warehouse

HERS = ["Ottoline", "ottoline@example.com", "FEATHERSTONE"]
BUILT_SCHEMAS = ("raw", "staging", "snapshots", "marts_build", "untested", "marts", "ops")


def keep_email(snapshots: Path) -> None:
    """Have the snapshot break the house rule that it keeps nothing personal: forgetting copes."""
    for file in snapshots.iterdir():
        file.write_text(file.read_text().replace("joined_on", "email"))


@pytest.fixture(scope="module")
def built(server, tmp_path_factory) -> Iterator[Bookshop]:
    """The shop loaded and built, for copies: building takes longer than all that is tested."""
    with fresh_warehouse(server) as warehouse:
        shop = Bookshop(warehouse, tmp_path_factory.mktemp("bookshop"))
        keep_email(shop.project / "snapshots")
        shop.load()
        shop.build()
        warehouse.run("grant select on all tables in schema marts_build to publisher")
        shop.publish()
        # whoever is connected keeps it from being copied
        as_admin(
            server,
            "select pg_terminate_backend(pid) from pg_stat_activity"
            f" where datname = '{warehouse.database}'",
        )
        yield shop


@pytest.fixture
def shop(built, tmp_path) -> Iterator[Bookshop]:
    template = built.warehouse.database
    with fresh_warehouse(built.warehouse.server, template=template) as warehouse:
        yield Bookshop(warehouse, tmp_path, built)


def erase(shop: Bookshop, person_id: str = "7") -> Forgotten:
    return forget(person_id, shop.tables, "forget")


def rows(shop: Bookshop) -> dict[str, list[str]]:
    """Return every row of every table and view of the shop as text, by table."""
    names = shop.warehouse.run(
        "select format('%%I.%%I', nspname, relname) from pg_class"
        " inner join pg_namespace on relnamespace = pg_namespace.oid"
        " where relkind in ('r', 'v', 'm') and nspname = any (%s) order by 1",
        (list(BUILT_SCHEMAS),),
    )
    return {
        name: [row for (row,) in shop.warehouse.run(f"select t::text from {name} as t order by 1")]
        for (name,) in names
    }


def places(shop: Bookshop, words: list[str]) -> set[str]:
    return {
        name for name, found in rows(shop).items() for row in found for word in words if word in row
    }


def ids(shop: Bookshop, table: str, column: str) -> list:
    return [key for (key,) in shop.warehouse.run(f"select {column} from {table} order by 1")]


def test_one_person_goes_and_nobody_else(shop):
    assert places(shop, HERS) >= {
        "raw.customers", "raw.payments", "staging.stg_bookshop__customers",
        "snapshots.customers_history", "marts_build.dim_customers", "marts.dim_customers",
    }  # fmt: skip
    done = erase(shop)
    assert places(shop, HERS) == set()
    # she has the key 7 and the orders 8 and 11; books, orders and payments have these numbers too
    assert ids(shop, "raw.customers", "id") == [8, 11]
    assert ids(shop, "raw.books", "id") == [7, 8, 11]
    assert ids(shop, "raw.orders", "id") == [7, 12]
    assert ids(shop, "raw.payments", "id") == ["12", "7"]
    for schema in ("marts_build", "marts"):
        assert ids(shop, f"{schema}.dim_customers", "customer_id") == [8, 11]
        assert ids(shop, f"{schema}.fct_orders", "order_id") == ["12", "7"]
        assert ids(shop, f"{schema}.fct_payments", "payment_id") == ["12", "7"]
        assert ids(shop, f"{schema}.fct_book_sales", "book_id") == [7, 8, 11]
    assert ids(shop, "snapshots.customers_history", "customer_id") == [8, 11]
    assert {table: count for table, count in done.removed.items() if count} == {
        "raw.customers": 1,
        "raw.orders": 2,
        "raw.payments": 2,
        "snapshots.customers_history": 1,
        **{f"{s}.dim_customers": 1 for s in ("marts_build", "marts")},
        **{f"{s}.fct_orders": 2 for s in ("marts_build", "marts")},
        **{f"{s}.fct_payments": 2 for s in ("marts_build", "marts")},
    }


def test_the_next_files_bring_nothing_back_and_everything_else(shop):
    erase(shop)
    for file in shop.landing.glob("*.csv"):
        # of a file that is as it was nothing is read
        file.write_text(file.read_text() + "\n")
    (shop.landing / "orders.csv").write_text(
        (shop.landing / "orders.csv").read_text().strip()
        + "\n13,7,8,2026-04-05,\n14,8,8,2026-04-05,\n"
    )
    shop.load("the next run")
    shop.build()
    assert ids(shop, "raw.orders", "id") == [7, 12, 14]
    assert ids(shop, "raw.customers", "id") == [8, 11]
    assert ids(shop, "raw.payments", "id") == ["12", "7"]
    assert places(shop, HERS) == set()
    assert shop.warehouse.run("select order_count from marts_build.fct_book_sales order by 1") == [
        (0,), (1,), (2,),
    ]  # fmt: skip


def test_bad_rows_of_others_with_her_number_in_another_column_wait_in_quarantine(shop):
    """A tombstone of customer 7 must not swallow an order of the book 7."""
    erase(shop)
    (shop.landing / "orders").mkdir()
    (shop.landing / "orders" / "more.csv").write_text(
        "id,customer,book_id,ordered_on,sent_on\n"
        + "".join(f"{n},8,8,2026-04-05,\n" for n in range(1000, 1400))
        + "20,8,7,soon,\n21,7,8,soon,\n22,8,7\n"
    )
    shop.load("the next run")
    assert shop.warehouse.run("select row_text from ops.quarantine order by 1") == [
        ("20,8,7,soon,",),
        ("22,8,7",),
    ]


@pytest.mark.parametrize("written", ["007", " 7 "], ids=["zeros", "blanks"])
def test_a_number_is_known_however_it_is_written(shop, written):
    assert erase(shop, written).removed["raw.payments"] == 2
    assert erase(shop).was_known


def test_a_shared_name_that_is_also_a_title_takes_no_book_away(shop):
    """Customer 11 is called as the book 7 is."""
    erase(shop, "11")
    assert ids(shop, "marts.fct_book_sales", "book_id") == [7, 8, 11]
    assert shop.warehouse.run("select title from raw.books where id = 7") == [("Rose",)]


def test_quarantined_rows_of_hers_are_wiped_and_broken_ones_with_her_number_are_named(shop):
    shop.warehouse.run(
        "insert into ops.load (load_id, table_name, source_file, source_columns, started_at,"
        " finished_at, status, rows_read, rows_quarantined) overriding system value values"
        " (901, 'orders', 'orders.csv', '{id,Customer ,book_id,ordered_on,sent_on}', now(), now(),"
        " 'loaded', 4, 4);"
        "insert into ops.quarantine (quarantine_id, load_id, table_name, source_file, row_text,"
        " reason, row_key) overriding system value values"
        " (1, 901, 'orders', 'orders.csv', '21,7,8,soon,', 'r', '{\"id\": \"21\"}'),"
        " (2, 901, 'orders', 'orders.csv', '22,8,7,soon,', 'r', '{\"id\": \"22\"}'),"
        # whose number is it?
        " (3, 901, 'orders', 'orders.csv', '23,7', 'r', '{\"id\": \"23\"}'),"
        " (4, 901, 'orders', 'orders.csv', '24,12', 'r', '{\"id\": \"24\"}');"
        "insert into raw.payments (id, paid_order, _load_id) values ('p-21', 21, 901)"
    )
    done = erase(shop)
    assert shop.warehouse.run("select quarantine_id, row_text from ops.quarantine order by 1") == [
        (1, ""),
        (2, "22,8,7,soon,"),
        (3, "23,7"),
        (4, "24,12"),
    ]
    # the payment of an order that was in quarantine
    assert done.removed["raw.payments"] == 3
    assert done.undecided == (3,)
    assert "look at quarantine_id 3." in "\n".join(left_to_do(done))


def test_a_short_number_is_hidden_only_beside_the_name_of_its_key(shop):
    shop.warehouse.run(
        "insert into ops.task_failure (run_id, task_id, try_number, message) values"
        " ('run', 'a', 1, 'customer_id = 7 has 7 orders; customer_id = 17; (order_id)=(11)');"
        "insert into ops.node_result (run_id, task_id, try_number, unique_id, kind, status,"
        " sample) values ('run', 'a', 1, 'x', 'test', 'fail',"
        ' \'[{"customer_id": 7, "book_id": 7, "order_id": "8"}]\')'
    )
    erase(shop)
    assert shop.warehouse.run("select message from ops.task_failure") == [
        ("… has 7 orders; customer_id = 17; (…)",)
    ]
    assert shop.warehouse.run("select sample from ops.node_result where sample is not null") == [
        ([{"customer_id": "…", "book_id": 7, "order_id": "…"}],)
    ]


@pytest.mark.parametrize(("schema", "role"), [("marts", "publisher"), ("snapshots", "transformer")])
def test_a_table_with_a_name_but_no_key_is_refused_by_name(shop, schema, role):
    shop.warehouse.run(
        f"set role {role}; create table {schema}.best_buyers as"
        " select 'Dr. Ottoline Featherstone' as buyer, 2 as order_count"
    )
    shop.warehouse.run(
        "set role loader; update raw.customers set name = 'Dr. Ottoline Featherstone' where id = 7"
    )
    before = rows(shop)
    holds = rf"{schema}\.best_buyers holds the personal column `buyer` but no key of a person"
    with pytest.raises(LeftoverError, match=rf"Nothing was changed.*{holds}") as refused:
        erase(shop)
    assert "Featherstone" not in str(refused.value)
    after = rows(shop)
    before.pop("ops.run_lease"), after.pop("ops.run_lease")
    assert after == before


def test_a_row_of_somebody_else_that_names_the_person_is_refused_by_name(shop):
    shop.warehouse.run(
        "set role transformer; create table marts_build.fct_gifts as"
        " select 8 as customer_id, 'for ottoline@example.com' as note"
    )
    with pytest.raises(LeftoverError, match=r"marts_build\.fct_gifts has words of the person"):
        erase(shop)


def test_a_name_of_several_people_in_a_table_without_a_key_is_told(shop):
    shop.warehouse.run(
        "set role loader; update raw.customers set name = 'Marcus Tidewell' where id = 7;"
        "reset role; set role publisher; create table marts.fct_names as"
        " select 'Marcus Tidewell' as buyer, 2 as buyer_count"
    )
    told = "\n".join(left_to_do(erase(shop)))
    assert "marts.fct_names holds the personal column `buyer` but no key of a person" in told
    assert "Tidewell" not in told


def test_a_view_that_keeps_its_rows_reads_them_again(shop):
    shop.warehouse.run(
        "set role transformer; create materialized view intermediate.int_people as"
        " select customer_name from marts_build.dim_customers"
    )
    erase(shop)
    assert ids(shop, "intermediate.int_people", "customer_name") == ["Marcus Tidewell", "Rose"]


def test_a_key_of_hers_in_a_row_of_somebody_else_is_told(shop):
    """The customer who brought another one: not hers to take away, and not to be silent about."""
    sources = shop.project / "models/staging/_bookshop__sources.yml"
    sources.write_text(
        sources.read_text()
        .replace("              key_downstream: customer_id\n",
                 "              key_downstream: customer_id\n"
                 "              references: {brought_by: customers}\n")
        .replace("          - {name: joined_on, data_type: date}\n",
                 "          - {name: joined_on, data_type: date}\n"
                 "          - {name: brought_by, data_type: integer}\n")
    )  # fmt: skip
    shop.warehouse.run(
        "alter table raw.customers add column brought_by integer;"
        "update raw.customers set brought_by = 7 where id = 8"
    )
    told = "\n".join(left_to_do(erase(shop)))
    assert ids(shop, "raw.customers", "id") == [8, 11]
    assert "raw.customers: the column `brought_by` has a key of theirs" in told


# --- what can't be decided is refused


def shop_of(**changes: Table) -> dict[str, Table]:
    people = Table(
        "people", (Column("id", "integer"), Column("name", "text", True)), ("id",), "delta",
        person="id", key_downstream=("person_id",),
    )  # fmt: skip
    sales = Table(
        "sales", (Column("id", "text"), Column("buyer", "integer")), ("id",), "delta",
        person="buyer", references=(("buyer", "people"),), key_downstream=("sale_id",),
    )  # fmt: skip
    goods = Table("goods", (Column("id", "text"),), ("id",), "delta")
    return {"people": people, "sales": sales, "goods": goods} | changes


def test_a_shop_that_says_what_its_keys_are_called_is_taken():
    rules = read_rules(shop_of())
    assert rules.root.name == "people"
    assert [table.name for table in rules.own] == ["sales"]
    assert set(rules.keys) == {"person_id", "sale_id"}
    check({"goods": shop_of()["goods"]})


def undecided():
    shop = shop_of()
    people, sales, goods = shop.values()
    lines_of = Table("lines", (Column("id", "text"), Column("n", "integer")), ("id", "n"), "delta")
    return [
        pytest.param(
            {"people": replace(people, key_downstream=()), "sales": replace(sales)},
            "`people` and `goods` both have `id`",
            id="one key is called as another",
        ),
        pytest.param(
            {"sales": replace(sales, key_downstream=("person_id",))},
            "`people` and `sales` both have `person_id`",
            id="both are renamed alike",
        ),
        pytest.param(
            {"goods": replace(goods, key_downstream=("sale_id", "good_id"))},
            "`sales` and `goods` both have `sale_id`",
            id="a table that is nobody's",
        ),
        pytest.param(
            {
                "sales": replace(sales, key_downstream=("id",)),
                "goods": replace(goods, key_downstream=("good_id",)),
                "lines": lines_of,
            },
            "`sales` and `lines` both have `id`",
            id="a part of a key of two",
        ),
        pytest.param(
            {"sales": replace(sales, references=())},
            "`sales` names `buyer` as `person`.*`references`",
            id="whose key it is",
        ),
    ]


@pytest.mark.parametrize(("changes", "words"), undecided())
def test_contracts_by_which_keys_cannot_be_told_apart_are_refused(changes, words):
    with pytest.raises(ContractError, match=words):
        check(shop_of(**changes))


def test_a_key_that_is_also_the_persons_needs_no_name_of_its_own():
    profiles = Table(
        "profiles", (Column("id", "integer"),), ("id",), "delta",
        person="id", references=(("id", "people"),),
    )  # fmt: skip
    rules = read_rules(shop_of(profiles=profiles))
    assert [table.name for table in rules.own] == ["sales", "profiles"]
    assert set(rules.keys) == {"person_id", "sale_id"}


def test_an_id_that_is_no_number_is_refused(shop):
    with pytest.raises(UnknownPersonError, match="no id: it must be a valid integer"):
        erase(shop, "seven")
