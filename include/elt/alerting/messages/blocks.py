"""Slack's blocks: made within its limits, and read by all others as text or simple HTML. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from elt.alerting.redact import shorten

HEADER_LIMIT = 150
SECTION_LIMIT = 3000
URL_LIMIT = 3000
# a longer one would leave no room for anything else
LINK_LIMIT = 1000
FALLBACK_LINES = 3
_URL = re.compile(r"https?://[^\s<>|]+")

Block = dict[str, Any]
Payload = Mapping[str, Any]
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


def escape(text: str) -> str:
    """Return text that Slack shows as it is: no mention, no link, no channel called."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def line(text: str, limit: int = 300) -> str:
    """Return anything as one line that Slack shows as it is, and that hides none of the next."""
    one = " ".join(text.split()).replace("```", "'''")
    return escape(shorten(one, limit))


def code(text: str, limit: int = 250) -> str:
    """Return a name or id as Slack shows code; a backtick in it would end that."""
    quoted = text.replace("`", "'")
    return f"`{line(quoted, limit)}`"


def preformatted(text: str) -> str:
    """Return text as a block of code. It must fit already."""
    quoted = text.replace("```", "'''")
    return f"```\n{escape(quoted)}\n```"


def is_url(url: str | None) -> bool:
    """Tell whether Slack takes a URL for a button."""
    return bool(url) and len(url or "") <= URL_LIMIT and bool(_URL.fullmatch(url or ""))


def link(url: str | None, text: str) -> str:
    """Return a link, or the text alone where there is nothing to link to."""
    return f"<{url}|{text}>" if is_url(url) and len(url or "") < LINK_LIMIT else text


def header(text: str) -> Block:
    """Return a block with a headline, cut to what Slack takes."""
    plain = {"type": "plain_text", "text": shorten(text, HEADER_LIMIT), "emoji": True}
    return {"type": "header", "text": plain}


def section(text: str) -> Block:
    """Return a block with a text in Slack's markup."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def context(text: str) -> Block:
    """Return a block with a text in small print."""
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text}]}


def buttons(urls: Mapping[str, str | None]) -> list[Block]:
    """Return a row of buttons, label → URL; what Slack would refuse is left out."""
    elements = [
        {"type": "button", "text": {"type": "plain_text", "text": label}, "url": url}
        for label, url in urls.items()
        if is_url(url)
    ]
    return [{"type": "actions", "elements": elements}] if elements else []


def fallback(headline: str, lines: Sequence[str]) -> str:
    """Return what phones and screen readers get: the headline, the first lines, how many more.

    The lines are escaped already.
    """
    rest = len(lines) - FALLBACK_LINES
    more = [f"and {rest:,} more"] if rest > 0 else []
    return "\n".join([escape(headline), *lines[:FALLBACK_LINES], *more])


def packed(lines: Iterable[str]) -> list[str]:
    """Return the lines in as few texts as Slack's limit for one allows."""
    texts: list[str] = []
    for one in lines:
        if texts and len(texts[-1]) + 1 + len(one) <= SECTION_LIMIT:
            texts[-1] += f"\n{one}"
        else:
            texts.append(one)
    return texts


def instant(at: datetime) -> str:
    """Return a moment (UTC) as people read it, to the minute."""
    return f"{at:%-d %b %Y %H:%M} UTC"


def title_of(payload: Payload) -> str:
    """Return the headline of a message, as the subject of a mail has it: one line."""
    for block in _blocks(payload):
        if block["type"] == "header":
            return _with_emoji(block["text"]["text"])
    return _as_text(payload["text"]).partition("\n")[0]


def links_of(payload: Payload) -> dict[str, str]:
    """Return what the buttons of a message lead to: label → URL."""
    return {
        button["text"]["text"]: button["url"]
        for block in _blocks(payload)
        if block["type"] == "actions"
        for button in block["elements"]
    }


def lines_of(payload: Payload) -> list[str]:
    """Return what a message says, line by line, without its links."""
    return [line for one in _markup(payload) for line in _as_text(one).splitlines()]


def text_of(payload: Payload) -> str:
    """Return all that a message says, as plain text."""
    leads = [f"{label}: {url}" for label, url in links_of(payload).items()]
    return "\n".join([*lines_of(payload), *leads])


def as_html(payload: Payload) -> str:
    """Return all that a message says, as HTML without any style."""
    said = "".join(
        f"<p>{_as_html(one)}</p>\n".replace("\n", "<br>\n", one.count("\n"))
        for one in _markup(payload)
    )
    leads = [_anchor(escape(url), escape(label)) for label, url in links_of(payload).items()]
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
