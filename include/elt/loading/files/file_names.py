"""The names of landing files: how they are shown, in which order they are taken, whose they are."""

from __future__ import annotations

import re
from collections.abc import Collection
from difflib import get_close_matches

EXTENSIONS = (".csv", ".csv.gz")
_DIGITS = re.compile("([0-9]+)")
_WORDS = re.compile("[a-z]+|[0-9]+")
_ESCAPE = re.compile(r"\\(?:\\|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")

Place = tuple[bool, tuple[tuple[str | tuple[int, str], ...], ...], str]


def is_csv(path: str) -> bool:
    return path.lower().endswith(EXTENSIONS)


def is_hidden(name: str) -> bool:
    """Tell whether a file or folder is left alone, as Hive and Spark leave theirs alone too."""
    return name.startswith((".", "_"))


def without_extension(name: str) -> str:
    return next((name[: -len(end)] for end in EXTENSIONS[::-1] if name.lower().endswith(end)), name)


def printable(path: str) -> str:
    """Return a path as it can be shown and stored: what is no text or can't be seen is escaped.

    Two paths never look the same, and ``original`` gives the path back.
    """
    if path.isprintable() and "\\" not in path:
        return path
    return "".join(
        character if character.isprintable() and character != "\\" else _escaped(character)
        for character in path
    )


def original(path: str) -> str:
    """Return the path on its store of one that ``printable`` made."""
    return _ESCAPE.sub(_unescaped, path) if "\\" in path else path


def place(path: str) -> Place:
    """Return what puts the files of a table in order: the single file first, then the drops.

    Names are compared as people do: numbers by their value, whatever their length and leading
    zeros, the rest without regard to case, folder by folder. Names that are equal so far are
    compared letter by letter.
    """
    folder, _, name = path.rpartition("/")
    parts = (*folder.split("/"), without_extension(name)) if folder else (without_extension(name),)
    return bool(folder), tuple(map(_natural, parts)), path


def closest_table(name: str, tables: Collection[str]) -> str | None:
    """Return the table that somebody who named a file or folder so had probably in mind."""
    words = _WORDS.findall(name.lower())
    inside = [table for table in tables if _has_run(words, _WORDS.findall(table))]
    if inside:
        return max(inside, key=len)
    squashed = {re.sub("[^a-z0-9]", "", table): table for table in tables}
    letters = re.sub("[^a-z]", "", without_extension(name).lower())
    close = get_close_matches(letters, squashed, n=1, cutoff=0.8)
    return squashed[close[0]] if close else None


def _natural(name: str) -> tuple[str | tuple[int, str], ...]:
    # every second part is a number; compared by length first, because int() refuses very long ones
    texts = _DIGITS.split(name.casefold())
    digits = [part.lstrip("0") for part in texts[1::2]]
    parts: list[str | tuple[int, str]] = [*texts]
    parts[1::2] = [(len(value), value) for value in digits]
    return tuple(parts)


def _has_run(words: list[str], wanted: list[str]) -> bool:
    starts = range(len(words) - len(wanted) + 1)
    return any(words[start : start + len(wanted)] == wanted for start in starts)


def _escaped(character: str) -> str:
    code = ord(character)
    if character == "\\":
        return "\\\\"
    if 0xDC80 <= code <= 0xDCFF:  # how Python keeps a byte that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _unescaped(found: re.Match[str]) -> str:
    kind, digits = found[0][1], found[0][2:]
    if kind == "\\":
        return "\\"
    return chr(int(digits, 16) + (0xDC00 if kind == "x" else 0))
