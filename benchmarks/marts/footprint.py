"""The disk and the memory that marts take."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

import psutil

from devtools.local import postgres

# what is loaded; what is built, tested and shown; what is kept to undo and to tell
PARTS = {
    "raw": "raw",
    "built": "staging intermediate marts_build snapshots untested",
    "shown": "marts",
    "kept": "ops",
}


class OwnMemory(threading.Thread):
    """Watches what this process and the backends of a server have to themselves, in bytes."""

    def __init__(self, postmaster: psutil.Process) -> None:
        super().__init__(daemon=True)
        self.processes, self.peak, self.is_over = (psutil.Process(), postmaster), 0, False

    def run(self) -> None:
        pause = threading.Event()
        while not self.is_over:
            ours = [self.processes[0], *self.processes[1].children()]
            self.peak = max(self.peak, sum(map(self._own, ours)))
            pause.wait(0.1)

    @staticmethod
    def _own(process: psutil.Process) -> int:
        try:
            used = process.memory_info()
        except psutil.Error:
            return 0
        return used.rss - used.shared

    def __enter__(self) -> OwnMemory:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.is_over = True
        self.join()


def ask(server: postgres.Server, statement: str) -> Any:
    with contextlib.closing(server.connect("postgres")) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else None


def disk(server: postgres.Server) -> dict[str, int]:
    """Return the bytes of each part of the warehouse, with indexes."""
    sizes = dict(
        ask(
            server,
            "select nspname, sum(pg_total_relation_size(pg_class.oid))::bigint from pg_class"
            " inner join pg_namespace on pg_namespace.oid = relnamespace"
            " where relkind = 'r' group by 1",
        )
    )
    return {
        part: sum(sizes.get(schema, 0) for schema in schemas.split())
        for part, schemas in PARTS.items()
    }
