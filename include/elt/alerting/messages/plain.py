"""A message built for Slack as all others read it: plain text, simple HTML, its links. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from elt.alerting.messages.blocks import Block, escape

EMOJI = {
    ":red_circle:": "🔴",
    ":large_orange_circle:": "🟠",
    ":large_yellow_circle:": "🟡",
    ":white_check_mark:": "✅",
    ":warning:": "⚠️",
}
# Slack's markup; its &, < and > are HTML's
_MARKUP = re.compile(
    r"`(?P<code>[^`\n]+)`"
    r"|<(?P<url>https?://[^|>\s]+)(?:\|(?P<label>[^>]*))?>"
    r"|(?<![\w*])\*(?P<strong>[^*\n]+)\*(?![\w*])"
    r"|(?<!\w)_(?P<em>[^_\n]+)_(?!\w)"
    r"|~(?P<s>[^~\n]+)~"
)
Payload = Mapping[str, Any]


def title(payload: Payload) -> str:
    """Return the headline of a message, as the subject of a mail has it: one line."""
    for block in _blocks(payload):
        if block["type"] == "header":
            return _with_emoji(block["text"]["text"])
    return _as_text(payload["text"]).partition("\n")[0]


def links(payload: Payload) -> dict[str, str]:
    """Return what the buttons of a message lead to: label → URL."""
    return {
        button["text"]["text"]: button["url"]
        for block in _blocks(payload)
        if block["type"] == "actions"
        for button in block["elements"]
    }


def lines(payload: Payload) -> list[str]:
    """Return what a message says, line by line, without its links."""
    return [line for one in _markup(payload) for line in _as_text(one).splitlines()]


def text(payload: Payload) -> str:
    """Return all that a message says, as plain text."""
    leads = [f"{label}: {url}" for label, url in links(payload).items()]
    return "\n".join([*lines(payload), *leads])


def as_html(payload: Payload) -> str:
    """Return all that a message says, as HTML without any style."""
    said = "".join(
        f"<p>{_as_html(one)}</p>\n".replace("\n", "<br>\n", one.count("\n"))
        for one in _markup(payload)
    )
    leads = [_anchor(escape(url), escape(label)) for label, url in links(payload).items()]
    return said + (f"<p>{' · '.join(leads)}</p>\n" if leads else "")


def _blocks(payload: Payload) -> Iterator[Block]:
    yield from payload.get("blocks") or []
    for attachment in payload.get("attachments") or []:
        yield from attachment.get("blocks") or []


def _markup(payload: Payload) -> Iterator[str]:
    """Yield what the blocks of a message say, in Slack's markup; without blocks, its text."""
    if not payload.get("blocks"):
        yield payload["text"]
    for block in _blocks(payload):
        match block["type"]:
            case "header":
                yield escape(block["text"]["text"])
            case "section":
                yield block["text"]["text"]
            case "context":
                yield from (element["text"] for element in block["elements"])


def _with_emoji(said: str) -> str:
    for name, sign in EMOJI.items():
        said = said.replace(name, sign)
    return said


def _as_text(markup: str) -> str:
    def plain(found: re.Match[str]) -> str:
        if url := found["url"]:
            return f"{found['label']} ({url})" if found["label"] else url
        inner = found["code"] or found["strong"] or found["em"] or found["s"]
        return inner if found["code"] else _replaced(inner, plain)

    return html.unescape(_with_emoji(_replaced(markup, plain)))


def _as_html(markup: str) -> str:
    def tagged(found: re.Match[str]) -> str:
        if url := found["url"]:
            return _anchor(url, found["label"] or url)
        tag, inner = next((tag, inner) for tag, inner in found.groupdict().items() if inner)
        return f"<{tag}>{inner if tag == 'code' else _replaced(inner, tagged)}</{tag}>"

    return _with_emoji(_replaced(markup, tagged))


def _replaced(markup: str, replace: Callable[[re.Match[str]], str]) -> str:
    return _MARKUP.sub(replace, markup)


def _anchor(url: str, label: str) -> str:
    return f'<a href="{url.replace(chr(34), "%22")}">{label}</a>'
