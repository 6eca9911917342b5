"""What people see of a command: tables, what these list, that work goes on, and how it ends.

What a command was refused for is a sentence, and the exit status says it too. Only a terminal gets
bold heads, lines of its own width and a moving sign. What is piped is plain: a row is a line,
whole, whatever the width or the variables of whoever runs it.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC
from typing import TYPE_CHECKING, Any, TextIO

import click

from elt.errors import EltError

if TYPE_CHECKING:
    from elt.loading.quarantine.replay import Replayed
    from elt.privacy.outcome import Forgotten
    from elt.transform.overrides import Override


WIDER_THAN_ANY = 1_000_000_000
FAILED, NOT_UNDERSTOOD, INTERRUPTED = 1, 2, 130


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


def print_overrides(found: Sequence[Override]) -> None:
    """Print which tests are let through, and until when."""
    if not found:
        print("No test is let through.")
        return
    print_table(
        ("test", "until (UTC)", "by", "why"),
        [
            (one.test, f"{one.until.astimezone(UTC):%Y-%m-%d %H:%M}", one.made_by, one.reason)
            for one in found
        ],
    )


def print_replayed(results: Sequence[Replayed]) -> None:
    """Print what became of the rows in quarantine, by load, and why some wait on."""
    if not results:
        print("No row waits in quarantine.")
        return
    counts = ("loaded", "superseded", "wiped", "still bad")
    rows = [
        (
            *(one.table, one.origin_id, one.source_file),
            *(one.loaded, one.superseded, one.erased, len(one.still_bad)),
        )
        for one in results
    ]
    print_table(("table", "load", "file", *counts), rows, numbers=("load", *counts))
    reasons = [(one.table, one.origin_id, why) for one in results for why in one.still_bad]
    if reasons:
        print()
        print_table(("table", "load", "why it waits on"), reasons, numbers=["load"])


def print_forgotten(forgotten: Forgotten) -> None:
    """Print what was removed of a person, and what is left to do."""
    from elt.privacy import outcome

    print(outcome.headline(forgotten))
    counts = [(place, f"{rows:,}") for place, rows in outcome.counts(forgotten)]
    if counts:
        print_table(("place", "rows"), counts, numbers=["rows"])
    print("", *outcome.left_to_do(forgotten), sep="\n")


class Commands(click.Group):
    """A group of commands, as an operator has them in a container."""

    def run(self, arguments: Sequence[str]) -> int:
        """Run a command.

        Args:
            arguments: the words after ``greenery``.

        Returns:
            The exit status: 0 done, 1 refused in a sentence, 2 not understood, 130 interrupted.
        """
        try:
            done = self.main(list(arguments), prog_name="greenery", standalone_mode=False)
        except click.ClickException as error:
            error.show()
            return error.exit_code
        except click.Abort:
            return INTERRUPTED
        return done if isinstance(done, int) else 0

    def invoke(self, context: click.Context) -> Any:
        """Run what click has parsed; a failure that was foreseen becomes a sentence."""
        try:
            return super().invoke(context)
        except Exception as error:
            words = self.message_of(error)
            if words is None:
                raise
            print(words, file=sys.stderr)
            return FAILED

    def message_of(self, error: Exception) -> str | None:
        """Return what to tell of an error, or None if it is a fault of ours, to be shown whole."""
        return str(error).strip() if isinstance(error, EltError) else None


def _is_terminal(stream: TextIO) -> bool:
    """Ask the stream alone: rich would believe FORCE_COLOR as well."""
    return stream.isatty()


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return "".join(sign if sign.isprintable() else "·" for sign in text)
