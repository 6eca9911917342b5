"""The report in a real browser: Debian's chromium, with a profile of its own and no network."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from elt.reporting.folder import REPORT, STATE
from elt.reporting.write import write_report
from tests.elt.reporting.conftest import ReportedShop
from tests.support.warehouse import fresh_warehouse

CHROMIUM = shutil.which("chromium")
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run"),
]
WIDTHS = (320, 390, 768, 1280, 1800, 2560)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="apt-get install chromium: no browser here"),
]


@pytest.fixture(scope="module")
def shop(server, tmp_path_factory) -> Iterator[ReportedShop]:
    with fresh_warehouse(server) as warehouse:
        shop = ReportedShop(warehouse, tmp_path_factory.mktemp("shop"))
        shop.sell(
            "select date '2026-10-01' + n % 40, 'Book ' || n, n * 1.5 from generate_series(1, 90) n"
        )
        shop.sell(
            "values"
            " (date '2026-11-09', $$<img src=x onerror=alert(1)><script>alert(2)</script>$$, 1000),"
            f" ('2026-11-09', '{'endless' * 30}', 900), ('2026-11-09', null, null)"
        )
        warehouse.run(
            "insert into ops.node_result"
            " (run_id, task_id, try_number, unique_id, kind, status, failures, finished_at)"
            " select 'r' || n, 't', 1, 'test.shop.' || repeat('long_name_of_', 6) || '.1', 'test',"
            " case when n % 3 = 0 then 'fail' when n % 3 = 1 then 'warn' else 'pass' end, n,"
            " now() - n * interval '1 day' from generate_series(0, 13) as n"
        )
        write_report(shop.to, shop.shop, personal=frozenset())
        yield shop


@pytest.fixture(scope="module")
def chromium() -> Iterator[object]:
    playwright = pytest.importorskip("playwright.sync_api", reason="make test-slow installs it")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium, shop):
    """Open the report, or a page beside it; what it said, fetched and asked is tried at the end."""
    contexts, trouble, fetched, asked = [], [], [], set()

    def open_page(width: int = 1280, file: str = REPORT, **settings):
        context = chromium.new_context(viewport={"width": width, "height": 900}, **settings)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: trouble.append(message.text))
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("dialog", lambda dialog: trouble.append(dialog.message))
        page.on("request", lambda request: fetched.append(request.url))
        asked.add((shop.to / file).as_uri())
        page.goto((shop.to / file).as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert trouble == []
    assert set(fetched) == asked


@pytest.mark.parametrize("file", [REPORT, STATE])
@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_from_a_phone_to_a_wall_screen(opened, width, file):
    page = opened(width, file)
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("file", [REPORT, STATE])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_axe_finds_nothing(opened, scheme, width, file):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = opened(width, file, color_scheme=scheme)
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    found = axe.Axe().run(page).response["violations"]
    assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in found] == []


def test_dark_is_dark_and_its_charts_are_of_its_colours(opened):
    def look(scheme: str) -> tuple[str, str, str]:
        page = opened(color_scheme=scheme)
        return tuple(
            page.evaluate(f"getComputedStyle(document.querySelector('{where}')).{what}")
            for where, what in (
                ("body", "backgroundColor"),
                ("figure svg text", "fill"),
                (".spark circle", "fill"),
            )
        )

    light, dark = look("light"), look("dark")
    assert light[0] == "rgb(246, 245, 241)"
    assert dark[0] == "rgb(19, 23, 20)"
    assert all(one != other for one, other in zip(light, dark, strict=True))


def test_the_keyboard_opens_a_table_and_sorts_it_by_numbers(opened):
    page = opened()
    books = page.locator("#books")
    books.locator("summary", has_text="Table").focus()
    page.keyboard.press("Enter")
    amounts = books.locator("tbody td:nth-child(2)")
    head = books.locator("th", has_text="Sales")
    assert amounts.nth(0).inner_text() == "$1,000.00"
    head.locator("button").focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert [amounts.nth(n).inner_text() for n in range(3)] == ["$1.50", "$3.00", "$4.50"]
    # nothing is neither the least nor the most
    assert amounts.last.inner_text() == "\N{EN DASH}"
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert amounts.nth(0).inner_text() == "$1,000.00"
    assert amounts.last.inner_text() == "\N{EN DASH}"


def test_it_is_readable_without_a_script(opened):
    page = opened(java_script_enabled=False)
    assert page.locator("#days .say").inner_text() == "On 9 Nov 2026 $2,077.00."
    page.locator("#days summary", has_text="Table").click()
    assert page.locator("#days tbody tr").count() == 40
    assert page.locator("th button").count() == 0


def test_printed_it_has_answers_and_charts_and_no_navigation(opened):
    page = opened()
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    assert not page.locator("#books summary").first.is_visible()
    assert page.locator("#books figure").is_visible()
    assert page.locator("#books .say").is_visible()
    assert len(page.pdf()) > 10_000
