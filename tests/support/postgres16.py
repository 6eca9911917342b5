"""A second server for tests, of the oldest version that the warehouse may have."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from devtools.local import postgres, postgres_programs
from devtools.local.postgres import Server
from tests.support.warehouse import make_template


@contextlib.contextmanager
def older_programs() -> Iterator[None]:
    """Have servers that are made and started inside be of version 16: the wheel brings both."""
    run = postgres.run_as_server

    def run_older(folder: Path, *command: str, check: bool = True) -> object:
        # it does not know the collation that costs half
        known = [part for part in command if not part.startswith(("--locale-p", "--builtin"))]
        return run(folder, *known, check=check)

    def older() -> Path:
        return postgres_programs.wheel().with_name("pginstall")

    with (
        mock.patch.object(postgres_programs, "folder", older),
        mock.patch.object(postgres, "run_as_server", run_older),
    ):
        yield


@contextlib.contextmanager
def postgres_16(state: Path) -> Iterator[Server]:
    """Yield a Postgres 16 with the template for warehouses."""
    with older_programs():
        server = postgres.start(state)
    try:
        make_template(server)
        yield server
    finally:
        with older_programs():
            postgres.remove(state)
