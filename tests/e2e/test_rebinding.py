"""DNS rebinding, at a real Airflow that asks for no log-in: only known names lead to it."""

from __future__ import annotations

from urllib.parse import urlsplit

import httpx
import pytest

from devtools.local import services
from devtools.local.services import ServicesError
from devtools.local.state_folder import Home, environment
from tests.support.installation import Installation

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
MODELS = ("stg_*", "dim_users", "int_user_orders")
ROLLBACK = "/api/v2/dags/rollback/dagRuns"
CONNECTIONS = "/api/v2/connections"
SLACK = {"connection_id": "greenery_slack", "conn_type": "slack", "password": "xoxb-evil"}
RUN = {"logical_date": None, "conf": {}}


@pytest.fixture
def browser(installation: Installation):
    with httpx.Client(base_url=installation.home.url, trust_env=False, timeout=60) as client:
        yield client


def ask(browser: httpx.Client, headers: dict[str, str]) -> list[int]:
    """Return with which status each part of Airflow answers, those that change something too."""
    post = [browser.post(ROLLBACK, json=RUN, headers=headers).status_code]
    post += [browser.post(CONNECTIONS, json=SLACK, headers=headers).status_code]
    pages = ("/", "/api/v2/dags", "/api/v2/monitor/health", "/auth/token", "/execution/health")
    gotten = [browser.get(path, headers=headers).status_code for path in (*pages, "/ui/config")]
    return post + gotten


def test_a_page_of_somebody_elses_reads_nothing_and_changes_nothing(browser, installation):
    port = urlsplit(installation.home.url).port
    runs, connections = browser.get(ROLLBACK).json(), browser.get(CONNECTIONS).json()
    assert (runs["total_entries"], connections["total_entries"]) == (0, 0)
    for host in ("evil.example", f"evil.example:{port}", "localhost", "localhost:1", ""):
        assert set(ask(browser, {"Host": host})) == {400}, host
    for origin in ("http://evil.example", "null", "http://localhost:1", f"ftp://localhost:{port}"):
        assert set(ask(browser, {"Origin": origin})) == {403}, origin
    assert browser.get(ROLLBACK).json() == runs
    assert browser.get(CONNECTIONS).json() == connections


def test_its_own_page_is_answered_by_each_name_of_loopback(browser, installation):
    port = urlsplit(installation.home.url).port
    for name in ("127.0.0.1", "localhost", "[::1]"):
        headers = {"Host": f"{name}:{port}", "Origin": f"http://{name}:{port}"}
        for path in ("/", "/api/v2/dags", "/ui/config", "/auth/token/login"):
            answer = browser.get(path, headers=headers)
            assert answer.status_code in (200, 201, 307), (path, answer.text)
        made = browser.post(CONNECTIONS, json=SLACK, headers=headers)
        assert made.status_code == 201
        assert browser.delete(f"{CONNECTIONS}/greenery_slack", headers=headers).is_success


def test_an_airflow_without_the_check_is_not_left_running(installation, tmp_path):
    """As when somebody else's plugins folder is set, or ours could not be read."""
    home = Home(root=installation.checkout, state=tmp_path / "state")
    environ = environment(home, installation.server, source="unused")
    # not the folder of the state: Airflow walks it, and stumbles over its own links to new logs
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = str(plugins)
    services.migrate_metadata(environ, home)
    with pytest.raises(ServicesError, match="Airflow answers to any name"):
        services.start(home, environ, source="unused")
    assert services.running(home) == {}
    home.remove()
