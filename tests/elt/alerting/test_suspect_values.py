"""An error about a value names neither its column nor its row: they are looked for."""

from __future__ import annotations

import json
import time

import psycopg2
import pytest

from elt.alerting.record_results import record_dbt_results
from elt.alerting.suspect_values import suspicion
from tests.elt.alerting.conftest import task_context

VIEW, SOURCE, MART = "model.shop.stg_sales", "source.shop.raw.sales", "model.shop.fct_sales"
NODES = {
    SOURCE: {
        "name": "sales",
        "relation_name": '"staging"."raw_sales"',
        "columns": {"sale_id": {}, "units": {}},
        "meta": {"extract": {"primary_key": ["sale_id"], "person": "buyer_id"}},
    },
    VIEW: {
        "name": "stg_sales",
        "resource_type": "model",
        "relation_name": '"staging"."stg_sales"',
        "columns": {"sale_id": {}, "total": {}, "units": {}, "sold_at": {}},
        "config": {"unique_key": "sale_id"},
        "depends_on": {"nodes": [SOURCE]},
    },
    MART: {
        "name": "fct_sales",
        "resource_type": "model",
        "depends_on": {"nodes": [VIEW]},
    },
}


@pytest.fixture
def sales(warehouse):
    warehouse.run("drop view if exists staging.stg_sales; drop table if exists staging.raw_sales")
    warehouse.run(
        "create table staging.raw_sales as select 's' || i as sale_id, i::numeric as total,"
        " '3'::text as units, i::bigint as parts, timestamptz '2021-02-11 00:00:00+00' as sold_at"
        " from generate_series(1, 40) as i"
    )
    warehouse.run(
        "create view staging.stg_sales as select sale_id, total, units::integer as units, parts,"
        " sold_at from staging.raw_sales"
    )
    warehouse.run("grant select on staging.raw_sales, staging.stg_sales to transformer")
    return warehouse


def header(message):
    return f"Database Error in model fct_sales (models/fct_sales.sql)\n  {message}"


@pytest.mark.parametrize(
    ("change", "message", "statement", "said"),
    [
        (
            "sold_at = 'infinity'",
            "cannot convert infinity to bigint",
            "select cast(extract(epoch from sold_at) as bigint) from staging.stg_sales",
            "`stg_sales.sold_at` is infinite or not a number where sale_id is s7",
        ),
        (
            "total = 'NaN'",
            "cannot convert NaN to bigint",
            "select cast(total as bigint) from staging.stg_sales",
            "`stg_sales.total` is infinite or not a number where sale_id is s7",
        ),
        (
            "total = 12345678901",
            "numeric field overflow",
            "select cast(total as numeric(12, 2)) from staging.stg_sales",
            "`stg_sales.total` has more than 10 digits where sale_id is s7",
        ),
        (
            "parts = 3000000000",
            "integer out of range",
            "select cast(parts as integer) from staging.stg_sales",
            "`stg_sales.parts` is too large for integer where sale_id is s7",
        ),
        (
            "parts = 0",
            "division by zero",
            "select total / parts from staging.stg_sales",
            "`stg_sales.parts` is 0 where sale_id is s7",
        ),
        (
            # the view can't be read either: it is where the text becomes a number
            "units = 'Jane Doe'",
            "invalid input syntax for type integer: …",
            "select sum(units) from staging.stg_sales",
            "`sales.units` is no integer where sale_id is s7",
        ),
    ],
    ids=["infinity", "NaN", "numeric overflow", "out of range", "division", "text in a view"],
)
def test_an_error_about_a_value_names_column_and_row(
    sales, tmp_path, change, message, statement, said
):
    sales.run(f"update staging.raw_sales set {change} where sale_id = 's7'")
    with pytest.raises(psycopg2.Error) as caught:
        sales.run(statement)
    assert message.split(":")[0] in str(caught.value)
    target = tmp_path / "target"
    target.mkdir()
    (target / "manifest.json").write_text(json.dumps({"nodes": NODES}))
    broken = {"unique_id": MART, "status": "error", "failures": None}
    broken |= {"message": header(message), "compiled_code": statement}
    (target / "run_results.json").write_text(json.dumps({"results": [broken]}))
    with pytest.raises(Exception, match="could not be built") as failed:
        record_dbt_results(tmp_path, task_context("build.fct_sales"))
    assert f"Perhaps because {said}." in str(failed.value)
    assert message.split(":")[0] in str(failed.value)
    assert "Jane" not in str(failed.value)


def suspected(message, statement, nodes=NODES, seconds=5.0):
    return suspicion(MART, header(message), statement, nodes, seconds)


@pytest.mark.parametrize(
    ("message", "statement"),
    [
        ("division by zero", "select total / (total - total) from staging.stg_sales"),
        ("cannot convert infinity to bigint", "select total from staging.stg_sales"),
        ("numeric field overflow", "select total from staging.stg_sales"),
        ('column "x" does not exist', "select x from staging.stg_sales"),
        ("division by zero", None),
    ],
    ids=["it arises in the model", "no such value", "no limit known", "another error", "no SQL"],
)
def test_nothing_is_claimed_that_is_not_found(sales, message, statement):
    assert suspected(message, statement) is None


def test_a_row_of_a_person_is_named_by_the_name_of_its_key_alone(sales):
    sales.run("update staging.raw_sales set total = 'NaN' where sale_id = 's7'")
    person = {
        **NODES[SOURCE],
        "meta": {"extract": {"primary_key": ["sale_id"], "person": "sale_id"}},
    }
    said = suspected(
        "cannot convert NaN to integer",
        "select total::integer from staging.stg_sales",
        {**NODES, SOURCE: person},
    )
    assert said == (
        "Perhaps because `stg_sales.total` is infinite or not a number in a row whose key "
        "(sale_id) may not leave the warehouse."
    )


def test_an_input_that_takes_long_is_left(sales):
    sales.run(
        "create or replace view staging.stg_sales as select sale_id, total, units::integer as"
        " units, parts, sold_at from staging.raw_sales, lateral (select pg_sleep(1)) as s"
    )
    before = time.monotonic()
    assert suspected("cannot convert NaN to x", "select total from stg_sales", seconds=0.5) is None
    assert time.monotonic() - before < 8


def test_a_warehouse_that_hangs_is_left(silent_warehouse):
    assert suspected("division by zero", "select a / b", seconds=0.5) is None
