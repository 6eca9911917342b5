"""The contract of a source table: what its keys mean, and what each of them may say."""

from __future__ import annotations

import codecs
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from elt.shop import SHOP

DATA_TYPES = {
    *("text", "smallint", "integer", "bigint", "numeric", "real", "double precision"),
    *("boolean", "date", "time", "timestamptz", "jsonb", "uuid"),
}
OWN_COLUMNS = ("_load_id", "_loaded_at", "_deleted_at")
INSTANTS = ("timestamptz", "date")
_OVERLAPS = {
    **dict.fromkeys(["timestamptz", "date"], "1 hour"),
    **dict.fromkeys(["smallint", "integer", "bigint", "numeric"], "1000"),
}
_INTERVAL = re.compile(r"\d+ (second|minute|hour|day)s?\Z")
_NUMBER = re.compile(r"\d+\Z")
FORMAT_KEYS = ("delimiter", "encoding", "null_text")
# names that Postgres has and Python has not
_POSTGRES_NAMES = {"koi8r": "koi8-r", "koi8u": "koi8-u", "euc_cn": "gb2312"}
# codecs that Python keeps with the encodings, though no file is written in them
_NO_ENCODINGS = ("idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "utf-7")
LIMIT_KEYS = ("max_unpacked_ratio", "max_minutes")
# of a table, to Postgres
MOST_COLUMNS = 1600
# deflate makes at most 1,032 of one; exports of shops stay below 50
USUAL_RATIO = 200.0
IN_CONTRACT = f"in the contract (config.meta.extract in {SHOP.contracts.name})"


class Format(TypedDict):
    """How files are written, as COPY takes it."""

    delimiter: str
    encoding: str
    null_text: str


class Limits(TypedDict):
    """What one file may cost."""

    max_unpacked_ratio: float
    max_minutes: float | None


@dataclass(frozen=True)
class Column:
    """A column of a source table. Values of a personal one are never shown."""

    name: str
    data_type: str
    is_personal: bool = False


@dataclass(frozen=True)
class Table:
    """A source table. ``version`` is None where simply the later file wins.

    ``max_bad_share`` is a share of the rows read (0 to 1). ``cursor`` is the column by which new
    rows of a database are found, None where the whole table is compared; ``overlap`` is how much of
    it before the last one is read again, an interval or a number. ``person`` names the column by
    which a person's rows are found: the person's id, or the key of a parent table that has such a
    column. ``is_shared`` rows may belong to several people, who point to them by that column, and
    go with the last one. ``is_parent``: other tables have its key in a column. ``references`` are
    columns that hold the key of another table without being called like it, with that table;
    ``key_downstream`` are the names of the key in models, if it has others there. ``day`` is the
    column that says on which day a row happened. ``delimiter``, ``encoding`` (empty is UTF-8) and
    ``null_text`` say how its files are written; ``date_order`` how dates are in them that do not
    begin with the year, None where all do. ``max_unpacked_ratio`` and ``max_minutes`` say what one
    file may cost.
    """

    name: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]
    load: Literal["full_snapshot", "delta"]
    version: str | None = None
    change_key: tuple[str, ...] = ()
    on_bad_row: Literal["quarantine", "stop"] = "quarantine"
    max_bad_share: float = 0.01
    cursor: str | None = None
    person: str | None = None
    is_shared: bool = False
    overlap: str | None = None
    is_parent: bool = False
    references: tuple[tuple[str, str], ...] = ()
    key_downstream: tuple[str, ...] = ()
    day: str | None = None
    delimiter: str = ","
    encoding: str = ""
    null_text: str = ""
    max_unpacked_ratio: float = USUAL_RATIO
    max_minutes: float | None = None
    date_order: Literal["dmy", "mdy"] | None = None

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of all columns, in the order of the contract."""
        return tuple(column.name for column in self.columns)

    @property
    def key_columns(self) -> tuple[Column, ...]:
        """The columns of the primary key, in its order."""
        return tuple(c for key in self.primary_key for c in self.columns if c.name == key)

    @property
    def other_columns(self) -> tuple[str, ...]:
        """The names of the columns outside the key."""
        return tuple(name for name in self.column_names if name not in self.primary_key)

    def column(self, name: str) -> Column | None:
        """Return the column of this name, or None if the contract has none."""
        return next((column for column in self.columns if column.name == name), None)


def overlap_of(data_type: str, load: str = "delta", said: object = None) -> str:
    """Return the overlap of a cursor column: an interval such as ``1 hour``, or a number.

    Raises:
        ValueError: if such a column can't be a cursor, or ``said`` is no such thing.
    """
    if load == "full_snapshot":
        raise ValueError("would hide the deleted rows of a full_snapshot")
    if data_type not in _OVERLAPS:
        raise ValueError(f"is a `{data_type}`; allowed are {', '.join(sorted(_OVERLAPS))}")
    default = _OVERLAPS[data_type]
    overlap = default if said is None else str(said)
    if not (_INTERVAL if " " in default else _NUMBER).match(overlap):
        raise ValueError(f"has the overlap `{overlap}`, which must look like `{default}`")
    return overlap


def read_format(extract: Mapping[str, Any]) -> Format:
    """Return the keys of a contract that say how files are written, as COPY takes them.

    An ``encoding`` is a name that Python knows, and empty for UTF-8.

    Raises:
        ValueError: with the key and what is wrong with it.
    """
    delimiter = _read_text(extract, "delimiter", ",").replace("\\t", "\t")
    if not re.fullmatch(r"[\t\x20-\x7e]", delimiter) or re.fullmatch(r'[\w".\\-]', delimiter):
        raise ValueError(
            f'delimiter must be one character, such as ";", "|" or "\\t", not `{delimiter}`'
        )
    null_text = _read_text(extract, "null_text", "")
    if any(character in null_text for character in f'{delimiter}"\r\n'):
        raise ValueError("null_text must hold no delimiter, no quote and no line end")
    return {
        "delimiter": delimiter,
        "encoding": _read_encoding(_read_text(extract, "encoding", "")),
        "null_text": null_text,
    }


def _read_text(extract: Mapping[str, Any], key: str, default: str) -> str:
    value = extract.get(key, default)
    if not isinstance(value, str):
        # YAML reads a bare NULL, ~, no or 0 as something else
        raise ValueError(f'{key} must be a text in quotes, such as {key}: "NULL", not `{value}`')
    return value


def _read_encoding(name: str) -> str:
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


def read_limits(extract: Mapping[str, Any]) -> Limits:
    """Return the keys of a contract that say what one file may cost.

    Raises:
        ValueError: with the key and what is wrong with it.
    """
    ratio = _read_number(extract, "max_unpacked_ratio")
    if ratio is None:
        ratio = USUAL_RATIO
    if ratio < 1:
        raise ValueError(f"max_unpacked_ratio must be 1 or more, not `{ratio:g}`")
    minutes = _read_number(extract, "max_minutes")
    if minutes is not None and minutes <= 0:
        raise ValueError(f"max_minutes must be more than 0, not `{minutes:g}`")
    return {"max_unpacked_ratio": ratio, "max_minutes": minutes}


def _read_number(extract: Mapping[str, Any], key: str) -> float | None:
    if key not in extract:
        return None
    value = extract[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{key} must be a number, not `{value}`")
    return float(value)


def resolve_references(tables: Mapping[str, Table]) -> dict[str, dict[str, Table]]:
    """Return by table which of its columns hold the key of which other one.

    That is what contracts say under ``references``, and what follows from the names: a column that
    is called like the key of one other table (there or downstream), and of no more than one.
    """
    names = {
        name: {table.primary_key[0], *table.key_downstream}
        for name, table in tables.items()
        if has_own_key(table)
    }
    owners = Counter(key for keys in names.values() for key in keys)
    by_name = {
        key: tables[name] for name, keys in names.items() for key in keys if owners[key] == 1
    }
    found: dict[str, dict[str, Table]] = {}
    for name, table in tables.items():
        declared = {
            column: tables[parent] for column, parent in table.references if parent in tables
        }
        by_its_name = {
            column: by_name[column]
            for column in table.column_names
            if column in by_name and by_name[column].name != name
        }
        found[name] = by_its_name | declared
    return found


def reference_fault(tables: Mapping[str, Table]) -> str | None:
    """Return in words what is wrong with the first reference that can't be one; None: nothing."""
    for table in tables.values():
        for column, parent in table.references:
            where = (
                f"table `{table.name}`: references says that `{column}` holds a key of `{parent}`"
            )
            if parent not in tables:
                return f"{where}, which is not declared."
            if len(tables[parent].primary_key) != 1:
                return f"{where}, whose primary key is not one column."
    return None


def has_own_key(table: Table) -> bool:
    """Tell whether one column identifies a row, and is not another table's key itself."""
    return len(table.primary_key) == 1 and table.primary_key[0] not in dict(table.references)
