"""One message a day about what is odd but stops nothing, put into the outbox."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Literal

from psycopg2.extensions import cursor as Cursor

from elt.alerting.messages import blocks, phrases
from elt.alerting.messages.blocks import instant, line, link
from elt.alerting.messages.phrases import count, excused, failed_test, name_of
from elt.alerting.slack import outbox
from elt.alerting.slack.settings import Channel
from elt.publishing import rollback
from elt.shop import SHOP
from elt.transform.lineage import Lineage
from elt.transform.project import business_timezone
from elt.warehouse.rows import one_value, rows_as

MOST_WARNINGS = 20
# a test that says itself what is odd may say several things
SENTENCE_LIMIT = 800
YELLOW = "#ecb22e"
Kind = Literal["test", "source", "quarantine", "pin"]
# what people can mend first
TITLES: Mapping[Kind, str] = {
    "pin": "What an operator decided",
    "quarantine": "Rows that wait in quarantine",
    "source": "What came from the source",
    "test": "Tests that warn",
}
WHERE_TO_LOOK = (
    "These stop nothing: what passed its tests is published. Rows in quarantine: `select * from "
    "ops.quarantine where resolved_at is null`, then `make replay-quarantine`. Columns and files: "
    "`ops.load_warning`. Tests: the log of their model in the last run."
)


@dataclass(frozen=True)
class Warned:
    """Something odd, in a sentence without its full stop, and since when (UTC) it has been so."""

    kind: Kind
    sentence: str
    since: datetime
    owner: str | None = None
    # whether it is about numbers that are not as usual: such a test says itself what is odd
    is_unusual: bool = False


def build_digest(warned: Collection[Warned], day: date, more_url: str | None) -> dict[str, Any]:
    """Return the payload of a day's digest, the same for the same warnings.

    Args:
        day: of the business.
        more_url: where the rest can be seen.
    """
    # what is new is not lost below what everybody knows
    newest = sorted(warned, key=lambda one: (-one.since.timestamp(), one.sentence))
    shown = newest[:MOST_WARNINGS]
    headline = f"{count(len(warned), 'warning')} about {SHOP.title}'s data, {day:%-d %b %Y}"
    texts = []
    for kind, title in TITLES.items():
        lines = [_warning_line(one) for one in shown if one.kind == kind]
        texts += blocks.packed([f"*{title}*", *lines]) if lines else []
    if (rest := len(newest) - len(shown)) > 0:
        texts.append(link(more_url, f"and {rest:,} more →"))
    return {
        "text": blocks.fallback(headline, [_warning_line(one) for one in newest]),
        "blocks": [
            blocks.header(f":large_yellow_circle: {headline}"),
            *(blocks.section(text) for text in texts),
            *blocks.buttons({"Open the runs": more_url}),
        ],
        "attachments": [{"color": YELLOW, "blocks": [blocks.context(WHERE_TO_LOOK)]}],
    }


def _warning_line(one: Warned) -> str:
    owner = f" ({line(one.owner.partition('@')[0], 80)})" if one.owner else ""
    return f"• {line(one.sentence, SENTENCE_LIMIT)}; since {instant(one.since)}{owner}"


def _runs_ended_since(cursor: Cursor, start: datetime) -> list[str]:
    cursor.execute(
        "select run_id from ops.run_told where state in ('success', 'failed') and told_at >= %s",
        (start,),
    )
    return [run_id for (run_id,) in cursor]


def _digest_before(cursor: Cursor, start: datetime) -> datetime | None:
    """Return when the last digest before a moment was written."""
    cursor.execute(
        "select max(created_at) from ops.notification where kind = 'warnings' and created_at < %s",
        (start,),
    )
    written_at: datetime | None = one_value(cursor)
    return written_at


@dataclass(frozen=True)
class _LastWarning:
    unique_id: str
    failures: int | None
    owner: str | None
    sample: dict[str, Any] | None
    since: datetime


@dataclass(frozen=True)
class _Waiting:
    table_name: str
    is_replayable: bool
    rows: int
    since: datetime


def warned_tests(cursor: Cursor, run_ids: list[str], nodes: Mapping[str, Any]) -> list[Warned]:
    """Return the tests and freshness checks whose last result in these runs is a warning.

    Args:
        cursor: of a transaction as the role loader.
        run_ids: of the runs.
        nodes: the manifest's; without a node it goes by what its id tells.
    """
    cursor.execute(
        """
        with latest as (
            select distinct on (unique_id) unique_id, status, failures, owner, sample
            from ops.node_result
            where run_id = any (%s)
            order by unique_id, moment desc
        )
        select
            unique_id, failures, owner, sample,
            (
                select min(warned.finished_at)
                from ops.node_result as warned
                where
                    warned.unique_id = latest.unique_id
                    and warned.status = 'warn'
                    and warned.moment > coalesce(
                        (
                            select max(other.moment)
                            from ops.node_result as other
                            where other.unique_id = latest.unique_id and other.status <> 'warn'
                        ),
                        0
                    )
            ) as since
        from latest
        where status = 'warn'
        order by unique_id
        """,
        (run_ids,),
    )
    found = []
    for one in rows_as(cursor, _LastWarning):
        if one.unique_id.startswith("source."):
            sentence = f"`{name_of(one.unique_id)}` is older than it should be"
        else:
            sentence = failed_test(
                one.unique_id, nodes.get(one.unique_id), one.failures, one.sample
            )
            sentence += excused(one.sample)
        is_unusual = phrases.SENTENCE in (one.sample or {}).get("columns", ())
        found.append(Warned("test", sentence, one.since, one.owner, is_unusual))
    return found


def _warned_loads(cursor: Cursor, since: datetime) -> list[Warned]:
    """Return what loads have noticed since a moment, and columns that are still amiss."""
    cursor.execute(
        """
        with last_load as (
            select distinct on (table_name) table_name, source_columns
            from ops.load
            where source_columns is not null
            order by table_name, load_id desc
        )
        select message, warned_at as since
        from ops.load_warning
        left join last_load using (table_name)
        where
            warned_at > %s
            or (kind = 'unknown_column' and detail = any (source_columns))
            or (kind = 'missing_column' and detail <> all (source_columns))
        order by warning_id
        """,
        (since,),
    )

    def warned(message: str, since: datetime) -> Warned:
        return Warned("source", message.rstrip("."), since)

    return rows_as(cursor, warned)


def _waiting_rows(cursor: Cursor, since: datetime) -> list[Warned]:
    """Return which tables have rows that wait, and doubles that were left out since a moment."""
    cursor.execute(
        """
        select table_name, is_replayable, count(*) as rows, min(quarantined_at) as since
        from ops.quarantine
        where resolved_at is null and (is_replayable or quarantined_at > %s)
        group by table_name, is_replayable
        order by table_name, is_replayable desc
        """,
        (since,),
    )
    found = []
    for one in rows_as(cursor, _Waiting):
        waiting = f"{count(one.rows, 'row')} of `{one.table_name}`"
        what = "not loaded yet" if one.is_replayable else "left out: another row has the same key"
        found.append(Warned("quarantine", f"{waiting} {what}", one.since))
    return found


def _pins(cursor: Cursor) -> list[Warned]:
    """Return whether an operator has an older publication shown, lest that be forgotten."""
    held = rollback.active_pin(cursor)
    if held is None:
        return []
    sentence = "A publication was rolled back: none is shown before `make release`"
    return [Warned("pin", sentence, held.pinned_at)]


def keep_digest(
    channel: Channel, now: datetime, *, runs_url: str | None = None, manifest: Path | None = None
) -> bool:
    """Say what the digest of today is to show, once a run has ended today.

    The key is the day of the business, so there is one however many runs there are. A bot's is
    changed in place when there is more to warn of.

    Args:
        channel: where it is to go.
        now: with its time zone; the day of the business is told by it.
        runs_url: the page of the DAG's runs in Airflow; None where its address is not known.
        manifest: the file of dbt's manifest; None: nodes go by what their ids tell.

    Returns:
        Whether there is something to warn of.
    """
    zone = business_timezone()
    day = now.astimezone(zone).date()
    start = datetime.combine(day, time.min, zone)
    with outbox.short_transaction() as cursor:
        run_ids = _runs_ended_since(cursor, start)
        if not run_ids:
            return False
        since = _digest_before(cursor, start) or start - timedelta(days=1)
        nodes = Lineage.read(manifest).nodes if manifest else {}
        warned = [
            *_pins(cursor),
            *warned_tests(cursor, run_ids, nodes),
            *_warned_loads(cursor, since),
            *_waiting_rows(cursor, since),
        ]
        if warned:
            key = f"warnings:{day}"
            outbox.upsert(
                cursor,
                key if channel.is_slack else f"{key}:{channel.for_warnings}",
                f"warnings {day}",
                payload=build_digest(warned, day, runs_url),
                **channel.address(channel.for_warnings),
                kind="warnings",
                change=channel.is_bot,
            )
    return bool(warned)
