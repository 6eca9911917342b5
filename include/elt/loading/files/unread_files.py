"""What lies in the landing folder and is not read, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from elt.loading.files.file_names import place

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


@dataclass(frozen=True)
class Stray:
    """Something that is not read. ``what`` says what it is, where its name does not."""

    path: str
    what: str = ""

    @property
    def is_unfinished(self) -> bool:
        return not self.what and _advice(self) == _UNFINISHED

    @property
    def kind(self) -> str:
        """What it has in common with others, in words that follow their names."""
        if self.what:
            return f"{self.what}, and not read: remove it, {_UNLESS}"
        return f"not read. {_advice(self)}, {_UNLESS}"


def describe(strays: Iterable[Stray]) -> list[tuple[str, str]]:
    """Return what to say of them, and what to know each by: one by one, or all of a kind at once.

    Of a kind with many (a mark beside each drop) one sentence names the first and the last.
    """
    kinds: dict[str, list[str]] = {}
    for stray in strays:
        kinds.setdefault(stray.kind, []).append(stray.path)
    told: list[tuple[str, str]] = []
    for kind, paths in kinds.items():
        if len(paths) <= SHOW_NAMES:
            told += [(path, f"{path} is {kind}.") for path in paths]
            continue
        paths.sort(key=place)
        names = f"{paths[0]} to {paths[-1]} ({len(paths):,} of this kind)"
        told.append((names, f"{names}: each is {kind}."))
    return told


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
