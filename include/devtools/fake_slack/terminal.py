"""A channel's messages as plain text, as a terminal shows them. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from typing import Any

EMOJI = {
    "red_circle": "🔴",
    "large_orange_circle": "🟠",
    "large_yellow_circle": "🟡",
    "white_check_mark": "✅",
    "warning": "⚠️",
}
# bold, italic or struck out
MARKED = re.compile(r"(?<![\w*_~])([*_~])(?! )([^*_~\n]+?)(?<! )\1(?!\w)")


def text_of(message: Mapping[str, Any]) -> str:
    """Return all that a message shows, one line a line, without Slack's markup."""
    shown = [_block(block) for block in message["blocks"] or []]
    shown = shown or [plain(message["text"] or "")]
    for attachment in message["attachments"] or []:
        folded = "\n".join(map(_block, attachment["blocks"]))
        shown += [f"| {line}" for line in folded.splitlines()]
    return "\n".join(shown)


def channel_in_words(messages: Iterable[Mapping[str, Any]]) -> str:
    """Return messages with their threads, the newest last."""
    messages = list(messages)
    parts = []
    for top in messages:
        if top["thread_ts"]:
            continue
        edits = f" (changed {top['edits']} times)" if top["edits"] else ""
        parts.append(f"{top['channel'] or 'webhook'}{edits}\n{_indented(text_of(top))}")
        thread = [one for one in messages if one["thread_ts"] == top["ts"]]
        parts += [f"  ↳ in the thread\n{_indented(text_of(one), 4)}" for one in thread]
    return "\n".join(parts)


def plain(text: str) -> str:
    """Return Slack's markup as the words that people see."""
    text = re.sub(r"<(?:[^<>|]*\|)?([^<>]*)>", r"\1", text)
    text = re.sub(r":([a-z_]+):", lambda match: EMOJI.get(match[1], match[0]), text)
    # what stands between backticks is shown as it is
    parts = text.replace("```", "`").split("`")
    parts[::2] = [MARKED.sub(r"\2", part) for part in parts[::2]]
    return html.unescape("".join(parts))


def _block(block: Mapping[str, Any]) -> str:
    if block["type"] == "actions":
        return " ".join(f"[{part['text']['text']}]" for part in block["elements"])
    parts = [block["text"]] if "text" in block else []
    parts += block.get("fields") or block.get("elements") or []
    return "\n".join(plain(part["text"]) for part in parts)


def _indented(text: str, by: int = 2) -> str:
    return "\n".join(" " * by + line for line in text.splitlines())
