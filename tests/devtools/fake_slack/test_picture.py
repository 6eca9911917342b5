from __future__ import annotations

import shutil
import struct

import pytest

from devtools.browser import BROWSERS, NoBrowserError
from devtools.fake_slack import picture

MESSAGE = {
    "channel": "#data-alerts",
    "ts": "1.0",
    "thread_ts": None,
    "edits": 0,
    "text": "hello",
    "blocks": None,
    "attachments": None,
}


@pytest.mark.skipif(not any(map(shutil.which, BROWSERS)), reason="no browser here")
def test_a_picture_is_as_high_as_the_page(tmp_path):
    heights = []
    for count in (1, 10):
        file = tmp_path / f"{count}.png"
        picture.take([MESSAGE | {"ts": f"{n}.0"} for n in range(count)], file, {})
        # a PNG's head
        width, height = struct.unpack(">II", file.read_bytes()[16:24])
        assert width == picture.WIDTH
        heights.append(height)
    assert 50 < heights[0] < 200
    assert heights[1] > heights[0] + 9 * 30


def test_without_a_browser_it_says_which_would_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoBrowserError, match="chromium"):
        picture.take([MESSAGE], tmp_path / "shot.png", {})
