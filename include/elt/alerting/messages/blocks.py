"""Slack's blocks and their limits. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
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
