"""``make pictures``: the report of a demo shop that is always the same, for the README."""

from __future__ import annotations

import contextlib
import os
from datetime import date
from pathlib import Path

from devtools.browser import take_picture
from devtools.demo.generate import write_landing
from devtools.demo.settings import days_until, default_settings
from devtools.local import postgres
from devtools.local.processes import exit_when_told
from devtools.local.run import run
from devtools.local.state_folder import Home

LAST_DAY = date(2026, 11, 19)
WIDTH, HEIGHT = 1280, 1330


def pictures(home: Home, to: Path) -> bool:
    """Run a demo shop in an installation of its own, and take the picture of its report.

    Args:
        to: the folder of ``report.png``.

    Returns:
        Whether the run succeeded.

    Raises:
        NoBrowserError: if there is nothing to take pictures with.
    """
    exit_when_told()
    studio = Home(root=home.root, state=home.state / "pictures")
    os.environ["GREENERY_REPORT"] = str(studio.report)
    server = postgres.start(studio.state)
    try:
        settings = default_settings(LAST_DAY)
        landing = studio.state / "shop"
        with contextlib.closing(server.connect("analyst")) as connection:
            write_landing(connection, landing, settings, days_until(settings, LAST_DAY))
        if not run(studio, str(landing)):
            return False
        page = (studio.report / "index.html").read_text(encoding="utf-8")
        take_picture(page, to / "report.png", WIDTH, HEIGHT)
        print(f"Took {to / 'report.png'}.")
        return True
    finally:
        postgres.remove(studio.state)
        studio.remove()
