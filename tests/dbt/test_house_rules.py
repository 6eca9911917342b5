"""A house rule passes a sound project of another shop, and says what breaks it, and the remedy."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.dbt.conftest import PROJECT
from tests.project.rules import RULES, Project, by_changes, data_tests, models, personal
from tests.support.bookshop import SHOP, add_shared
from tests.support.manifest import parse

Manifest = dict[str, Any]
DIM, ORDERS, SALES = "dim_customers", "fct_orders", "fct_book_sales"
STAGING, HISTORY = "stg_bookshop__orders", "customers_history"


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    folder = tmp_path_factory.mktemp("bookshop")
    project = shutil.copytree(SHOP / "dbt", folder / "dbt")
    add_shared(project)
    shutil.copyfile(PROJECT / "profiles.yml", project / "profiles.yml")
    return parse(project, Path(folder, "target"))


@pytest.fixture
def manifest(parsed) -> Manifest:
    """The bookshop's, to be doctored, with what it lacks: models built by changes and the like."""
    doctored = copy.deepcopy(parsed)
    orders, sales = node(doctored, ORDERS), node(doctored, SALES)
    orders["config"]["unique_key"] = "order_id"
    orders["config"]["meta"]["build"] = {
        "key": "order_id",
        "change_key": ["book_id"],
        "depends_on_changes_of": [{"source": "orders", "column": "id"}],
    }
    orders["raw_code"] += "where {{ only_changed_keys('order_id') }}"
    sales["config"]["unique_key"] = "book_id"
    sales["config"]["meta"]["build"] = {
        "key": "book_id",
        "depends_on_changes_of": [{"model": ORDERS, "column": "order_id", "reads": "key"}],
    }
    sales["depends_on"]["nodes"] = [orders["unique_id"]]
    sales["raw_code"] = "select order_id where {{ only_changed_keys('book_id') }}"
    doctored["nodes"]["test.one"] = {
        **copy.deepcopy(named_test(doctored)),
        "unique_id": "test.one",
        "name": "assert_sales_add_up",
        "test_metadata": None,
        "attached_node": None,
        "raw_code": "-- somebody must",
    }
    doctored["unit_tests"]["one"] = {"name": f"{ORDERS}__counts", "model": ORDERS}
    doctored["exposures"]["one"] = {
        "name": "till",
        "owner": {"name": "Ada"},
        "depends_on": {"nodes": [orders["unique_id"]]},
    }
    return doctored


def node(manifest: Manifest, name: str) -> dict[str, Any]:
    every = [*manifest["nodes"].values(), *manifest["sources"].values()]
    (found,) = [one for one in every if one["name"] == name]
    return found


def named_test(manifest: Manifest) -> dict[str, Any]:
    return node(manifest, "stg_bookshop__orders__book_exists")


def without_test(manifest: Manifest, name: str, kind: str) -> None:
    """Take the tests of a kind away from a model or snapshot."""
    stands_on = node(manifest, name)["unique_id"]
    for unique_id, test in [*manifest["nodes"].items()]:
        kind_of_test = (test.get("test_metadata") or {}).get("name")
        if (test.get("attached_node"), kind_of_test) == (stands_on, kind):
            del manifest["nodes"][unique_id]


def config(of: str, /, **changes: Any) -> Callable[[Manifest], None]:
    return lambda manifest: node(manifest, of)["config"].update(changes)


def field(of: str, /, **changes: Any) -> Callable[[Manifest], None]:
    return lambda manifest: node(manifest, of).update(changes)


def build(of: str, /, **changes: Any) -> Callable[[Manifest], None]:
    return lambda manifest: node(manifest, of)["config"]["meta"]["build"].update(changes)


def meta(name: str, column: str, **changes: Any) -> Callable[[Manifest], None]:
    def change(manifest: Manifest) -> None:
        node(manifest, name)["columns"][column]["config"]["meta"] = changes

    return change


def untested(name: str, kind: str) -> Callable[[Manifest], None]:
    return lambda manifest: without_test(manifest, name, kind)


def reads(name: str, *parents: str) -> Callable[[Manifest], None]:
    def change(manifest: Manifest) -> None:
        found = [node(manifest, parent)["unique_id"] for parent in parents]
        node(manifest, name)["depends_on"]["nodes"] = found

    return change


def no_column(name: str, column: str) -> Callable[[Manifest], None]:
    return lambda manifest: node(manifest, name)["columns"].pop(column)


def described(name: str, column: str, text: str) -> Callable[[Manifest], None]:
    return lambda manifest: node(manifest, name)["columns"][column].update(description=text)


def exposure(**changes: Any) -> Callable[[Manifest], None]:
    return lambda manifest: manifest["exposures"]["one"].update(changes)


BROKEN = [
    (models.prefix_of_its_folder, field(DIM, name="customers"),
     "customers lies in models/marts: have its name begin with dim_ or fct_."),
    (models.prefix_of_its_folder, field(DIM, fqn=["bookshop", "reports", DIM]),
     "dim_customers lies in models/reports: move it to staging, intermediate or marts."),
    (models.schema_of_its_folder, config(DIM, schema="reports"),
     "dim_customers is built in the schema reports: say `+schema: marts_build` for models/marts"),
    (models.says_its_grain, field(DIM, description="People."),
     "dim_customers does not say what a row is: end its description with `One row per <thing>.`"),
    (models.has_an_owner, config(HISTORY, meta={}),
     "customers_history has no owner, so nobody is called when it fails: say `+meta: {owner: …}`"),
    (models.has_a_tested_key, untested(STAGING, "unique"),
     "stg_bookshop__orders has no tested key: put `unique` and `not_null` on its key"),
    (models.describes_every_column, described(DIM, "email", "Mail"),
     "dim_customers.email has no description: write a sentence that ends with a full stop."),
    (models.describes_every_column, field(DIM, columns={}),
     "dim_customers describes no column: list them in the YAML of its folder."),
    (models.reads_no_layer_above_its_own, reads(STAGING, ORDERS),
     "stg_bookshop__orders in staging reads fct_orders in marts: have it read staging, or move it"),
    (models.staging_has_a_model_for_each_source_table, field(STAGING, name="stg_orders"),
     "The table orders has no staging model: write stg_bookshop__orders.sql."),
    (models.staging_has_a_model_for_each_source_table, reads(STAGING, "orders", "books"),
     "stg_bookshop__orders must read {{ source('bookshop', 'orders') }} and nothing else: move"),
    (models.staging_leaves_out_what_was_deleted, field(STAGING, raw_code="select 1"),
     "stg_bookshop__orders has rows that the shop deleted: end it with `where _deleted_at is nul"),
    (models.only_staging_reads_source_tables, reads(DIM, "customers"),
     "dim_customers reads raw.customers: have it read the staging model of it."),
    (models.file_is_sql, field(DIM, raw_code="{{ config(materialized='table') }}"),
     "dim_customers calls config(): say how it is built in the YAML of its folder."),
    (models.mart_enforces_its_contract, config(DIM, contract={"enforced": False}),
     "dim_customers may change its columns unseen: say `+contract: {enforced: true}` for"),
    (models.mart_shows_its_descriptions, config(DIM, persist_docs={}),
     "dim_customers shows readers no descriptions: say `+persist_docs: {relation: true, columns:"),
    (models.mart_writes_only_what_differs, config(DIM, materialized="table"),
     "dim_customers is a table, which takes another table's place and waits for whoever reads"),
    (models.mart_has_its_tested_key_as_primary_key, field(DIM, constraints=[]),
     "dim_customers has no tested primary key: say `constraints: [{type: primary_key, columns:"),
    (models.mart_puts_no_constraint_in_place_of_a_test,
     lambda m: node(m, DIM)["columns"]["email"].update(constraints=[{"type": "not_null"}]),
     "dim_customers.email has a constraint, whose error shows the whole row: write a data test"),
    (models.exposure_has_an_owner_and_reads_marts_alone, exposure(owner={}),
     "The exposure till has no owner: say `owner: {name: …}`."),
    (models.exposure_has_an_owner_and_reads_marts_alone,
     exposure(depends_on={"nodes": ["model.bookshop.stg_bookshop__orders"]}),
     "The exposure till reads stg_bookshop__orders, which readers do not see: have it read a"),
    (by_changes.is_materialized_so, config(ORDERS, materialized="table"),
     "fct_orders has `meta.build`: say `materialized: incremental_by_key` too."),
    (by_changes.names_everything_it_reads,
     reads(ORDERS, STAGING, "stg_bookshop__books"),
     "fct_orders reads raw.books: name it in its `depends_on_changes_of`."),
    (by_changes.names_everything_it_reads,
     build(
         ORDERS, depends_on_changes_of=[{"source": "orders", "column": "id"}, {"source": "books"}]
     ),
     "fct_orders does not read raw.books: take it out of its `depends_on_changes_of`."),
    (by_changes.follows_reported_columns,
     build(ORDERS, depends_on_changes_of=[{"source": "orders", "column": "book_id"}]),
     "fct_orders is touched by raw.orders.book_id, whose changes nobody reports: add it to the"
     " `change_key` of raw.orders."),
    (by_changes.is_led_to_its_key_by_columns_that_are_there,
     build(SALES, depends_on_changes_of=[{"model": ORDERS, "through_key": "book_id"}]),
     "fct_book_sales says `through_key: book_id` and nothing to go through: say `through`, or"),
    (by_changes.is_led_to_its_key_by_columns_that_are_there,
     build(SALES, key="isbn", depends_on_changes_of=[
         {"model": ORDERS, "column": "order_id", "through": ORDERS}
     ]),
     "fct_book_sales goes through fct_orders, which has no column isbn: say by `column` and"),
    (by_changes.is_led_to_its_key_by_columns_that_are_there,
     build(SALES, key="isbn", depends_on_changes_of=[
         {"model": ORDERS, "column": "id", "through": ORDERS, "through_key": "book_id"}
     ]),
     "fct_book_sales goes through fct_orders, which has no column id: say by `column` and"),
    (by_changes.reads_no_other_column_of_what_it_reads_by_key,
     field(SALES, raw_code="select order_date where {{ only_changed_keys('book_id') }}"),
     "fct_book_sales reads fct_orders.order_date and says `reads: key`: take that away, or add"),
    (by_changes.finds_its_rows_by_an_index, build(ORDERS, key="customer_id"),
     "fct_orders has no index on customer_id: say `indexes: [{columns: [customer_id]}]`."),
    (by_changes.has_its_unique_key_tested, config(ORDERS, unique_key="book_id"),
     "fct_orders is built by its `unique_key`, which no test calls unique and not null: write"),
    (by_changes.reads_only_what_changed, field(ORDERS, raw_code="select 1"),
     "fct_orders reads the whole history each time: say"
     " `where {{ only_changed_keys('order_id') }}` where"),
    (by_changes.snapshot_is_stamped_by_loads, config(HISTORY, schema="marts"),
     "customers_history is kept in the schema marts: say `+schema: snapshots`."),
    (by_changes.snapshot_is_stamped_by_loads, config(HISTORY, strategy="timestamp"),
     "customers_history has no time of a load: say `strategy: check` and `updated_at: loaded_at`."),
    (by_changes.snapshot_is_stamped_by_loads, config(HISTORY, hard_deletes="new_record"),
     "customers_history looks for deleted rows by itself: take `hard_deletes` away."),
    (by_changes.snapshot_is_stamped_by_loads, no_column(HISTORY, "load_id"),
     "customers_history has no column load_id: select it and describe it."),
    (by_changes.snapshot_is_stamped_by_loads, config(HISTORY, check_cols=["joined_on"]),
     "customers_history does not see that a row was deleted: add is_deleted to `check_cols`."),
    (by_changes.snapshot_is_stamped_by_loads,
     config(HISTORY, indexes=[{"columns": ["customer_id"]}]),
     "customers_history has no index on load_id: say `indexes: [{columns: [load_id]}]`."),
    (by_changes.snapshot_is_tested, untested(HISTORY, "same_as_source"),
     "customers_history can't be made again and is not tested: put `same_as_source` on it."),
    (data_tests.generic_test_reads_no_model_but_its_own,
     reads("stg_bookshop__orders__book_exists", STAGING, "stg_bookshop__books"),
     "The test stg_bookshop__orders__book_exists reads stg_bookshop__books too: have it compare"),
    (data_tests.named_test_says_what_must_hold,
     field("stg_bookshop__orders__book_exists", description=""),
     "The test stg_bookshop__orders__book_exists does not say what must hold: write a description"),
    (data_tests.named_test_says_what_must_hold,
     field("stg_bookshop__orders__book_exists", name="x" * 64),
     f"The test {'x' * 64} has a name of over 63 characters: shorten it."),
    (data_tests.singular_test_starts_with_why_it_is_there,
     field("assert_sales_add_up", name="sales_add_up"),
     "The test sales_add_up is in a file: have its name begin with assert_."),
    (data_tests.singular_test_starts_with_why_it_is_there,
     field("assert_sales_add_up", raw_code="select 1"),
     "The test assert_sales_add_up does not say why it is there: begin with a comment (`-- …`)."),
    (data_tests.unit_test_is_named_after_its_model,
     lambda m: m["unit_tests"]["one"].update(name="counts"),
     "The unit test counts is of fct_orders: name it fct_orders__<rule>."),
    (data_tests.unit_test_is_named_after_its_model,
     lambda m: m["unit_tests"]["one"].update(name=f"fct_orders__{'x' * 60}"),
     f"The unit test fct_orders__{'x' * 60} has a name of over 63 characters: shorten it."),
    (data_tests.key_of_another_table_has_its_parent_tested, untested(STAGING, "has_parent"),
     "stg_bookshop__orders has keys of books (raw.orders: book_id), and no test that they exist:"
     " put `has_parent` on the column, to source('bookshop', 'books')."),
    (personal.personal_column_is_marked_everywhere, meta(DIM, "email"),
     "dim_customers.email is personal elsewhere and not marked here: say `config: {meta: {pii:"),
    (personal.slack_shows_nobody, meta(DIM, "customer_id", slack_sample=True),
     "dim_customers.customer_id tells who it is: take its `slack_sample` away."),
    (personal.snapshot_keeps_nothing_personal,
     lambda m: node(m, HISTORY)["columns"].update(
         email={"description": "Mail.", "config": {"meta": {"pii": True}}}
     ),
     "customers_history keeps email of people for good: take it out, they are found by the key."),
]  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_sound_project_of_another_shop_passes(rule, parsed, manifest):
    assert [*rule(Project(parsed))] == []
    assert [*rule(Project(manifest))] == []


@pytest.mark.parametrize(
    ("rule", "break_it", "said"), BROKEN, ids=[rule.__name__ for rule, *_ in BROKEN]
)
def test_what_breaks_a_rule_is_named_with_the_remedy(rule, break_it, said, manifest):
    break_it(manifest)
    told = [*rule(Project(manifest))]
    assert any(line.startswith(said) for line in told), told


def test_every_rule_was_broken_once():
    assert {rule for rule, *_ in BROKEN} == {*RULES}
