"""The pages in Airflow's UI: whom they answer, with what, and that nothing else is reached."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow.api_fastapi.app import create_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.models.revoked_token import RevokedToken
from airflow.settings import engine
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from elt.airflow import pages
from elt.airflow.views import PREFIX, VIEWS
from elt.reporting.folder import VARIABLE

PLUGINS = Path(__file__).parents[3] / "config/plugins"
# what stands for a parameter of a route
EXAMPLES = {"publication:int": "2", "file": "days.csv"}


@pytest.fixture(scope="module", autouse=True)
def auth_manager() -> Iterator[object]:
    """Airflow's own, which looks into its database whether somebody has logged out."""
    RevokedToken.metadata.create_all(engine, tables=[RevokedToken.__table__])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", "signs what a test logs in with" * 3)
        manager = create_auth_manager()
        manager.init()
        yield manager
    RevokedToken.metadata.drop_all(engine, tables=[RevokedToken.__table__])


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """What `write_report` leaves, and a secret beside it."""
    folder = tmp_path / "report"
    (folder / "2").mkdir(parents=True)
    for file in ("index.html", "state.html", "2/index.html"):
        (folder / file).write_text(f"<p>{file}</p>")
    (folder / "2/days.csv").write_text("day\n")
    (folder / "2/.index.html-7").write_text("secret")
    (tmp_path / "secret.csv").write_text("secret")
    (folder / "secret.csv").write_text("secret")
    (folder / "2/link.csv").symlink_to(tmp_path / "secret.csv")
    (folder / "3").symlink_to(tmp_path)
    monkeypatch.setenv(VARIABLE, str(folder))
    return folder


@pytest.fixture
def nobody() -> TestClient:
    """Somebody who is not logged in, at an Airflow that has the pages where the plugin has them."""
    root = FastAPI()
    root.mount(PREFIX, pages.pages())
    return TestClient(root)


@pytest.fixture
def viewer(nobody, auth_manager) -> TestClient:
    """The least that somebody who is logged in may be, as the UI sends it."""
    nobody.cookies["_token"] = token(auth_manager)
    return nobody


def token(auth_manager) -> str:
    return auth_manager.generate_jwt(SimpleAuthManagerUser(username="ada", role="VIEWER"))


def routes() -> list[str]:
    """Return the address of each route there is."""
    found = pages.pages().routes
    assert len(found) > len(VIEWS)
    # a mounted folder or a page of FastAPI's own would ask nobody who they are
    assert [route for route in found if not isinstance(route, APIRoute)] == []
    return [
        PREFIX + re.sub(r"{([^}]+)}", lambda name: EXAMPLES[name[1]], route.path) for route in found
    ]


def test_no_route_answers_whom_airflow_does_not_know(folder, nobody):
    for path in routes():
        for headers in ({}, {"Authorization": "Bearer x"}, {"Cookie": "_token=x"}):
            answer = nobody.get(path, headers=headers)
            assert answer.status_code == (403 if headers else 401), path
            assert set(answer.json()) == {"detail"}


def test_each_route_answers_who_is_logged_in(folder, nobody, auth_manager):
    as_script = {"Authorization": f"Bearer {token(auth_manager)}"}
    for path in routes():
        assert nobody.get(path, headers=as_script).status_code == 200, path
        nobody.cookies["_token"] = token(auth_manager)
        assert nobody.get(path).status_code == 200, path
        nobody.cookies.clear()


def test_a_log_in_that_has_ended_is_none(folder, viewer, auth_manager):
    auth_manager.revoke_token(viewer.cookies["_token"])
    assert viewer.get(routes()[0]).status_code == 403


def test_who_may_not_see_plugins_may_not_see_them(folder, viewer, auth_manager, monkeypatch):
    monkeypatch.setattr(auth_manager, "is_authorized_view", lambda **_: False)
    assert [viewer.get(path).status_code for path in routes()] == [403] * len(routes())


def test_every_answer_keeps_others_out_of_the_page_and_the_page_out_of_caches(folder, viewer):
    for path in [*routes(), f"{PREFIX}/none"]:
        for client in (viewer, TestClient(viewer.app)):
            headers = client.get(path).headers
            assert headers.items() >= {k.lower(): v for k, v in pages.HEADERS.items()}.items()
            assert "frame-ancestors 'self'" in headers["Content-Security-Policy"]


def test_a_publication_has_its_page_and_its_files_are_kept_as_files(folder, viewer):
    page = viewer.get(f"{PREFIX}/2/index.html")
    assert (page.text, page.headers["content-type"]) == (
        "<p>2/index.html</p>",
        "text/html; charset=utf-8",
    )
    table = viewer.get(f"{PREFIX}/2/days.csv")
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    assert table.headers["content-disposition"] == 'attachment; filename="days.csv"'
    assert viewer.get(f"{PREFIX}/9/index.html").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        *("2/%2e%2e%2f%2e%2e%2fsecret.csv", "2/%2e%2e/secret.csv", "%2e%2e/secret.csv"),
        *("2/%2e%2e%5csecret.csv", "2/%2fetc%2fpasswd", "%2fetc%2fpasswd", "2%2f..%2fsecret.csv"),
        *("2/.index.html-7", "2/index.html%00.csv", "2/days.csv%0a", "2/link.csv", "3/secret.csv"),
        *("secret.csv", "2/", "2", "", "-1/secret.csv", "٢/days.csv", "2/state.html", "docs"),
        *("openapi.json", "redoc", "2/%252e%252e%252fsecret.csv"),
    ],
)
def test_nothing_else_is_reached_by_any_path(folder, viewer, path):
    answer = viewer.get(f"{PREFIX}/{path}")
    assert answer.status_code == 404, answer.text
    assert "secret" not in answer.text


@pytest.mark.parametrize("named", [None, "", "empty"])
def test_before_the_first_run_a_page_is_one_sentence(viewer, tmp_path, monkeypatch, named):
    monkeypatch.delenv(VARIABLE, raising=False)
    if named is not None:
        monkeypatch.setenv(VARIABLE, named and str(tmp_path / named))
    said = "at the end of each run" if named else "GREENERY_REPORT names no folder"
    for view in VIEWS:
        answer = viewer.get(f"{PREFIX}/{view.file}")
        assert answer.status_code == 200
        assert f"<h1>{view.name}</h1>" in answer.text
        assert answer.text.count("<p>") == 1
        assert said in answer.text


def test_what_airflow_reads_of_the_plugin_leads_to_the_pages():
    """As its API server does. Tasks read the plugin too, and wait for none of it."""
    show = """if True:
        import json, sys
        from airflow import plugins_manager
        plugins_manager.ensure_plugins_loaded()
        early = "elt.airflow.pages" in sys.modules
        apps = [app["url_prefix"] for app in plugins_manager.get_fastapi_plugins()[0]]
        told = plugins_manager.get_plugin_info(["external_views"])
        views = [view for plugin in told for view in plugin["external_views"]]
        links = [link.name for link in plugins_manager.get_operator_extra_links()]
        print(json.dumps([early, apps, views, links]))
    """
    environment = {**os.environ, "AIRFLOW__CORE__PLUGINS_FOLDER": str(PLUGINS)}
    done = subprocess.run(
        [sys.executable, "-c", show], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    is_early, apps, views, links = json.loads(done.stdout.splitlines()[-1])
    assert not is_early
    assert PREFIX in apps
    assert {"dbt docs", "Time and tests"} <= {*links}
    known = routes()
    assert [f"/{view['href']}" in known for view in views] == [True] * len(VIEWS)
    assert {view["url_route"] for view in views} == {view.route for view in VIEWS}
