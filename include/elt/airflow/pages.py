"""Pages in Airflow's UI: the report and what belongs to it, as they lie in their folder."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse

from elt.airflow.log_in import of_who_sees_plugins
from elt.airflow.views import VIEWS, View
from elt.reporting.folder import OF_PUBLICATION, VARIABLE, folder_of_reports
from elt.reporting.page import render_sentence
from elt.shop import SHOP

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
        dependencies=[of_who_sees_plugins()],
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
