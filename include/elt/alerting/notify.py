"""Look at a run and bring Slack up to date, within a few seconds and whatever is broken."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from elt.alerting import incident_store, run_facts
from elt.alerting.messages import message
from elt.alerting.record_results import in_words
from elt.alerting.report import Report, report_on
from elt.alerting.run_context import Hint
from elt.alerting.schedule_messages import alert_key, plan, story_without_memory
from elt.alerting.slack import delivery, lookup
from elt.alerting.slack.client import Slack
from elt.alerting.slack.settings import Channel, find_channel
from elt.alerting.time_limit import Deadline, within
from elt.transform.lineage import Lineage
from elt.warehouse.connection import transaction

log = logging.getLogger(__name__)

# libpq waits at least so long
CONNECT_SECONDS = 2
SETTLE_SECONDS = 0.7


@dataclass(frozen=True)
class Patience:
    """How long Slack and the warehouse may hold us, in seconds."""

    all: float = 9.5
    # for each of two transactions
    warehouse: float = 2.5
    # to look up whom to mention
    names: float = 1.5
    # to one call of Slack
    answer: float = 4


PATIENCE = Patience()


def tell(about: Hint, manifest: Path | None, at: datetime, patience: Patience = PATIENCE) -> bool:
    """Bring Slack up to date on a run: at once what can be sent at once, the rest is kept.

    Args:
        at: when what is told was so, UTC: now, or the end of a run that is told late.

    Returns:
        Whether nothing can get lost any more: it is kept, or Slack has it.

    Raises:
        SlackSettingsError: if the connection can't be used.
    """
    channel = find_channel()
    if channel is None:
        return False
    deadline = Deadline(patience.all)
    try:
        facts = within(deadline.left(patience.warehouse), _ask, about)
    except Exception as error:
        _log_warehouse(error)
        report = report_on(about, None, None, at)
        return _tell_without_warehouse(report, channel, deadline)
    if facts is None:
        return True
    report = report_on(about, facts, _read(manifest), at)
    return tell_report(report, channel, patience, deadline)


def tell_report(
    report: Report,
    channel: Channel,
    patience: Patience = PATIENCE,
    deadline: Deadline | None = None,
    *,
    is_run: bool = True,
) -> bool:
    """The same for what is known already; ``is_run``: whether it is about a run of Airflow's."""
    deadline = deadline or Deadline(patience.all)
    mentions = _mentions(channel, report, deadline, patience)
    try:
        within(deadline.left(patience.warehouse), _plan, report, channel, mentions, is_run)
    except Exception as error:
        _log_warehouse(error)
        return _tell_without_warehouse(report, channel, deadline)
    try:
        # Slack's last answer must still be written down
        of_slack = Deadline(deadline.left() - SETTLE_SECONDS)
        answer = patience.answer
        _log(report.hint, within(deadline.left(), delivery.deliver, channel, of_slack, answer))
    except Exception as error:
        log.warning("What Slack lacks is kept and sent later: %s", in_words(error))
    return True


def _ask(about: Hint) -> run_facts.Facts | None:
    """Return what ``ops`` knows of a run; None: there is nothing to tell."""
    with transaction("loader", timeout_seconds=CONNECT_SECONDS) as cursor:
        _hurry(cursor)
        if about.state == "success" and incident_store.is_quiet(cursor, about.run_id):
            incident_store.keep_told(cursor, about)
            return None
        return run_facts.read_facts(cursor, about.run_id)


def _plan(report: Report, channel: Channel, mentions: Mapping[str, str], is_run: bool) -> None:
    with transaction("loader", timeout_seconds=CONNECT_SECONDS) as cursor:
        _hurry(cursor)
        plan(cursor, report, channel, mentions)
        if is_run:
            incident_store.keep_told(cursor, report.hint)


def _hurry(cursor) -> None:
    cursor.execute("select set_config('statement_timeout', %s, true)", (f"{CONNECT_SECONDS}s",))


def _mentions(
    channel: Channel, report: Report, deadline: Deadline, patience: Patience
) -> dict[str, str]:
    owners = {failure.owner for failure in report.failures if failure.owner}
    if not channel.is_bot or not owners:
        return {}

    def look_up() -> dict[str, str]:
        slack = Slack(channel, Deadline(patience.names), patience.answer)
        with transaction("loader", timeout_seconds=CONNECT_SECONDS) as cursor:
            return lookup.mentions(slack, channel, owners, cursor)

    try:
        return within(deadline.left(patience.names), look_up)
    except Exception as error:
        log.info("Owners are named but not mentioned: %s", in_words(error))
        return {}


def _tell_without_warehouse(report: Report, channel: Channel, deadline: Deadline) -> bool:
    about = report.hint
    if about.state == "success":
        return False
    tells = about.longer_than or (about.failed_tasks and channel.is_bot)
    if about.state == "running" and not tells:
        return False
    payload = message.build(story_without_memory(report, channel))
    error = delivery.send_unkept(channel, alert_key(about.run_id, channel.name), payload, deadline)
    _log(about, [error] if error else [])
    return not error


def _log_warehouse(error: Exception) -> None:
    log.warning("The warehouse does not help to tell of the run: %s", in_words(error))


def _log(about: Hint, errors: list[str]) -> None:
    for error in errors:
        log.error("Slack was not told all about the run %s: %s", about.run_id, error)
    if not errors:
        log.info("Slack is up to date on the run %s.", about.run_id)


def _read(manifest: Path | None) -> Lineage | None:
    try:
        return Lineage.read(manifest) if manifest else None
    except (OSError, ValueError, KeyError) as error:
        log.warning("dbt's manifest could not be read: %s", error)
        return None
