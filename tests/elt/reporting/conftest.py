"""A shop that is none of ours: its marts, and what its report asks."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from elt.shop import Shop
from tests.support.warehouse import Warehouse

QUESTIONS = {
    "kpis": {
        "sql": "kpis.sql",
        "cards": [{"metric": "sales", "label": "Sales", "unit": "usd"}],
    },
    "labels": {"title": "Book"},
    "questions": [
        {
            "name": "days",
            "heading": "How do the days go?",
            "sentence": "On {{ last.sold_on | day }} {{ last.sales_usd | usd }}.",
            "sql": "days.sql",
            "chart": {"kind": "lines", "x": "sold_on", "y": ["sales_usd"]},
        },
        {
            "name": "books",
            "heading": "Which books sell?",
            "sentence": "Best of all <strong>{{ first.title }}</strong>, "
            "{{ first.sales_usd | usd }}.",
            "sql": "books.sql",
            "chart": {"kind": "bars", "x": "title", "y": "sales_usd"},
        },
    ],
}
QUERIES = {
    "kpis": "select sold_on as date_day, 'sales' as metric, sum(sales_usd) as value"
    " from marts.fct_sales group by 1",
    "days": "select sold_on, sum(sales_usd) as sales_usd from marts.fct_sales"
    " group by 1 order by 1",
    "books": "select title, sum(sales_usd) as sales_usd from marts.fct_sales"
    " group by 1 order by 2 desc nulls last, 1",
}


class ReportedShop:
    """A bookshop with one mart, `fct_sales`, and the folder of its questions."""

    def __init__(self, warehouse: Warehouse, folder: Path) -> None:
        self.warehouse = warehouse
        self.questions = folder / "questions"
        self.questions.mkdir()
        self.ask(QUESTIONS)
        for name, query in QUERIES.items():
            (self.questions / f"{name}.sql").write_text(f"{query};\n")
        self.to = folder / "report"
        self.shop = Shop("Bookshop", "books", folder, folder, None, self.questions)
        warehouse.run(
            "set role publisher;"
            "create table marts.fct_sales (sold_on date, title text, sales_usd numeric);"
            "insert into marts.data_status values"
            " ('fct_sales', now(), now(), 'run 1', 'published', now())"
        )
        self.publish()

    def ask(self, questions: dict) -> None:
        (self.questions / "questions.yml").write_text(yaml.safe_dump(questions))

    def sell(self, rows: str) -> None:
        """Sell what a query returns: day, title and amount."""
        self.warehouse.run(f"set role publisher; insert into marts.fct_sales {rows}")

    def publish(self) -> None:
        self.warehouse.run(
            "set role publisher; insert into ops.publication"
            " (run_id, published_at, rows_inserted, rows_updated, rows_deleted, tables)"
            " values ('a run', now(), 0, 0, 0, '{}')"
        )


@pytest.fixture
def shop(warehouse, tmp_path) -> ReportedShop:
    return ReportedShop(warehouse, tmp_path)
