from __future__ import annotations

import pytest

from devtools.fake_slack.terminal import channel_in_words, plain


@pytest.mark.parametrize(
    ("marked", "shown"),
    [
        ("*bold* and `code`", "bold and code"),
        ("<https://x.example/a|Open> the log", "Open the log"),
        ("a &lt; b &amp; c", "a < b & c"),
        (":red_circle: failed, :unknown_one:", "🔴 failed, :unknown_one:"),
        ("stg_greenery__orders.user_id, 2 * 3 * 4", "stg_greenery__orders.user_id, 2 * 3 * 4"),
        ("~gone~ resolved", "gone resolved"),
    ],
)
def test_markup_becomes_words(marked, shown):
    assert plain(marked) == shown


def test_a_channel_is_shown_with_changes_and_threads():
    section = {"type": "section", "text": {"type": "mrkdwn", "text": "*2 tests* failed"}}
    button = {"type": "button", "text": {"type": "plain_text", "text": "Open the log"}}
    top = {
        "channel": "#data-alerts",
        "ts": "1.0",
        "thread_ts": None,
        "edits": 2,
        "text": "2 tests failed",
        "blocks": [section, {"type": "actions", "elements": [button]}],
        "attachments": [{"color": "#d40e0d", "blocks": [section]}],
    }
    reply = {**top, "ts": "2.0", "thread_ts": "1.0", "blocks": None, "attachments": None}
    assert channel_in_words([top, {**reply, "text": "```select 1```"}]) == (
        "#data-alerts (changed 2 times)\n"
        "  2 tests failed\n"
        "  [Open the log]\n"
        "  | 2 tests failed\n"
        "  ↳ in the thread\n"
        "    select 1"
    )
