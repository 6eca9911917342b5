"""What commands show besides sentences: tables, and that work goes on.

Only a terminal gets bold heads, lines of its own width and a moving sign. What is piped is plain: a
row is a line, whole, whatever the width or the variables of whoever runs it.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

WIDER_THAN_ANY = 1_000_000_000


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: Collection[str] = ()
) -> None:
    """Print a table to the standard output.

    Args:
        columns: what heads them.
        rows: their cells; None is shown as nothing, and what can't be printed as a dot.
        numbers: the columns that are set flush right.
    """
    # takes a tenth of a second, and most commands print no table
    from rich.console import Console
    from rich.table import Table

    is_terminal = _is_terminal(sys.stdout)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(
            name,
            justify="right" if name in numbers else "left",
            overflow="fold",
            no_wrap=not is_terminal,
        )
    for row in rows:
        table.add_row(*map(_cell, row))
    console = Console(
        width=None if is_terminal else WIDER_THAN_ANY,
        force_terminal=is_terminal,
        markup=False,
        highlight=False,
        emoji=False,
    )
    with console.capture() as printed:
        console.print(table)
    print("\n".join(line.rstrip() for line in printed.get().splitlines()))


@contextmanager
def working(on: str) -> Iterator[None]:
    """Show on a terminal, for as long as it takes, that work goes on and since when.

    It is for what may take more than two seconds. Nothing should be printed meanwhile.

    Args:
        on: what is done, as a few words.
    """
    if not _is_terminal(sys.stderr):
        yield
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    parts = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    console = Console(stderr=True, force_terminal=True)
    # what is printed all the same stays where it belongs
    with Progress(*parts, console=console, transient=True, redirect_stdout=False) as progress:
        progress.add_task(on, total=None)
        yield


def _is_terminal(stream: TextIO) -> bool:
    """Ask the stream alone: rich would believe FORCE_COLOR as well."""
    return stream.isatty()


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return "".join(sign if sign.isprintable() else "·" for sign in text)
