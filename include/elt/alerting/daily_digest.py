"""The daily digest of warnings: what ``ops`` knows, put into the outbox once for each day."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from pathlib import Path

from elt.alerting import warnings
from elt.alerting.messages import digest
from elt.alerting.slack import outbox
from elt.alerting.slack.settings import Channel
from elt.transform.lineage import Lineage
from elt.transform.project import business_timezone


def keep_digest(
    channel: Channel, now: datetime, *, runs_url: str | None = None, manifest: Path | None = None
) -> bool:
    """Say what the digest of today is to show, once a run has ended today.

    The key is the day of the business, so there is one however many runs there are. A bot's is
    changed in place when there is more to warn of. Return whether there is something to warn of.
    """
    zone = business_timezone()
    day = now.astimezone(zone).date()
    start = datetime.combine(day, time.min, zone)
    with outbox.short_transaction() as cursor:
        run_ids = warnings.runs_ended_since(cursor, start)
        if not run_ids:
            return False
        since = warnings.digest_before(cursor, start) or start - timedelta(days=1)
        nodes = Lineage.read(manifest).nodes if manifest else {}
        warned = [
            *warnings.pins(cursor),
            *warnings.tests(cursor, run_ids, nodes),
            *warnings.loads(cursor, since),
            *warnings.quarantine(cursor, since),
        ]
        if warned:
            outbox.wish(
                cursor,
                f"warnings:{day}",
                f"warnings {day}",
                channel.for_warnings,
                digest.build(warned, day, runs_url),
                kind="warnings",
                change=channel.is_bot,
            )
    return bool(warned)
