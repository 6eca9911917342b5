"""How the fake Slack looks in a browser: channels with their messages, threads opened. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from elt.shop import SHOP

# drawn, since not every machine has a font for them: colour and sign
EMOJI = {
    "red_circle": ("#dd2e44", ""),
    "large_orange_circle": ("#f4900c", ""),
    "large_yellow_circle": ("#fdcb58", ""),
    "white_check_mark": ("#2eb67d", "✓"),
    "warning": ("#e8912d", "!"),
    "hourglass_flowing_sand": ("#8899a6", "…"),
}
STYLE = Path(__file__).with_name("page.css")


def page(
    messages: Iterable[dict[str, Any]],
    names: Mapping[str, str] | None = None,
    modes: Mapping[str, str] | None = None,
    mode: str = "",
) -> str:
    """Return the whole page; the newest message is last.

    Args:
        names: of users and groups by their ids, for mentions.
        modes: how this Slack may behave, in words, to be chosen from.
        mode: how it behaves now.
    """
    messages = list(messages)
    channels = list(dict.fromkeys(message["channel"] for message in messages))
    parts = []
    for channel in channels:
        tops = [m for m in messages if m["channel"] == channel and not m["thread_ts"]]
        parts.append(f"<h1>{html.escape(channel or 'the channel of the webhook')}</h1>")
        for top in tops:
            replies = [m for m in messages if m["thread_ts"] and m["thread_ts"] == top["ts"]]
            parts.append(_message(top, replies, names or {}))
    body = "".join(parts) or '<p class="none">No message yet.</p>'
    body += _controls(modes, mode) if modes else ""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Fake Slack</title>'
        f'<meta http-equiv="refresh" content="3"><style>{STYLE.read_text()}</style>{body}</html>'
    )


def _controls(modes: Mapping[str, str], mode: str) -> str:
    """Return the buttons by which this Slack is made to misbehave. Seconds serve all that wait."""
    buttons = "".join(
        f'<button name="mode" value="{name}" title="{html.escape(words)}" '
        f'class="{"now" if name == mode else ""}">{name.replace("_", " ")}</button>'
        for name, words in modes.items()
    )
    return (
        '<div class="controls"><form method="post" action="/behave">'
        f'This Slack: {buttons}<input type="hidden" name="seconds" value="3"></form>'
        '<form method="post" action="/forget"><button>forget all messages</button></form></div>'
    )


def _message(
    message: dict[str, Any], replies: list[dict[str, Any]], names: Mapping[str, str]
) -> str:
    at = datetime.fromtimestamp(float(message["ts"]), UTC)
    edited = '<span class="edited">(edited)</span>' if message["edits"] else ""
    if message["blocks"]:
        shown = "".join(_block(block, names) for block in message["blocks"])
    else:
        shown = f'<div class="section">{mrkdwn(message["text"], names)}</div>'
    for attachment in message["attachments"] or []:
        inner = "".join(_block(block, names) for block in attachment["blocks"])
        shown += f'<div class="attachment" style="border-color:{attachment["color"]}">{inner}</div>'
    for file in message.get("files") or []:
        title = html.escape(file["title"] or "")
        shown += f'<p>{title}</p><img class="file" src="/files/{file["id"]}" alt="{title}">'
    thread = "".join(_message(reply, [], names) for reply in replies)
    if thread:
        count = f"{len(replies)} {'reply' if len(replies) == 1 else 'replies'}"
        thread = f'<div class="thread"><span class="when">{count}</span>{thread}</div>'
    return (
        f'<div class="message"><div class="picture">{html.escape(SHOP.title[0])}</div><div>'
        f'<span class="who">{html.escape(SHOP.title)}</span><span class="app">APP</span>'
        f'<span class="when">{at:%H:%M}</span>{shown}{edited}{thread}</div></div>'
    )


def _block(block: dict[str, Any], names: Mapping[str, str]) -> str:
    match block["type"]:
        case "header":
            return f'<div class="header">{_emoji(html.escape(block["text"]["text"]))}</div>'
        case "section":
            parts = [block["text"]] if "text" in block else []
            parts += block.get("fields") or []
            inner = "\n".join(mrkdwn(part["text"], names) for part in parts)
            return f'<div class="section">{inner}</div>'
        case "context":
            inner = " ".join(mrkdwn(part["text"], names) for part in block["elements"])
            return f'<div class="context">{inner}</div>'
        case "actions":
            return "".join(
                f'<a class="button" href="{html.escape(part.get("url", "#"))}">'
                f"{html.escape(part['text']['text'])}</a>"
                for part in block["elements"]
            )
        case "divider":
            return "<hr>"
    return ""


def mrkdwn(text: str, names: Mapping[str, str]) -> str:
    """Return Slack's markup as HTML, the way its clients show it."""
    done = []
    for number, part in enumerate(re.split(r"```\n?(.*?)```", text, flags=re.S)):
        if number % 2:
            done.append(f"<pre>{_unescaped(part)}</pre>")
            continue
        # kept apart, so that bold text may have code in it
        codes = re.findall(r"`([^`\n]+)`", part)
        shown = _inline(re.sub(r"`[^`\n]+`", "\x00", part), names)
        for code in codes:
            shown = shown.replace("\x00", f"<code>{_unescaped(code)}</code>", 1)
        done.append(shown)
    return "".join(done)


def _inline(text: str, names: Mapping[str, str]) -> str:
    def called(match: re.Match[str]) -> str:
        target, _, label = match[1].partition("|")
        if target.startswith(("http://", "https://", "mailto:")):
            return f'<a href="{_unescaped(target)}">{_unescaped(label or target)}</a>'
        who = target.lstrip("@!#").removeprefix("subteam^")
        return f'<span class="mention">@{html.escape(names.get(who, who))}</span>'

    parts = re.split(r"(<[^>]*>)", text)
    shown = "".join(
        re.sub(r"<([^>]*)>", called, part) if number % 2 else _emoji(_unescaped(part))
        for number, part in enumerate(parts)
    )
    for mark, tag in (("*", "b"), ("_", "i"), ("~", "s")):
        quoted = re.escape(mark)
        shown = re.sub(
            rf"(?<![\w{quoted}]){quoted}(?! )([^{quoted}\n]+?)(?<! ){quoted}(?!\w)",
            rf"<{tag}>\1</{tag}>",
            shown,
        )
    return shown


def _unescaped(text: str) -> str:
    return html.escape(html.unescape(text))


def _emoji(text: str) -> str:
    def drawn(match: re.Match[str]) -> str:
        if match[1] not in EMOJI:
            return match[0]
        color, sign = EMOJI[match[1]]
        return f'<span class="emoji" title="{match[1]}" style="background:{color}">{sign}</span>'

    return re.sub(r":([a-z_]+):", drawn, text)
