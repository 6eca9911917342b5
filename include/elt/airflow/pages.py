"""The report and what belongs to it in Airflow's UI: pages as they lie in their folder, and links.

Airflow's API server asks for both when somebody looks: tasks have no part in it. It lets anybody at
the pages of a plugin, so they take its own log-in. Airflow has no public name for that: all that is
taken from inside it is taken here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
from airflow.api_fastapi.core_api.security import requires_access_view
from airflow.sdk import BaseOperatorLink
from cosmos.operators.local import DbtBuildLocalOperator
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse

from elt.airflow.views import DOCS_VIEW, STATE_VIEW, VIEWS, View
from elt.reporting.folder import BUILDS, OF_PUBLICATION, VARIABLE, folder_of_reports
from elt.reporting.page import render_sentence
from elt.shop import SHOP
from elt.transform.project import PROJECT, project_name

# the pages carry all that they need
POLICY = (
    "default-src 'none'; script-src {}; style-src 'unsafe-inline'; img-src data:; font-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": POLICY.format("'unsafe-inline'"),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def pages() -> FastAPI:
    """Return an application of the pages, each for those alone who are logged in to Airflow."""
    app = FastAPI(
        title=SHOP.title,
        dependencies=[_of_who_sees_plugins()],
        # these routes would ask nobody who they are
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )

    @app.middleware("http")
    async def add_headers(
        request: Request, answer: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        response = await answer(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    for view in VIEWS:
        app.get(f"/{view.file}")(_newest(view))
    app.get("/{publication:int}/{file}")(of_publication)
    return app


def of_publication(publication: int, file: str) -> Response:
    """Answer with a file of a publication that is still kept: its report, or the CSV of a table."""
    content = _read(f"{publication}/{file}") if OF_PUBLICATION.fullmatch(file) else None
    if content is None:
        raise HTTPException(404, "It is not kept, or never was. The newest report has links.")
    if file.endswith(".csv"):
        as_file = {"Content-Disposition": f'attachment; filename="{file}"'}
        return Response(content, media_type="text/csv", headers=as_file)
    return HTMLResponse(content)


class DocsLink(BaseOperatorLink):
    """From the task of a model or snapshot to its page in dbt's documentation.

    There are columns, SQL, tests, and who depends on it.
    """

    name = "dbt docs"
    operators = [DbtBuildLocalOperator]  # noqa: RUF012, Airflow wants a list

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return an address that begins where Airflow's UI does."""
        node = ti_key.task_id.rpartition(".")[2]
        kind = "model" if any((PROJECT / "models").rglob(f"{node}.sql")) else "snapshot"
        return DOCS_VIEW.inside(f"!/{kind}/{kind}.{project_name()}.{node}")


class StateLink(BaseOperatorLink):
    """From such a task to how long its last build took, and what its tests found.

    The usual time stands beside it.
    """

    name = "Time and tests"
    operators = [DbtBuildLocalOperator]  # noqa: RUF012, Airflow wants a list

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return an address that begins where Airflow's UI does."""
        return STATE_VIEW.inside(f"{BUILDS}-{ti_key.task_id.rpartition('.')[2]}")


def _newest(view: View) -> Callable[[], Response]:
    def page() -> Response:
        content = _read(view.file)
        if content is None:
            return HTMLResponse(render_sentence(view.name, _why_nothing_is_here()))
        return HTMLResponse(
            content, headers={"Content-Security-Policy": POLICY.format(view.scripts)}
        )

    return page


def _why_nothing_is_here() -> str:
    if folder_of_reports() is None:
        return f"Nobody wants a report: {VARIABLE} names no folder."
    return "Nothing is here yet. It is written at the end of each run, by its task write_report."


def _read(file: str) -> bytes | None:
    """Return a file's content; None if there is none, or it leads out of the folder."""
    folder = folder_of_reports()
    if folder is None:
        return None
    try:
        path = (folder / file).resolve(strict=True)
        return path.read_bytes() if path.is_relative_to(folder.resolve()) else None
    except OSError:
        return None


def _of_who_sees_plugins() -> Any:
    """Return a dependency: who asks is logged in, and may see the plugins' part of Airflow's UI.

    It takes what the UI sends, a cookie, and what scripts send, a bearer token. Nobody gets 401,
    who may not see plugins 403.
    """
    return Depends(requires_access_view(AccessView.PLUGINS))
