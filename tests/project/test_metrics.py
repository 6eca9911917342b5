"""Metrics by name: MetricFlow, the published series and the KPIs say the same, to the cent."""

from __future__ import annotations

import contextlib
import csv
import importlib.util
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from devtools.local.postgres import Server
from elt.cli.commands import greenery
from elt.metrics import definitions
from elt.metrics.ask import NONE, Answer, as_markdown, ask, understand
from elt.metrics.definitions import Definitions, MetricError
from elt.warehouse.connection import transaction
from tests.project.test_build import PROJECT, load, run_dbt
from tests.support.warehouse import Warehouse, fresh_warehouse

ROOT = Path(__file__).parents[2]
# what the series is split by, and what each metric is asked by
SERIES = {
    **{key: ["state"] for key in ("sessions", "conversion_rate", "session_length")},
    **{key: ["product"] for key in ("page_views", "add_to_carts")},
    **{
        key: ["state", "shipping_service", "promo"]
        for key in ("orders", "revenue", "average_order", "units")
    },
    **{key: ["state", "shipping_service", "promo"] for key in ("delivery_time", "on_time_rate")},
    "promo_share": ["state", "shipping_service"],
    "repeat_rate": ["state"],
}
for one in ("orders", "revenue", "units", "conversion_rate"):
    SERIES[one] = [*SERIES[one], "product"]
KPIS = {
    "repeat_rate": "repeat_rate",
    "conversion_rate": "conversion_rate",
    "sessions": "sessions",
    "session_length": "average_session_seconds",
    "orders": "orders",
    "revenue": "revenue_usd",
    "average_order": "average_order_usd",
    "delivery_time": "average_delivery_seconds",
    "on_time_rate": "on_time_rate",
    "promo_share": "promo_order_rate",
}


@dataclass
class Shop:
    """The real data, built and shown to readers, and its metrics."""

    warehouse: Warehouse
    definitions: Definitions
    manifest: dict

    def ask(self, metric: str, *by: str, first: str = "", last: str = "") -> Answer:
        question = understand(self.definitions, metric, by, first, last)
        return ask(self.definitions, question)


@contextlib.contextmanager
def built(server: Server, real_data: Path, target: Path, *options: str) -> Iterator[Shop]:
    """Build the real data and show it to readers."""
    with pytest.MonkeyPatch.context() as patch, fresh_warehouse(server) as warehouse:
        patch.setenv("GREENERY_DBT_TARGET", str(target / "definitions"))
        load(real_data, patch)
        kinds = ("--resource-type=model", "--resource-type=snapshot")
        results = run_dbt(warehouse, target, "build", *kinds, *options)
        assert {result["status"] for result in results.values()} == {"success"}
        for (mart,) in warehouse.run(
            "select tablename from pg_tables where schemaname = 'dev_me_marts_build'"
        ):
            warehouse.run(
                f"create view marts.{mart} as select * from dev_me_marts_build.{mart};"
                f" grant select on marts.{mart} to reader"
            )
        manifest = json.loads((target / "manifest.json").read_text())
        yield Shop(warehouse, definitions.read_definitions(PROJECT), manifest)


@pytest.fixture(scope="module")
def shop(server, real_data, tmp_path_factory) -> Iterator[Shop]:
    with built(server, real_data, tmp_path_factory.mktemp("metrics")) as shop:
        yield shop


@pytest.mark.slow
def test_days_are_those_of_the_business_wherever_that_is(server, real_data, tmp_path):
    zone = "America/New_York"
    variables = json.dumps({"business_timezone": zone})
    with built(server, real_data, tmp_path, "--vars", variables) as shop:
        ordered = dict(
            shop.warehouse.run(
                "select (created_at at time zone %s)::date, count(*) from raw.orders group by 1",
                [zone],
            )
        )
        assert len(ordered) > len(
            shop.warehouse.run(
                "select distinct (created_at at time zone 'UTC')::date from raw.orders"
            )
        )
        assert dict(shop.ask("orders", "day").rows) == ordered
        assert (
            dict(
                shop.warehouse.run(
                    "select metric_date, numerator::int from marts.fct_metric_daily"
                    " where metric = 'orders' and dimension = 'all'"
                )
            )
            == ordered
        )


def rounded(value: Decimal | int | None) -> Decimal:
    return Decimal(value or 0).quantize(Decimal("0.0001"))


@pytest.mark.parametrize("metric", SERIES)
def test_by_day_and_dimension_it_is_the_published_series(shop, metric):
    for dimension in ["all", *SERIES[metric]]:
        by = ["day"] if dimension == "all" else ["day", dimension]
        asked = {
            (row[0], "all" if dimension == "all" else row[1]): rounded(row[-1])
            for row in shop.ask(metric, *by).rows
        }
        series = shop.warehouse.run(
            "select metric_date, dimension_value, value from marts.fct_metric_daily"
            " where metric = %s and dimension = %s",
            (metric, dimension),
        )
        assert series
        published = {(day, value): rounded(number) for day, value, number in series}
        # a day and value of which there is nothing to tell has no row in the series
        assert {
            key: value for key, value in asked.items() if value or key in published
        } == published


@pytest.mark.parametrize("metric", KPIS)
def test_over_all_days_it_is_the_kpi(shop, metric):
    ((kpi,),) = shop.warehouse.run(
        "select value from marts.fct_kpis where metric = %s", (KPIS[metric],)
    )
    ((value,),) = shop.ask(metric).rows
    assert rounded(value) == kpi
    ((series,),) = shop.warehouse.run(
        "select coalesce(sum(numerator) / sum(denominator), sum(numerator))"
        " from marts.fct_metric_daily where metric = %s and dimension = 'all'",
        (metric,),
    )
    assert rounded(series) == kpi


def test_the_answers_that_are_known(shop):
    series = shop.warehouse.run(
        "select metric, sum(numerator), sum(denominator) from marts.fct_metric_daily"
        " where metric in ('repeat_rate', 'conversion_rate') and dimension = 'all'"
        " group by 1 order by 1"
    )
    assert series == [("conversion_rate", 361, 578), ("repeat_rate", 99, 124)]
    assert shop.ask("session_length").rows == [(Decimal("211.5035"),)]
    products = {name: rounded(rate) for name, rate in shop.ask("conversion_rate", "product").rows}
    known = shop.warehouse.run(
        "select product_id, conversion_rate from marts.fct_product_conversion"
    )
    assert len(products) == 30
    assert products == dict(known)


def test_weeks_and_days_from_and_to_hold_what_is_between_them(shop):
    days = dict(shop.ask("orders", "day").rows)
    first = min(days)
    assert shop.ask("orders", "month", last=first.isoformat()).rows == [
        (first.replace(day=1), days[first])
    ]
    assert shop.ask("orders", "metric_time__week").names == ("metric_time__week", "orders")
    assert shop.ask("orders", "day", first="2024-02-29", last="2024-02-29").rows == []


def test_a_dimension_may_be_null_long_or_a_formula(shop):
    odd = "=" + "x" * 198 + "\n"
    shop.warehouse.run(
        "update dev_me_marts_build.fct_orders set promo_id = %s"
        " where promo_id = (select min(promo_id) from dev_me_marts_build.fct_orders)",
        (odd,),
    )
    found = shop.ask("orders", "promo")
    assert {NONE, odd} <= {value for value, _ in found.rows}
    assert f"'{odd}" in {row[0] for row in csv.reader(io.StringIO(found.csv()))}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["conversion"], "There is no metric conversion. Did you mean conversion_rate"),
        (["orders", "--by", "stat"], "orders has no dimension stat. Did you mean state"),
        (["orders", "--by", "user"], "orders has no dimension user."),
        (["orders", "--from", "yesterday"], "--from yesterday is no day. Say it as 2021-02-10."),
        (["orders", "--from", "2021-02-29"], "--from 2021-02-29 is no day."),
        (
            ["orders", "--from", "2021-03-01", "--to", "2021-02-01"],
            "--from 2021-03-01 is after --to 2021-02-01.",
        ),
    ],
)
def test_what_is_not_known_is_one_sentence(shop, capsys, asked, said):
    assert greenery.run(["metric", *asked]) == 1
    told = capsys.readouterr()
    assert said in told.err
    assert told.out == ""
    assert len(told.err.splitlines()) == 1


def test_command_prints_a_table_a_csv_or_the_sql(shop, capsys):
    assert greenery.run(["metric", "repeat_rate"]) == 0
    told = capsys.readouterr()
    assert told.out.splitlines() == ["repeat_rate", "     0.7984"]
    assert told.err.startswith("Repeat rate: Buyers who ordered twice or more / buyers")
    assert greenery.run(["metric", "orders", "--by", "day,product", "--csv"]) == 0
    assert capsys.readouterr().out.startswith("day,product,orders\n2021-02-1")
    assert greenery.run(["metric", "orders", "--by", "day", "--explain"]) == 0
    assert '"marts"."fct_orders"' in capsys.readouterr().out
    assert greenery.run(["metric", "orders", "--from", "2030-01-01", "--by", "day"]) == 0
    assert "There is no row that it could be counted from." in capsys.readouterr().err
    assert greenery.run(["metric"]) == 0
    told = capsys.readouterr()
    assert told.err == "Any of them may be split by day, week, month, quarter, year.\n"
    assert told.out.startswith("metric ")
    (line,) = [line for line in told.out.splitlines() if line.startswith("repeat_rate ")]
    assert line.split("  ")[-1] == "country, order_status, promo, shipping_service, state"


def test_it_reads_what_readers_may_read_and_nothing_else(shop):
    tables = {
        one["node_relation"]["schema_name"] for one in shop.definitions._manifest["semantic_models"]
    }
    assert tables == {"marts"}
    with transaction("reader") as cursor, pytest.raises(Exception, match="permission denied"):
        cursor.execute("select from dev_me_marts_build.fct_orders")


def test_without_anything_published_it_says_so(shop, warehouse):
    with pytest.raises(MetricError, match="orders is not published yet: the next run does it"):
        shop.ask("orders")


def test_without_metricflow_it_says_how_to_install_it(shop, monkeypatch):
    monkeypatch.setitem(sys.modules, "metricflow.engine.metricflow_engine", None)
    bare = Definitions(json.loads(json.dumps(shop.definitions._manifest)))
    with pytest.raises(
        MetricError, match="MetricFlow, which answers metrics by name, is not installed"
    ):
        understand(bare, "orders", ["day"])


# what each Python process does at its start, and so those that the command starts
WATCH = """
import os, sys

def watch(event, given):
    if event.partition(".")[2] in ("connect", "getaddrinfo", "gethostbyname", "sendto", "sendmsg"):
        note(event, *given)
        raise OSError("there is no network here")

def note(*words):
    with open(os.environ["CALLS"], "a") as calls:
        print(*words, file=calls)

note("watched", *sys.orig_argv[1:])
sys.addaudithook(watch)
"""


def test_it_calls_nobody_but_the_warehouse(shop, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(WATCH)
    calls = tmp_path / "calls"
    environ = {
        **{name: value for name, value in os.environ.items() if name != "DO_NOT_TRACK"},
        **{"PYTHONPATH": str(tmp_path), "CALLS": str(calls)},
        # the project is to be parsed, too
        "GREENERY_DBT_TARGET": str(tmp_path / "target"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "elt.cli.commands", "metric", "repeat_rate"],
        env=environ,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "repeat_rate\n     0.7984\n"), done.stderr
    made = calls.read_text().splitlines()
    assert [line for line in made if not line.startswith("watched")] == []
    # libpq, which asks the warehouse, is no Python
    assert any("-m elt.cli.commands" in line for line in made)
    assert any("dbt.cli.main" in line and " parse " in line for line in made)
    # it looks for updates of its own
    assert importlib.util.find_spec("dbt_metricflow") is None


def test_no_dimension_is_personal(shop):
    personal = {
        name
        for node in shop.manifest["nodes"].values()
        for name, column in (node.get("columns") or {}).items()
        if column["config"]["meta"].get("pii")
    }
    assert personal
    columns = {
        (one.get("expr") or one["name"]): model["name"]
        for model in shop.definitions._manifest["semantic_models"]
        for one in [*model["dimensions"], *(e for e in model["entities"] if e["label"])]
    }
    assert columns
    assert personal & columns.keys() == set()
    assert not any(column in ("user_id", "session_id", "address_id") for column in columns)


def test_every_metric_is_in_the_page_as_defined(shop):
    assert as_markdown(shop.definitions) in (ROOT / "docs" / "metrics.md").read_text()


def test_day_is_a_day_whatever_the_values_type(shop):
    assert all(type(day) is date for day, _ in shop.ask("revenue", "day").rows)
