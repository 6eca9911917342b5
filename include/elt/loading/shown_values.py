"""Which values people may see: those that look like what their column is declared to hold. Pure.

A row whose fields have shifted puts a name or a street into a column that holds none. So whatever
shows a value of a row, in a log or in a message, asks here first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

HIDDEN = "•••"

_WHOLE_NUMBERS = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}
_NUMBERS = {"numeric", "real", "double precision", "decimal"}
_INSTANTS = {"date", "time", "timestamptz", "timestamp", "interval"}
_OTHER_NAMES = {
    **{"int": "integer", "int2": "smallint", "int4": "integer", "int8": "bigint"},
    **{"float": "double precision", "float4": "real", "float8": "double precision"},
    **{"bool": "boolean", "varchar": "text", "character varying": "text", "jsonb": "json"},
    **{"timestamp with time zone": "timestamptz", "timestamp without time zone": "timestamp"},
    **{"time without time zone": "time", "time with time zone": "time"},
}
# what stands where there is nothing; nobody is called so
_PLACEHOLDERS = {
    *("", "null", "none", "nil", "nan", "n/a", "na", "#n/a", "unknown", "undefined"),
    *("-", "--", "?", "infinity", "-infinity", "inf", "-inf"),
}
_BOOLEANS = {"t", "f", "true", "false", "y", "n", "yes", "no", "on", "off", "0", "1"}
_WORDS_OF_TIME = {"now", "today", "tomorrow", "yesterday", "epoch", "allballs"}
_NUMBER = re.compile(r"[-+]?[$€£]? ?(\d+|\d{1,3}(,\d{3})+)?([.,]\d+)?(e[-+]?\d+)? ?[%$€£]?", re.I)
_MONTH = "(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}"
_CLOCK = r"\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?( ?[ap]m)?"
_ZONE = r" ?(z|utc|gmt|[-+]\d{2}(:?\d{2}){0,2})"
_DAY = "|".join(
    [
        r"[-+]?\d{4,6}[-./]\d{1,2}[-./]\d{1,2}( bc)?",
        # the year last; with three digits before it, it would be another number of a person
        r"\d{1,2}[-./]\d{1,2}[-./](\d{4}|\d{2})",
        r"(19|20)\d{6}",
        rf"\d{{1,2}}[- ]{_MONTH}[- ,]+\d{{2,4}}",
        rf"{_MONTH} \d{{1,2}},? \d{{4}}",
    ]
)
_INSTANT = re.compile(rf"({_DAY})([t ]+{_CLOCK}({_ZONE})?)?|{_CLOCK}({_ZONE})?", re.I | re.A)
_INTERVAL = re.compile(rf"([-+]?\d+ (year|mon|day|hour|min|sec)[a-z]* ?)*(-?{_CLOCK})?", re.A)
_UUID = re.compile(r"[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}", re.I | re.A)
_HEXADECIMAL = re.compile(r"(?=[0-9a-f]*[a-f])(?=[0-9a-f]*[0-9])[0-9a-f]{16,128}", re.I | re.A)
_ID = re.compile(r"(?=.*[0-9])[\w./:#-]{1,64}", re.A)
_TELEPHONE = re.compile(r"[+(]?[0-9]{1,4}([-./ )]+[0-9]{2,}){2,}", re.A)
_DIGITS = re.compile("[0-9]+")
# of the values that are looked at
_MOST = 0.5


@dataclass(frozen=True)
class Kind:
    """What a column holds: a type of Postgres', perhaps a list of values, or ids of one pattern.

    A text column of which no more is declared holds anything, so none of its values may be shown
    but what can only be an id. ``pattern`` is that of `pattern_of`, ``longest`` its longest value.
    """

    data_type: str = "text"
    accepted: frozenset[str] = frozenset()
    pattern: str | None = None
    longest: int = 0
    is_personal: bool = False


def shown(value: str, kind: Kind) -> str:
    """Return a value if it looks like what its column holds, else dots."""
    return value if fits(value, kind) else HIDDEN


def fits(value: str, kind: Kind) -> bool:
    """Tell whether a value can be nothing else than what its column is declared to hold.

    It need not be valid: 2021-02-30 looks like a date.
    """
    if kind.is_personal:
        return False
    text = value.strip()
    if text.lower() in _PLACEHOLDERS or text in kind.accepted:
        return True
    name = kind.data_type.lower().partition("(")[0].strip()
    name = _OTHER_NAMES.get(name, name)
    if kind.accepted and name == "text":
        return False
    if name in _WHOLE_NUMBERS or name in _NUMBERS:
        return _is_number(text, _WHOLE_NUMBERS.get(name))
    if name in _INSTANTS:
        is_span = name == "interval" and _INTERVAL.fullmatch(text)
        return bool(is_span or _INSTANT.fullmatch(text)) or text.lower() in _WORDS_OF_TIME
    if name == "boolean":
        return text.lower() in _BOOLEANS
    if name in ("text", "uuid"):
        return _is_id(text, kind)
    return False


def _is_number(text: str, limit: int | None) -> bool:
    if not _NUMBER.fullmatch(text) or not any(character.isdigit() for character in text):
        return False
    if limit is None:
        return True
    try:
        # what a whole number of this size can't be is perhaps a telephone number
        number = Decimal(re.sub(r"[^\d.eE+-]", "", text))
    except InvalidOperation:
        return False
    return abs(number) < limit


def _is_id(text: str, kind: Kind) -> bool:
    if _UUID.fullmatch(text) or _HEXADECIMAL.fullmatch(text):
        return True
    return (
        kind.pattern is not None
        and len(text) <= kind.longest
        and _can_be_id(text)
        and pattern_of(text) == kind.pattern
    )


def _can_be_id(text: str) -> bool:
    return bool(_ID.fullmatch(text)) and not _TELEPHONE.fullmatch(text)


def pattern_of(value: str) -> str:
    """Return a value with each run of digits as a 9: ORD-00017 is ORD-9."""
    return _DIGITS.sub("9", value)


def kind_of_ids(values: Iterable[str]) -> Kind:
    """Return the kind of a text column from some of its values, if most are ids of one pattern.

    Letters and signs must be the same in all of them, so that no word of a person's is among them.
    """
    found: dict[str, list[int]] = {}
    looked_at = list(values)
    for value in looked_at:
        if _can_be_id(value):
            found.setdefault(pattern_of(value), []).append(len(value))
    pattern, lengths = max(found.items(), key=lambda item: len(item[1]), default=("", []))
    if len(lengths) <= len(looked_at) * _MOST or len(lengths) < 2:
        return Kind()
    return Kind(pattern=pattern, longest=max(lengths))
