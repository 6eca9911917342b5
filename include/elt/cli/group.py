"""How a command ends: what it was refused for is a sentence, and the exit status says it too."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from elt.errors import EltError

FAILED, NOT_UNDERSTOOD, INTERRUPTED = 1, 2, 130


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
