"""Pictures of a channel, for documents."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from devtools.browser import take_picture
from devtools.fake_slack.page import page

WIDTH = 800


def take(messages: Iterable[Mapping[str, Any]], file: Path, names: Mapping[str, str]) -> None:
    """Write a PNG of messages with their threads, as wide as 800 pixels and as high as need be.

    Args:
        names: of users and groups by their ids, for mentions.

    Raises:
        NoBrowserError: if there is none on the PATH.
    """
    # a page that is loaded anew can't be measured
    take_picture(re.sub(r"<meta http-equiv[^>]*>", "", page(messages, names)), file, WIDTH)
