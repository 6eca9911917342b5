"""Become ``python -m …`` with the words of ARGS after those given.

As a shell reads words, but nothing in them is run or replaced: no ``$``, no back quote.
"""

from __future__ import annotations

import os
import shlex
import sys


def main(command: list[str]) -> None:
    try:
        words = shlex.split(os.environ.pop("ARGS", ""))
    except ValueError as error:
        sys.exit(f"ARGS can't be read: {str(error).lower()}.")
    os.execv(sys.executable, [sys.executable, "-m", *command, *words])


if __name__ == "__main__":
    main(sys.argv[1:])
