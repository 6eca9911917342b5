"""docs/your-own-shop.md, walked: from a copy of the checkout to another shop that is green."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from elt.shop import VARIABLE
from tests.support.bookshop import SHOP as BOOKSHOP
from tests.support.bookshop import SOURCES
from tests.support.installation import ROOT, copy_checkout, local_command, without_session

# two whole runs; a busy machine may take its time
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

PAGE = (ROOT / "docs/your-own-shop.md").read_text()


def block(section: str, language: str) -> str:
    """Return the first block of a language in a section of the page."""
    (text,) = re.findall(rf"^## \d\. {section}\n(.*?)(?=^## |\Z)", PAGE, re.S | re.M)
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.S | re.M)[0]


def test_the_contract_on_the_page_is_the_bookshops():
    assert block("A contract for each table", "yaml") in (BOOKSHOP / "dbt" / SOURCES).read_text()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A checkout in which somebody has done what the page says before the first run."""
    checkout = copy_checkout(tmp_path_factory.mktemp("another") / "checkout")
    subprocess.run(["sh", "-euc", block("A dbt project", "sh")], cwd=checkout, check=True)
    shutil.copytree(BOOKSHOP / "dbt", checkout / "dbt/bookshop", dirs_exist_ok=True)
    (checkout / "config/shop.yml").write_text(block("The shop's settings", "yaml"))
    # nothing that runs may need it
    shutil.rmtree(checkout / "dbt/greenery")
    with pytest.MonkeyPatch.context() as environment:
        # of whoever runs the product's tests beside a shop of their own
        environment.delenv(VARIABLE, raising=False)
        yield checkout
        local_command(checkout, "reset")


def test_the_house_rules_are_green_there(checkout):
    steps = block("Models", "sh").replace(".venv/bin/python", sys.executable)
    done = subprocess.run(
        ["sh", "-euc", steps],
        cwd=checkout,
        env={**without_session(), "PYTHONPATH": str(checkout / "include")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r" \d\d passed", done.stdout), done.stdout


class Shop:
    """Another team's shop, with its landing folder and what Slack shows."""

    def __init__(self, checkout: Path, landing: Path) -> None:
        self.checkout, self.landing = checkout, landing
        self.printed = ""

    def run(self) -> int:
        done = local_command(
            self.checkout, "run", "--source", str(self.landing), "--slack", "local"
        )
        self.printed = done.stdout + done.stderr
        assert "Greenery" not in self.printed
        return done.returncode

    def forget(self, person: str) -> str:
        done = local_command(self.checkout, "forget", person)
        assert done.returncode == 0, done.stderr
        assert "Greenery" not in done.stdout
        return done.stdout

    def messages(self) -> list[str]:
        """Return what Slack shows, less threads, as people see it."""
        known = json.loads((self.checkout / ".local/slack.json").read_text())
        address = f"http://127.0.0.1:{known['port']}/messages"
        told = httpx.get(address, trust_env=False).json()
        shown = [
            json.dumps([one["text"], one["blocks"], one["attachments"]], ensure_ascii=False)
            for one in told
        ]
        # the product's command is called so in every shop
        words = [text.lower().replace("`greenery ack ", "") for text in shown]
        assert not [text for text in words if "greenery" in text]
        return [text for text, one in zip(shown, told, strict=True) if not one["thread_ts"]]

    def ask(self, query: str) -> list[str]:
        done = local_command(self.checkout, "psql", "-Atc", query)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()


def test_another_shop_is_loaded_tested_published_and_heard_of(checkout, tmp_path):
    shop = Shop(checkout, shutil.copytree(BOOKSHOP / "landing", tmp_path / "landing"))
    demo = local_command(checkout, "run")
    assert demo.returncode == 1
    assert demo.stderr.startswith("There is no demo data for Bookshop. Say where its files are")

    assert shop.run() == 0, shop.printed
    assert "✓ build.stg_bookshop__orders" in shop.printed
    assert "Published 4 marts" in shop.printed
    assert shop.messages() == []
    sales = "select book_id, order_count from marts.fct_book_sales order by 1"
    assert shop.ask(sales) == ["7|1", "8|2", "11|1"]
    assert shop.ask("select customer_id from marts.dim_customers order by 1") == ["7", "8", "11"]

    # she is found by the keys of this shop
    said = shop.forget("7")
    assert "marts.dim_customers" in said
    assert "raw.payments" in said

    # the customers come again, she too, and an order of a book that nobody has
    customers = shop.landing / "customers.csv"
    customers.write_text(customers.read_text() + "\n")
    (shop.landing / "orders").mkdir()
    header = (shop.landing / "orders.csv").read_text().splitlines()[0]
    (shop.landing / "orders/2.csv").write_text(f"{header}\n13,8,99,2026-04-05,\n")
    assert shop.run() == 1, shop.printed
    assert "✗ build.stg_bookshop__orders" in shop.printed
    assert "Nothing was published" in shop.printed
    (message,) = shop.messages()
    assert "Bookshop run failed: 1 test failed" in message
    assert "book_id" in message
    assert "stg_bookshop__orders" in message
    assert "fct_book_sales" in message, "it was not built"
    assert "<!subteam^S0BACKOFFICE>" in message
    assert "/dags/bookshop_elt/runs/" in message
    # readers see what they saw, and she has not come back
    assert shop.ask("select order_id from marts.fct_orders order by 1") == ["12", "7"]
    assert shop.ask("select id from raw.customers order by 1") == ["8", "11"]
