"""``greenery`` as `make` calls it: values come by the environment, as they were typed."""

import os
import sys

from devtools.local import variables
from devtools.local.commands import greenery


def main(given: list[str]) -> int:
    """Run a command; return its exit status.

    Args:
        given: its name and its arguments; what make's variables say goes between.
    """
    typed = variables.arguments(given[0], os.environ) if given else []
    return greenery.run([*given[:1], *typed, *given[1:]])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
