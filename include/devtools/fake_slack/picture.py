"""Pictures of a channel, for documents: taken by a real browser, Chromium or Chrome."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from devtools.fake_slack.page import page
from elt.errors import EltError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
WIDTH = 800
# tells how high the page is, which a browser without a window does not know before
MEASURE = """<script>
document.title = "height " + Math.ceil(document.documentElement.getBoundingClientRect().height)
</script>"""


class NoBrowserError(EltError):
    """There is no browser; the message says which would do."""


def take(messages: Iterable[Mapping[str, Any]], file: Path, names: Mapping[str, str]) -> None:
    """Write a PNG of messages with their threads, as wide as 800 pixels and as high as need be.

    Args:
        names: of users and groups by their ids, for mentions.

    Raises:
        NoBrowserError: if there is none on the PATH.
    """
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise NoBrowserError(f"No browser is on the PATH. One of these would do: {BROWSERS}.")
    with tempfile.TemporaryDirectory() as folder:
        shown = Path(folder, "page.html")
        # a page that is loaded anew can't be measured
        shown.write_text(re.sub(r"<meta http-equiv[^>]*>", "", page(messages, names)) + MEASURE)
        command = [
            browser,
            *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
            f"--user-data-dir={folder}/profile",
        ]
        dom = _run(*command, f"--window-size={WIDTH},600", "--dump-dom", shown.as_uri())
        height = int(re.search(r"<title>height (\d+)", dom)[1])  # type: ignore[index]  # MEASURE wrote it
        _run(*command, f"--window-size={WIDTH},{height}", f"--screenshot={file}", shown.as_uri())


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
