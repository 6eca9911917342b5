"""Paths that every program takes as they are.

Airflow replaces `$NAME` in its settings, Python parts PYTHONPATH at colons, Postgres' programs hand
their own path to a shell, and a socket's path may have 107 bytes. A checkout may lie anywhere.
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

# room is left for what is made below it
LONGEST = 70
OUTSIDE = "/var/tmp"


def is_plain(path: Path) -> bool:
    return re.fullmatch(r"[\w./ +,=@~-]+", str(path)) is not None


def is_short(path: Path) -> bool:
    return len(os.fsencode(path)) <= LONGEST


def make_links(*folders: Path) -> Path:
    """Return a new folder with a plain path, that has links 0, 1 … to these."""
    made = Path(tempfile.mkdtemp(prefix="greenery-", dir=OUTSIDE))
    for number, folder in enumerate(folders):
        (made / str(number)).symlink_to(folder)
    return made


def remove_links(made: Path) -> None:
    for link in made.glob("[0-9]*"):
        link.unlink()
    made.rmdir()


def are_links(made: Path, *folders: Path) -> bool:
    """Tell whether a folder is ours, and its links lead where they should."""
    if not made.is_dir() or made.is_symlink() or made.stat().st_uid != os.geteuid():
        return False
    links = [made / str(number) for number in range(len(folders))]
    wanted = [str(folder) for folder in folders]
    return [os.readlink(link) for link in links if link.is_symlink()] == wanted
