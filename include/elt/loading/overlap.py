"""How much of a database table is read twice, so that rows committed late are not missed."""

from __future__ import annotations

import re

_DEFAULTS = {
    **dict.fromkeys(["timestamptz", "date"], "1 hour"),
    **dict.fromkeys(["smallint", "integer", "bigint", "numeric"], "1000"),
}
_INTERVAL = re.compile(r"\d+ (second|minute|hour|day)s?\Z")
_NUMBER = re.compile(r"\d+\Z")


def overlap_of(data_type: str, load: str = "delta", said: object = None) -> str:
    """Return the overlap of a cursor column: an interval such as ``1 hour``, or a number.

    Raises:
        ValueError: if such a column can't be a cursor, or ``said`` is no such thing.
    """
    if load == "full_snapshot":
        raise ValueError("would hide the deleted rows of a full_snapshot")
    if data_type not in _DEFAULTS:
        raise ValueError(f"is a `{data_type}`; allowed are {', '.join(sorted(_DEFAULTS))}")
    default = _DEFAULTS[data_type]
    overlap = default if said is None else str(said)
    if not (_INTERVAL if " " in default else _NUMBER).match(overlap):
        raise ValueError(f"has the overlap `{overlap}`, which must look like `{default}`")
    return overlap
