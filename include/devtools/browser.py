"""Pictures of pages, for documents: taken by a real browser, Chromium or Chrome."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from elt.errors import EltError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
# tells how high the page is, which a browser without a window does not know before
MEASURE = """<script>
document.title = "height " + Math.ceil(document.documentElement.getBoundingClientRect().height)
</script>"""


class NoBrowserError(EltError):
    """There is no browser; the message says which would do."""


def take_picture(page: str, file: Path, width: int, height: int | None = None) -> None:
    """Write a PNG of a page.

    Args:
        page: its HTML.
        width: in pixels.
        height: in pixels; None: as high as the page, which may run a script then.

    Raises:
        NoBrowserError: if there is none on the PATH.
    """
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise NoBrowserError(f"No browser is on the PATH. One of these would do: {BROWSERS}.")
    with tempfile.TemporaryDirectory() as folder:
        shown = Path(folder, "page.html")
        shown.write_text(page if height else page + MEASURE)
        command = [
            browser,
            *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
            f"--user-data-dir={folder}/profile",
        ]
        if height is None:
            dom = _run(*command, f"--window-size={width},600", "--dump-dom", shown.as_uri())
            height = int(re.search(r"<title>height (\d+)", dom)[1])  # type: ignore[index]  # MEASURE wrote it
        _run(*command, f"--window-size={width},{height}", f"--screenshot={file}", shown.as_uri())


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
