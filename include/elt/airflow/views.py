"""What Airflow's navigation shows of ours: names, addresses, icons. The pages are in ``pages``."""

from __future__ import annotations

from dataclasses import dataclass

from elt.reporting.folder import DOCS, REPORT, STATE

# where Airflow has the pages, and where its UI has each of them in a frame
PREFIX = "/elt"
UI_PREFIX = "/plugin"


@dataclass(frozen=True)
class View:
    """A page in Airflow's navigation.

    ``route`` is its name in the address of the UI; ``icon`` the path of its drawing, 24 wide;
    ``scripts`` what a browser may run of it, as a Content-Security-Policy says it.
    """

    name: str
    file: str
    route: str
    icon: str
    # they name their own in the page, and both must allow it
    scripts: str = "'unsafe-inline'"

    @property
    def address(self) -> str:
        """Where people find it, after the address of Airflow."""
        return f"{UI_PREFIX}/{self.route}"

    def inside(self, fragment: str) -> str:
        """Return where the UI has a part of it, from where the UI begins."""
        return f"{self.address}{PREFIX}/{self.file}#{fragment}".lstrip("/")


BOOK = "M12 7v13M4 5h5a3 3 0 0 1 3 2 3 3 0 0 1 3-2h5v13h-5a3 3 0 0 0-3 2 3 3 0 0 0-3-2H4z"
REPORT_VIEW = View("Report", REPORT, "report", "M5 20v-9M12 20V4M19 20v-6")
STATE_VIEW = View("State of the data", STATE, "data-state", "M3 12h4l3-8 4 16 3-8h4")
DOCS_VIEW = View("dbt docs", DOCS, "dbt-docs", BOOK, "'unsafe-inline' 'unsafe-eval'")
VIEWS = (REPORT_VIEW, STATE_VIEW, DOCS_VIEW)
# of a colour that the light navigation shows, and the dark one, and either when it is chosen
ICON = (
    "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24' fill='none'"
    " stroke='%2326a269' stroke-width='2' stroke-linecap='round' stroke-linejoin='round'>"
    "<path d='{}'/></svg>"
)


def external_views() -> list[dict[str, str | bool]]:
    """Return the pages as Airflow wants them for its navigation; it shows them in a frame."""
    return [
        {
            "name": view.name,
            # Airflow is not always at the root of its host: no slash before it
            "href": f"{PREFIX.strip('/')}/{view.file}",
            "url_route": view.route,
            "icon": ICON.format(view.icon),
            "destination": "nav",
            "nav_top_level": True,
        }
        for view in VIEWS
    ]
