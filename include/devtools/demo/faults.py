"""Faults to plant in a drop, each large enough to stop the daily run: one row in five is hit."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain

EVERY = 5
Row = dict[str, str]


@dataclass(frozen=True)
class Kind:
    """A kind of fault: the table it is planted in, who finds it and what it looks like."""

    table: str
    stops: str
    description: str


LOADER = "the loader, which takes nothing of this file"
KINDS = {
    "null_key": Kind("orders", LOADER, "orders without an order_id"),
    "duplicate_order": Kind(
        "orders", LOADER, "the same order_id twice in one file, with different totals"
    ),
    "orphan_item": Kind(
        "order_items",
        "the dbt test that a line's product exists",
        # orders and order_items are deltas: a row the mended file does not have is not taken back
        "order items of products that do not exist; loaded, they stay when the drop is mended",
    ),
    "orphan_order": Kind(
        "orders", "the dbt test that an order's user exists", "orders of users that do not exist"
    ),
    "negative_quantity": Kind(
        "order_items", "the dbt test that a line buys at least one unit", "quantities below zero"
    ),
    "unknown_status": Kind(
        "orders", "the dbt test of the known statuses", "orders with the status `teleported`"
    ),
    "missing_column": Kind("orders", LOADER, "no column order_id, neither in header nor in rows"),
    "garbage_line": Kind("events", LOADER, "lines between the rows that are no rows"),
}


def damaged(kind: str, lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a file with the fault in its first row and in every fifth one after it.

    A file without rows gets nothing to hit, except by `missing_column` and `garbage_line`.
    """
    if kind == "garbage_line":
        return _garbage(lines)
    return _written(_REPLACED[kind], lines)


def _garbage(lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        yield line
        if number % EVERY == 0:
            yield f"\x1b[0m<<< connection reset by peer after {number} lines >>>\n"


def _written(change: Callable[[Row], list[Row]], lines: Iterable[str]) -> Iterator[str]:
    reader = csv.DictReader(iter(lines))
    columns = list(reader.fieldnames or [])
    if change is _as_it_is:
        columns.remove("order_id")
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    changed = (change(row) if number % EVERY == 0 else [row] for number, row in enumerate(reader))
    for row in chain.from_iterable(changed):
        writer.writerow(row)
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    # the header of a file without rows
    yield buffer.getvalue()


def _without_key(row: Row) -> list[Row]:
    return [row | {"order_id": ""}]


def _twice(row: Row) -> list[Row]:
    return [row, row | {"order_total": str(Decimal(row["order_total"]) + 1)}]


def _of_no_product(row: Row) -> list[Row]:
    return [row | {"product_id": _backwards(row["product_id"])}]


def _of_nobody(row: Row) -> list[Row]:
    return [row | {"user_id": _backwards(row["user_id"])}]


def _backwards(made_id: str) -> str:
    """Return an id of the right shape that nothing has."""
    digits = made_id.replace("-", "")[::-1]
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _negative(row: Row) -> list[Row]:
    return [row | {"quantity": f"-{row['quantity']}"}]


def _teleported(row: Row) -> list[Row]:
    return [row | {"status": "teleported"}]


def _as_it_is(row: Row) -> list[Row]:
    return [row]


_REPLACED: dict[str, Callable[[Row], list[Row]]] = {
    "null_key": _without_key,
    "duplicate_order": _twice,
    "orphan_item": _of_no_product,
    "orphan_order": _of_nobody,
    "negative_quantity": _negative,
    "unknown_status": _teleported,
    "missing_column": _as_it_is,
}
