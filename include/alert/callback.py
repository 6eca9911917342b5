"""The DAG's failure callback: one message to Slack for a failed run, and never any harm."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from include.alert import hint, message, outbox, report, slack, store
from include.alert.bounded import within
from include.alert.channel import (
    CONNECTION_ID,
    SlackSettingsError,
    find_channel,
    slack_is_configured,
)
from include.alert.collect import in_words
from include.transform.lineage import Lineage
from include.transform.manifest import newest_manifest
from include.warehouse.connection import transaction

log = logging.getLogger(__name__)

# libpq waits at least so long
CONNECT_SECONDS = 2
NO_CONNECTION = (
    f"Airflow has no connection `{CONNECTION_ID}`. "
    "Make one of type Slack API (bot token) or Slack Incoming Webhook."
)


@dataclass(frozen=True)
class Patience:
    """How long Slack and the warehouse may hold us, in seconds."""

    all: float = 9.5
    warehouse: float = 3
    sending: float = 4.5
    # to one try of sending
    answer: float = 4


PATIENCE = Patience()


def warn_if_nobody_is_told(logger: logging.Logger = log) -> None:
    """Say in the log, once for a run, that a failure would reach nobody."""
    if not slack_is_configured():
        logger.warning("Nobody is told if this run fails: %s", NO_CONNECTION)


def tell_slack(
    context: Mapping[str, Any], *, manifest: Path | None = None, patience: Patience = PATIENCE
) -> None:
    """Send one message about a failed run. Never raises, and holds nobody longer than 10 s.

    Airflow calls this in the DAG processor when a run has failed, perhaps more than once.

    Args:
        manifest: dbt's manifest; by default the newest one beside the dbt project.
    """
    try:
        _tell(hint.read(context), manifest or newest_manifest(), patience)
    except SlackSettingsError as error:
        log.error("Slack was not told of the failed run: %s.", error)
    except Exception as error:
        log.error("Slack was not told of the failed run: %s", in_words(error))


def _tell(about: hint.Hint, manifest: Path | None, patience: Patience) -> None:
    channel = find_channel()
    if channel is None:
        log.warning("The run %s failed and nobody is told: %s", about.run_id, NO_CONNECTION)
        return
    end = time.monotonic() + patience.all
    facts = _ask(about.run_id, patience)
    run = report.failed_run(about, facts, _read(manifest), datetime.now(UTC))
    payload = message.build(run).payload()
    claim = None
    if facts is not None:
        claim = outbox.Claim(run.key, about.run_id, channel.name, payload, CONNECT_SECONDS)
        try:
            left = end - time.monotonic() - patience.sending
            if not within(min(patience.warehouse, left), claim.take):
                log.info("Slack was told already what failed in the run %s.", about.run_id)
                return
        except Exception as error:
            log.warning("The message is sent but not kept in ops: %s", in_words(error))
            claim = None
    outcome = slack.send(channel, payload, answer_seconds=patience.answer, seconds=patience.sending)
    if outcome.error:
        log.error("Slack was not told of the failed run %s: %s", about.run_id, outcome.error)
    else:
        log.info("Slack was told that the run %s failed.", about.run_id)
    if claim is not None:
        try:
            within(max(0.5, end - time.monotonic()), claim.settle, outcome.error)
        except Exception as error:
            log.warning("What became of the message is not kept in ops: %s", in_words(error))


def _ask(run_id: str, patience: Patience) -> store.Facts | None:
    def ask() -> store.Facts:
        with transaction("loader", timeout_seconds=CONNECT_SECONDS) as cursor:
            return store.read_facts(cursor, run_id)

    try:
        return within(patience.warehouse, ask)
    except Exception as error:
        log.warning("What failed is not known, so Slack hears little: %s", in_words(error))
        return None


def _read(manifest: Path | None) -> Lineage | None:
    try:
        return Lineage.read(manifest) if manifest else None
    except (OSError, ValueError, KeyError) as error:
        log.warning("dbt's manifest could not be read: %s", error)
        return None
