"""The names of landing files: how they are shown, in which order they are taken, whose they are,
and what to do about those that are not read.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches

EXTENSIONS = (".csv", ".csv.gz")
_DIGITS = re.compile("([0-9]+)")
_WORDS = re.compile("[a-z]+|[0-9]+")
_ESCAPE = re.compile(r"\\(?:\\|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")
Place = tuple[bool, tuple[tuple[str | tuple[int, str], ...], ...], str]
SHOW_NAMES = 10
_PLAIN = "Only .csv and .csv.gz are read"
_PACKED = "Unpack it, or pack it as .csv.gz"
_BOOK = "Export it as CSV"
_TEXT = "If it is CSV, name it .csv; else export it as CSV"
_UNFINISHED = (
    "It looks half written, or like a copy: give it its name when it is whole, or remove it"
)
_UNLESS = "or put an underscore before its name to have it ignored"
_ADVICE = {
    _PACKED: "zip bz2 xz 7z rar tar tgz tbz2 txz zst zstd lz4 lzma sz br z",
    _BOOK: "xlsx xls xlsm xlsb ods numbers parquet orc avro feather arrow json jsonl ndjson geojson"
    " xml yaml yml html htm pdf doc docx db sqlite sqlite3 dbf sav dta pkl sql dump",
    _TEXT: "txt tsv tab psv dat data asc log text",
    _UNFINISHED: "part partial crdownload download opdownload tmp temp filepart inprogress"
    " incomplete swp bak old orig lock",
}
_BY_ENDING = {ending: advice for advice, endings in _ADVICE.items() for ending in endings.split()}


def is_csv(path: str) -> bool:
    """Tell whether a file is read, by the ending of its name."""
    return path.lower().endswith(EXTENSIONS)


def is_hidden(name: str) -> bool:
    """Tell whether a file or folder is left alone, as Hive and Spark leave theirs alone too."""
    return name.startswith((".", "_"))


def without_extension(name: str) -> str:
    """Return a name of a file without the ending that makes it CSV."""
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


@dataclass(frozen=True)
class Stray:
    """Something that is not read. ``what`` says what it is, where its name does not."""

    path: str
    what: str = ""

    @property
    def is_unfinished(self) -> bool:
        """Whether its name says that it is not whole yet."""
        return not self.what and _advice(self) == _UNFINISHED

    @property
    def kind(self) -> str:
        """What it has in common with others, in words that follow their names."""
        if self.what:
            return f"{self.what}, and not read: remove it, {_UNLESS}"
        return f"not read. {_advice(self)}, {_UNLESS}"


def describe_strays(strays: Iterable[Stray]) -> list[tuple[str, str]]:
    """Return what to say of them, and what to know each by: one by one, or all of a kind at once.

    Of a kind with many (a mark beside each drop) one sentence names the first and the last.
    """
    kinds: dict[str, list[str]] = {}
    for stray in strays:
        kinds.setdefault(stray.kind, []).append(stray.path)
    described: list[tuple[str, str]] = []
    for kind, paths in kinds.items():
        if len(paths) <= SHOW_NAMES:
            described += [(path, f"{path} is {kind}.") for path in paths]
            continue
        paths.sort(key=place)
        names = f"{paths[0]} to {paths[-1]} ({len(paths):,} of this kind)"
        described.append((names, f"{names}: each is {kind}."))
    return described


def _advice(stray: Stray) -> str:
    name = stray.path.rpartition("/")[2].lower()
    ending = name.rpartition(".")[2] if "." in name else ""
    if name.endswith("~") or name.startswith("~$"):
        return _UNFINISHED
    if ending == "gz":
        return "If it is CSV, name it .csv.gz; else unpack it"
    if not ending:
        return "If it is CSV, name it .csv"
    return _BY_ENDING.get(ending, _PLAIN)
