"""Wait until Slack was told of a run: Airflow's callbacks run in a process that we may end."""

from __future__ import annotations

import contextlib
import time

from include.local.postgres import Server

# the callback itself takes 10 s at most, and Airflow some time to begin it
SECONDS = 20


def wait_until_told(server: Server, run_id: str, state: str, seconds: float = SECONDS) -> bool:
    """Return whether Slack was told of the end of a run, or there is nothing to tell."""
    deadline = time.monotonic() + seconds
    with contextlib.closing(server.connect("analyst")) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("select to_regclass('ops.run_told') is not null")
        if not cursor.fetchone()[0]:
            return False
        cursor.execute(
            "select exists (select from ops.incident where state = 'open') "
            "or exists (select from ops.notification where state = 'pending')"
        )
        if state == "success" and not cursor.fetchone()[0]:
            return True
        while time.monotonic() < deadline:
            cursor.execute(
                "select exists (select from ops.run_told where (run_id, state) = (%s, %s)) "
                "and not exists (select from ops.notification where state = 'pending')",
                (run_id, state),
            )
            if cursor.fetchone()[0]:
                return True
            time.sleep(0.3)
    return False
