"""A Postgres server that may be killed."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path

from devtools.local import postgres
from tests.support.warehouse import make_template, set_for_tests


@dataclasses.dataclass(frozen=True)
class KillableServer:
    folder: Path
    server: postgres.Server

    def kill(self) -> None:
        """End it where it is: nothing is written that is not written already."""
        postgres._pg_ctl(self.server, "stop", "--mode=immediate")

    def start(self) -> None:
        assert postgres.start(self.folder).port == self.server.port


@contextlib.contextmanager
def killable_server(folder: Path) -> Iterator[KillableServer]:
    """Yield a server of its own in a folder, with a template for warehouses."""
    server = postgres.start(folder)
    try:
        set_for_tests(server)
        make_template(server)
        yield KillableServer(folder, server)
    finally:
        postgres.remove(folder)
