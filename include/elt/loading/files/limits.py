"""What a file may cost: bytes of a record, columns, what it unpacks to, and minutes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from elt.loading.errors import RefusedFileError
from elt.loading.files.quoting import first_end, last_end
from elt.shop import SHOP

KEYS = ("max_unpacked_ratio", "max_minutes")
RECORD_BYTES = 64 << 20
# of a table, to Postgres
MOST_COLUMNS = 1600
# deflate makes at most 1,032 of one; exports of shops stay below 50
USUAL_RATIO = 200.0
# what any file may unpack to: a small one of many equal rows is no attack
FREE_BYTES = 64 << 20
NOTHING = "Nothing of this file was loaded."
IN_CONTRACT = f"in the contract (config.meta.extract in {SHOP.contracts.name})"


def read_limits(extract: Mapping[str, Any]) -> dict[str, float | None]:
    """Return the keys of a contract that say what one file may cost.

    Raises:
        ValueError: with the key and what is wrong with it.
    """
    ratio = _number(extract, "max_unpacked_ratio", USUAL_RATIO)
    if ratio < 1:
        raise ValueError(f"max_unpacked_ratio must be 1 or more, not `{ratio:g}`")
    minutes = _number(extract, "max_minutes", None)
    if minutes is not None and minutes <= 0:
        raise ValueError(f"max_minutes must be more than 0, not `{minutes:g}`")
    return {"max_unpacked_ratio": ratio, "max_minutes": minutes}


def _number(extract: Mapping[str, Any], key: str, default: float | None) -> float | None:
    if (value := extract.get(key, default)) is None and key not in extract:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{key} must be a number, not `{value}`")
    return float(value)


def long_record(line: int) -> RefusedFileError:
    """Return the refusal of a file with a record that is too long and begins on this line."""
    return RefusedFileError(
        "file",
        f"has a row of more than {RECORD_BYTES >> 20} MiB on line {line}, as a missing quote "
        "makes one",
    )


class RecordLength:
    """Watches how long the records are of bytes that come piece by piece.

    It looks for a line end outside quotes only, so that nothing is kept of what went by.
    """

    def __init__(self, end: bytes, first_line: int) -> None:
        self._end = end[-1:]
        self._line = first_line
        self._bytes = 0
        self._lines = 0

    def check(self, data: bytes, *, was_open: bool, is_open: bool) -> None:
        """Take the next bytes; quotes are open before and after them or not.

        Raises:
            RefusedFileError: if a record is too long.
        """
        if self._bytes + len(data) > RECORD_BYTES:
            to_end = first_end(data, self._end, is_open=was_open) or len(data)
            if self._bytes + to_end > RECORD_BYTES:
                raise long_record(self._line)
        stop = last_end(data, self._end, is_open=is_open)
        if stop:
            self._line += self._lines + data.count(self._end, 0, stop)
            self._bytes = self._lines = 0
        self._bytes += len(data) - stop
        self._lines += data.count(self._end, stop)


def check_ratio(packed: int, unpacked: int, most: float) -> None:
    """Refuse a file that unpacks to too much, as far as it was read.

    Raises:
        RefusedFileError: with the key that takes it.
    """
    if unpacked > max(FREE_BYTES, most * packed):
        raise RefusedFileError(
            "file",
            f"unpacks to more than {most:g} times its size: {unpacked >> 20:,} MiB came of its "
            f"first {math.ceil(packed / 1024):,} KiB",
            remedy=f"{NOTHING} Is it damaged, or made to do harm? If it is right, raise "
            f"`max_unpacked_ratio` {IN_CONTRACT}.",
        )
