"""What Slack accepts as a message: its documented limits, checked strictly. Pure.

Only the kinds of blocks that we send are known; another one is refused, so that whoever sends it
adds its rules here first.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

BLOCKS_LIMIT = 50
HEADER_LIMIT = 150
SECTION_LIMIT = 3000
FIELDS_LIMIT = 10
FIELD_LIMIT = 2000
BUTTON_LIMIT = 75
URL_LIMIT = 3000
ELEMENTS_LIMIT = 25
TEXT_LIMIT = 40_000
# what Slack would turn into a mention, a channel's call or a link
CALLS = re.compile(r"<[@!#][^>]*>|<(?!https?://|mailto:)")


def problem(body: Any) -> str | None:
    """Return Slack's error code for a message, or None if it takes it."""
    if not isinstance(body, dict):
        return "invalid_payload"
    text, blocks = body.get("text"), body.get("blocks")
    if not isinstance(text, str) or not text.strip():
        # Slack takes blocks without it; but then phones and screen readers get nothing
        return "no_text"
    if len(text) > TEXT_LIMIT:
        return "msg_too_long"
    attachments = body.get("attachments") or []
    if not isinstance(attachments, list) or not all(_attachment(one) for one in attachments):
        return "invalid_attachments"
    everything = [*(blocks or []), *(block for one in attachments for block in one["blocks"])]
    if len(everything) > BLOCKS_LIMIT or not (blocks is None or isinstance(blocks, list)):
        return "invalid_blocks"
    if (metadata := body.get("metadata")) and not _metadata(metadata):
        return "invalid_metadata_schema"
    return None if all(_block(block) for block in everything) else "invalid_blocks"


def _attachment(attachment: Any) -> bool:
    """Only what we send: a colour and blocks."""
    return (
        isinstance(attachment, dict)
        and set(attachment) == {"color", "blocks"}
        and re.fullmatch(r"#[0-9a-f]{6}", attachment["color"]) is not None
        and isinstance(attachment["blocks"], list)
        and len(attachment["blocks"]) > 0
    )


def _metadata(metadata: Any) -> bool:
    return (
        isinstance(metadata, dict)
        and set(metadata) == {"event_type", "event_payload"}
        and re.fullmatch(r"[a-z0-9_]+", metadata["event_type"]) is not None
        and isinstance(metadata["event_payload"], dict)
    )


def calls_somebody(body: dict[str, Any], but_for: Collection[str] = ()) -> bool:
    """Tell whether a message would ping people: `<!channel>`, `<@U…>`; or holds a bare `<`.

    Args:
        but_for: ids of groups that may be called, such as those of owners.
    """
    texts = [body["text"], *_texts(body.get("blocks") or [])]
    texts += _texts(body.get("attachments") or [])
    for group in but_for:
        texts = [text.replace(f"<!subteam^{group}>", "") for text in texts]
    return any(CALLS.search(text) for text in texts)


def _texts(value: Any) -> list[str]:
    if isinstance(value, list):
        return [text for part in value for text in _texts(part)]
    if not isinstance(value, dict):
        return []
    if value.get("type") == "mrkdwn":
        return [value["text"]]
    return [text for part in value.values() for text in _texts(part)]


def _block(block: Any) -> bool:
    if not isinstance(block, dict):
        return False
    keys = set(block) - {"type", "block_id"}
    match block.get("type"):
        case "header":
            return keys == {"text"} and _text(block["text"], HEADER_LIMIT, "plain_text")
        case "section":
            fields = block.get("fields", [])
            return (
                bool(keys)
                and keys <= {"text", "fields", "expand"}
                and ("text" not in block or _text(block["text"], SECTION_LIMIT))
                and isinstance(fields, list)
                and ("fields" not in block or 1 <= len(fields) <= FIELDS_LIMIT)
                and all(_text(field, FIELD_LIMIT) for field in fields)
            )
        case "context":
            parts = block.get("elements")
            return _elements(parts, 10) and all(_text(part, SECTION_LIMIT) for part in parts)
        case "actions":
            parts = block.get("elements")
            return _elements(parts, ELEMENTS_LIMIT) and all(_button(part) for part in parts)
        case "divider":
            return not keys
    return False


def _elements(elements: Any, most: int) -> bool:
    return isinstance(elements, list) and 1 <= len(elements) <= most


def _text(text: Any, limit: int, *kinds: str) -> bool:
    return (
        isinstance(text, dict)
        and text.get("type") in (kinds or ("plain_text", "mrkdwn"))
        and set(text) <= {"type", "text", "emoji", "verbatim"}
        and isinstance(text.get("text"), str)
        and 1 <= len(text["text"]) <= limit
        and not (text["type"] == "mrkdwn" and "emoji" in text)
    )


def _button(button: Any) -> bool:
    return (
        isinstance(button, dict)
        and button.get("type") == "button"
        and set(button) <= {"type", "text", "url", "action_id", "value", "style"}
        and _text(button.get("text"), BUTTON_LIMIT, "plain_text")
        and ("url" not in button or _is_url(button["url"]))
        and button.get("style", "primary") in ("primary", "danger")
    )


def _is_url(url: Any) -> bool:
    return (
        isinstance(url, str)
        and len(url) <= URL_LIMIT
        and re.fullmatch(r"https?://[^\s<>]+", url) is not None
    )
