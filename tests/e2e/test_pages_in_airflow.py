"""The pages in a real Airflow that asks for a log-in, opened by a real browser."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from devtools.local import postgres, processes, services
from devtools.local.state_folder import Home, environment
from elt.airflow.dbt_tasks import open_profile
from elt.airflow.views import PREFIX, VIEWS
from elt.reporting.folder import VARIABLE
from elt.reporting.write import write_docs, write_report
from tests.elt.reporting.conftest import ReportedShop
from tests.support.installation import ROOT
from tests.support.waiting import wait_until
from tests.support.warehouse import fresh_warehouse, make_template

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="apt-get install chromium: no browser here"),
]


@pytest.fixture(scope="module")
def airflow(tmp_path_factory) -> Iterator[str]:
    """The address of an API server that knows a viewer, with two publications to show."""
    home = Home(root=ROOT, state=tmp_path_factory.mktemp("pages"))
    server = postgres.start(home.state)
    started = []
    try:
        make_template(server)
        with fresh_warehouse(server) as warehouse:
            folder = home.state / "shop"
            folder.mkdir()
            shop = ReportedShop(warehouse, folder)
            shop.sell("values (date '2026-11-20', 'Emma', 5)")
            write_report(shop.to, shop.shop, personal=frozenset())
            shop.publish()
            write_report(shop.to, shop.shop, personal=frozenset())
            # the real project: its page is the largest there is
            assert write_docs(shop.to, open_profile)
        environ = {**environment(home, server, source="unused"), VARIABLE: str(shop.to)}
        passwords = home.state / "passwords.json"
        passwords.write_text(json.dumps({"ada": "a secret"}))
        environ |= {
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "ada:viewer",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        }
        services.migrate_metadata(environ, home)
        command = [sys.executable, "-m", "airflow", "api-server"]
        log = home.logs / "api-server.log"
        started = [processes.spawn(command, home.root, log, environ)]
        health = f"{home.url}/api/v2/monitor/health"

        def answers() -> bool:
            assert processes.alive(started[0]), processes.last_lines(log)
            try:
                return httpx.get(health, trust_env=False).is_success
            except httpx.TransportError:
                return False

        wait_until(answers, "the API server", seconds=120)
        yield home.url
    finally:
        processes.end(started)
        postgres.remove(home.state)


@pytest.fixture(scope="module")
def chromium() -> Iterator[object]:
    playwright = pytest.importorskip("playwright.sync_api", reason="make test-slow installs it")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.fixture
def tab(airflow, chromium):
    """A tab of somebody who has logged in; what it said and fetched is right at its end."""
    trouble, fetched = [], []
    context = chromium.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    page.goto(f"{airflow}/auth/login")
    page.fill("input[name=username]", "ada")
    page.fill("input[name=password]", "a secret")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{airflow}/")
    page.on("console", lambda said: said.type == "error" and trouble.append(said.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("request", lambda request: fetched.append(request.url))
    yield page
    context.close()
    assert trouble == []
    assert fetched
    assert [url for url in fetched if not url.startswith((airflow, "data:", "blob:"))] == []


def test_the_navigation_leads_to_each_page(airflow, tab):
    says = {
        "Report": "Best of all Emma, $5.00.",
        "State of the data": "Nothing fails.",
        "dbt docs": "What Greenery's data means",
    }
    assert says.keys() == {view.name for view in VIEWS}
    for name, said in says.items():
        tab.get_by_role("link", name=name).click()
        tab.frame_locator("iframe").get_by_text(said).wait_for()
    # by the address that `make up` prints, too
    for view in VIEWS:
        tab.goto(airflow + view.address)
        tab.frame_locator("iframe").get_by_text(says[view.name]).wait_for()


def test_the_report_says_its_publication_and_leads_to_the_one_before(airflow, tab):
    tab.goto(f"{airflow}/plugin/report")
    report = tab.frame_locator("iframe")
    assert "publication 2" in report.locator(".asof").inner_text()
    with tab.expect_download() as download:
        report.locator("#books").get_by_text("CSV").click()
    assert download.value.suggested_filename == "books.csv"
    report.get_by_role("link", name="Publication 1").click()
    report.get_by_text("publication 1 (").wait_for()
    report.get_by_role("link", name="the newest report").click()
    report.get_by_role("link", name="Publication 1").wait_for()


def test_the_pages_are_light_or_dark_as_airflow_is(airflow, tab):
    tab.goto(f"{airflow}/plugin/data-state")
    body = tab.frame_locator("iframe").locator("body")
    looks = {}
    for theme in ("light", "dark"):
        # as its UI keeps it
        tab.evaluate("theme => localStorage.setItem('theme', theme)", theme)
        tab.reload()
        body.wait_for()
        looks[theme] = body.evaluate("body => getComputedStyle(body).backgroundColor")
    assert looks == {"light": "rgb(246, 245, 241)", "dark": "rgb(19, 23, 20)"}


def test_the_docs_of_a_mart_lead_to_who_uses_it(airflow, tab):
    tab.goto(f"{airflow}/plugin/dbt-docs/elt/docs.html#!/model/model.greenery.fct_kpis")
    docs = tab.frame_locator("iframe")
    docs.get_by_role("heading", name="fct_kpis").wait_for()
    docs.get_by_text("Exposures", exact=True).last.click()
    docs.get_by_role("link", name=re.compile("weekly.shop.report", re.I)).last.wait_for()


def test_without_a_log_in_nothing_is_shown(airflow, chromium):
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{airflow}/plugin/report")
    page.wait_for_url(f"{airflow}/auth/login*")
    context.close()
    with httpx.Client(base_url=airflow, trust_env=False) as nobody:
        for view in VIEWS:
            assert nobody.get(f"{PREFIX}/{view.file}").status_code == 401


def test_no_path_as_it_is_sent_leads_out_of_the_folder(airflow):
    """A browser or a client would tidy it first."""
    who = {"username": "ada", "password": "a secret"}
    token = httpx.post(f"{airflow}/auth/token", json=who, trust_env=False).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    for path in ("../postgres.json", "2/../../postgres.json", "2/..%2f..%2fpostgres.json"):
        connection = http.client.HTTPConnection(urlsplit(airflow).netloc)
        connection.request("GET", f"{PREFIX}/{path}", headers=headers)
        answer = connection.getresponse()
        assert (answer.status, b"password" in answer.read()) == (404, False), path
        connection.close()
