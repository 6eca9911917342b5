"""Slack is told of a run before its Airflow, which sends the messages, is ended."""

from __future__ import annotations

import contextlib
import logging
import time

from devtools.local.postgres import Server
from elt.alerting.messages.phrases import count
from elt.warehouse.rows import one_value

log = logging.getLogger(__name__)

# the callback itself takes 10 s at most, and Airflow some time to begin it
SECONDS = 20
# a last attempt to send what waits
LAST_ATTEMPT_SECONDS = 10


def wait_until_told(server: Server, run_id: str, state: str, seconds: float = SECONDS) -> bool:
    """Return whether Slack was told of the end of a run, or there is nothing to tell."""
    deadline = time.monotonic() + seconds
    with contextlib.closing(server.connect("analyst")) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("select to_regclass('ops.run_told') is not null")
        if not one_value(cursor):
            return False
        cursor.execute(
            "select exists (select from ops.incident where state = 'open') "
            "or exists (select from ops.notification where state = 'pending')"
        )
        if state == "success" and not one_value(cursor):
            return True
        # asked once in any case: to connect may have taken as long
        while True:
            cursor.execute(
                "select exists (select from ops.run_told where (run_id, state) = (%s, %s)) "
                "and not exists (select from ops.notification where state = 'pending')",
                (run_id, state),
            )
            if one_value(cursor):
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.3)


def send_what_waits(server: Server, seconds: float = LAST_ATTEMPT_SECONDS) -> None:
    """Try once more to send what Slack lacks, now and not when it would be due. Never raises."""
    if not _waiting(server):
        return
    from elt.alerting.channels import find_channels, find_slack
    from elt.alerting.slack import delivery, outbox
    from elt.time_limit import Deadline, within

    def send() -> None:
        if channels := find_channels():
            outbox.make_due()
            delivery.deliver(find_slack(channels), Deadline(seconds))

    try:
        within(seconds + 2, send)
    except Exception as error:
        log.info("The last attempt to tell Slack did not end: %s", type(error).__name__)


def what_waits(server: Server, *, airflow_is_up: bool) -> str | None:
    """Return in words how many messages wait for Slack, why, and what will send them."""
    errors = _waiting(server)
    if not errors:
        return None
    reason = next((error for error in errors if error), "none was sent yet.")
    them = "it" if len(errors) == 1 else "them"
    sender = (
        f"Airflow, which is up, sends {them} within five minutes of Slack's return"
        if airflow_is_up
        else f"The next `make run` sends {them}, and so does `make up`, which looks each 5 minutes"
    )
    waits = "waits" if len(errors) == 1 else "wait"
    said = f"{count(len(errors), 'message')} to Slack {waits}: {reason}"
    return f"{said}\n{sender}."


def _waiting(server: Server) -> list[str | None]:
    """Return why each message that Slack lacks was not sent, the one tried last first."""
    with contextlib.closing(server.connect("analyst")) as connection, connection.cursor() as cursor:
        cursor.execute("select to_regclass('ops.notification') is not null")
        if not one_value(cursor):
            return []
        cursor.execute(
            "select error from ops.notification where state <> 'sent' order by next_try_at desc"
        )
        return [error for (error,) in cursor]
