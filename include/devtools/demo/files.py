"""Where a drop's files are, and how one is written so that nobody ever sees half of it."""

from __future__ import annotations

import contextlib
import gzip
import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import BinaryIO

# parents first: a loader that looks in between finds no child without its parent
TABLES = ("addresses", "users", "products", "promos", "orders", "order_items", "events")


def drop_file(landing: Path, table: str, day: date, compress: bool) -> Path:
    """Return the path of a table's file in the drop of a day."""
    return landing / table / f"{day.isoformat()}.csv{'.gz' if compress else ''}"


def existing_file(landing: Path, table: str, day: date) -> Path | None:
    """Return the file that is there, compressed or not, or None."""
    for compress in (False, True):
        file = drop_file(landing, table, day, compress)
        if file.exists():
            return file
    return None


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[BinaryIO]:
    """Yield a stream that becomes the file at the end, and leaves no trace if something fails.

    A name that ends in `.gz` is compressed, without a time stamp: the same data, the same bytes.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    # the loader passes over names that begin with a dot
    temporary = target.parent / f".{target.name}.{os.getpid()}"
    try:
        with contextlib.ExitStack() as open_files:
            stream: BinaryIO = open_files.enter_context(open(temporary, "wb", buffering=1 << 20))
            if target.suffix == ".gz":
                stream = open_files.enter_context(
                    gzip.GzipFile("", "wb", compresslevel=6, fileobj=stream, mtime=0)
                )
            yield stream
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_lines(file: Path) -> Iterator[str]:
    """Yield the lines of a file as text, line ends included, compressed or not."""
    opener = gzip.open if file.suffix == ".gz" else open
    with opener(file, "rt", encoding="utf-8", newline="") as lines:
        yield from lines
