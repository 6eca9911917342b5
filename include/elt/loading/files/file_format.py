"""How a table's files are written, where they are not plain CSV in UTF-8: keys of its contract."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from typing import Any

KEYS = ("delimiter", "encoding", "null_text")
# names that Postgres has and Python has not
_POSTGRES_NAMES = {"koi8r": "koi8-r", "koi8u": "koi8-u", "euc_cn": "gb2312"}
# codecs that Python keeps with the encodings, though no file is written in them
_NO_ENCODINGS = ("idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "utf-7")


def read_format(extract: Mapping[str, Any]) -> dict[str, str]:
    """Return the keys of a contract that say how files are written, as COPY takes them.

    An ``encoding`` is a name that Python knows, and empty for UTF-8.

    Raises:
        ValueError: with the key and what is wrong with it.
    """
    delimiter = _text(extract, "delimiter", ",").replace("\\t", "\t")
    if not re.fullmatch(r"[\t\x20-\x7e]", delimiter) or re.fullmatch(r'[\w".\\-]', delimiter):
        raise ValueError(
            f'delimiter must be one character, such as ";", "|" or "\\t", not `{delimiter}`'
        )
    null_text = _text(extract, "null_text", "")
    if any(character in null_text for character in f'{delimiter}"\r\n'):
        raise ValueError("null_text must hold no delimiter, no quote and no line end")
    return {
        "delimiter": delimiter,
        "encoding": _encoding(_text(extract, "encoding", "")),
        "null_text": null_text,
    }


def _text(extract: Mapping[str, Any], key: str, default: str) -> str:
    value = extract.get(key, default)
    if not isinstance(value, str):
        # YAML reads a bare NULL, ~, no or 0 as something else
        raise ValueError(f'{key} must be a text in quotes, such as {key}: "NULL", not `{value}`')
    return value


def _encoding(name: str) -> str:
    plain = name.strip().lower()
    plain = _POSTGRES_NAMES.get(plain, re.sub(r"^win(?:dows)?[-_]?(\d+)$", r"cp\1", plain))
    if not plain:
        return ""
    try:
        codec = codecs.lookup(plain)
        is_text = bool("a".encode(plain)) and codec.name not in _NO_ENCODINGS
    except (LookupError, UnicodeError):
        is_text = False
    if not is_text:
        raise ValueError(
            f"encoding `{name}` is not known; some that are: latin1, cp1252, utf-16, cp850, sjis"
        )
    return "" if codec.name in ("utf-8", "utf-8-sig", "ascii") else codec.name
