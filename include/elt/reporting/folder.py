"""The folder of the report: where it is, and what the files in it are called."""

from __future__ import annotations

import os
import re
from pathlib import Path

# named by what runs the engine: the folder that reports are written to
VARIABLE = "GREENERY_REPORT"
# the newest ones; the folder of a publication has the report of it, too
REPORT = "index.html"
STATE = "state.html"
DOCS = "docs.html"
# the part of the state of the data that has the time of each build
BUILDS = "state-builds"
# what people may ask for of a publication: its report, and the CSV files that this leads to
OF_PUBLICATION = re.compile(r"index\.html|\w[\w-]*\.csv", re.ASCII)
_PUBLICATION = re.compile(r"\d+", re.ASCII)


def folder_of_reports() -> Path | None:
    """Return the folder that reports go to; None: nobody wants any."""
    named = os.environ.get(VARIABLE)
    return Path(named).absolute() if named else None


def publications(folder: Path) -> list[str]:
    """Return the numbers of the publications whose reports are kept, newest first."""
    kept = (one.name for one in folder.iterdir() if _PUBLICATION.fullmatch(one.name))
    return sorted(kept, key=int, reverse=True)


def replace_file(file: Path, content: bytes) -> None:
    """Write a file so that who looks meanwhile sees the old one or the new one, whole."""
    new = file.with_name(f".{file.name}-{os.getpid()}")
    new.write_bytes(content)
    new.replace(file)
