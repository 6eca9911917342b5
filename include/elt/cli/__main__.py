"""``python -m elt.cli``: the command ``greenery`` where none is installed, such as in the image."""

import sys

from elt.cli.commands import greenery

if __name__ == "__main__":
    sys.exit(greenery.run(sys.argv[1:]))
