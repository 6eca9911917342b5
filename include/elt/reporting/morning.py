"""The numbers of the morning: one message a day after a publication, for who wants it.

The cards of the report, what is odd about them, and a small chart. It reads what readers may read;
only what a test says is read with the rights of messages.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from psycopg2.extensions import cursor as Cursor

from elt.alerting.daily_digest import SENTENCE_LIMIT, warned_tests
from elt.alerting.messages import blocks
from elt.alerting.messages.blocks import line
from elt.alerting.record_results import describe_error
from elt.alerting.slack import outbox
from elt.alerting.slack.outbox import PICTURE
from elt.alerting.slack.settings import Channel
from elt.reporting import charts, numbers
from elt.reporting.page import delta
from elt.reporting.questions import Figure, figures, read_questions
from elt.shop import SHOP, Shop
from elt.transform.lineage import Lineage
from elt.transform.project import business_timezone
from elt.warehouse.connection import transaction
from elt.warehouse.rows import value_or_none

log = logging.getLogger(__name__)

# of the report's queries
SECONDS = 15
MOST_CARDS = 12
CHART_TITLE = "The last four weeks"


def keep_morning(
    channels: Iterable[Channel],
    now: datetime,
    *,
    shop: Shop = SHOP,
    report_url: str | None = None,
    manifest: Path | None = None,
) -> None:
    """Say what the message of this morning is to show, once something was published today.

    Never raises: nobody's run fails of it. Where nobody wants it, nothing is read.

    Args:
        channels: the ways to people; those that name no place for it are left out.
        now: with its time zone; the day of the business is told by it.
        shop: whose numbers they are.
        report_url: where the report can be read; None: it has no address.
        manifest: the file of dbt's manifest, for what tests say.
    """
    wanted = [channel for channel in channels if channel.morning_name]
    if not wanted:
        return
    try:
        _keep(wanted, now, shop, report_url, manifest)
    except Exception as error:
        log.error("The numbers of the morning are not told: %s", describe_error(error))


def _keep(
    channels: Sequence[Channel],
    now: datetime,
    shop: Shop,
    report_url: str | None,
    manifest: Path | None,
) -> None:
    zone = business_timezone()
    today = now.astimezone(zone).date()
    with outbox.short_transaction() as cursor:
        run_id = _published_since(cursor, datetime.combine(today, datetime.min.time(), zone))
        keys = {f"morning:{today}:{one.morning_name}": one for one in channels}
        lacking = {key: one for key, one in keys.items() if not outbox.is_kept(cursor, key)}
        if run_id is None or not lacking:
            return
        nodes = Lineage.read(manifest).nodes if manifest else {}
        warned = warned_tests(cursor, [run_id], nodes)
    odd = [one.sentence for one in warned if one.is_unusual]
    with transaction("reader") as cursor:
        cursor.execute("set transaction read only")
        cursor.execute("select set_config('statement_timeout', %s, true)", (f"{SECONDS}s",))
        last_day, shown = figures(cursor, read_questions(shop.report))
    if not shown:
        return
    headline = f"{shop.title}, {numbers.day(last_day)}"
    payload = build(headline, shown, odd, report_url)
    chart = _chart(last_day, shown) if any(one.is_bot for one in lacking.values()) else b""
    with outbox.short_transaction() as cursor:
        outbox.drop_sent_pictures(cursor)
        for key, channel in lacking.items():
            address = channel.address(channel.morning_name)
            about = f"morning {today}"
            outbox.upsert(
                cursor, key, about, payload=payload, **address, kind="morning", change=False
            )
            if chart and channel.is_bot:
                picture = {"text": CHART_TITLE, PICTURE: base64.b64encode(chart).decode()}
                outbox.upsert(
                    cursor,
                    f"{key}:chart",
                    about,
                    payload=picture,
                    **address,
                    kind="morning",
                    parent_key=key,
                    change=False,
                )


def _published_since(cursor: Cursor, start: datetime) -> str | None:
    """Return the run that published last, if that was after a moment and was not undone."""
    cursor.execute(
        "select run_id from ops.publication where undone_at is null and published_at >= %s "
        "order by publication_id desc limit 1",
        (start,),
    )
    return value_or_none(cursor, str)


def build(
    headline: str, shown: Sequence[Figure], odd: Sequence[str], report_url: str | None
) -> dict[str, Any]:
    """Return the payload of a morning's message.

    Args:
        headline: whose numbers they are, and of which day.
        shown: the cards of the report.
        odd: sentences about what is not as usual, without their full stop.
        report_url: where the report can be read.
    """
    lines = [_card(one) for one in shown[:MOST_CARDS]]
    unusual = [_odd(odd)] if odd else ["No number that is watched is out of its usual range."]
    return {
        "text": blocks.fallback(headline, [*unusual, *lines]),
        "blocks": [
            blocks.header(headline),
            *(blocks.section(text) for text in blocks.packed([*lines, *unusual])),
            *blocks.buttons({"Open the report": report_url}),
        ],
    }


def _card(figure: Figure) -> str:
    card = figure.card
    value = line(numbers.in_unit(card.unit, figure.value))
    changes = [
        f"{change} {since}"
        for before, since in (
            (figure.day_before, "on the day before"),
            (figure.week_before, "on the week before"),
        )
        if (change := delta(figure.value, before, card.unit)[0]) != numbers.NOTHING
    ]
    return f"*{line(card.label)}* {value}" + (f" ({', '.join(changes)})" if changes else "")


def _odd(sentences: Sequence[str]) -> str:
    more = f"; and {len(sentences) - 1:,} more" if len(sentences) > 1 else ""
    return f":warning: Not as usual: {line(sentences[0], SENTENCE_LIMIT)}{more}."


def _chart(last_day: Any, shown: Sequence[Figure]) -> bytes:
    """Return the last four weeks of the cards as a PNG; nothing where it can't be drawn."""
    columns = {f"{one.card.metric}_{one.card.unit or 'count'}": one for one in shown[:MOST_CARDS]}
    length = max(len(one.spark) for one in shown)
    rows: list[Mapping[str, Any]] = [
        {"day": last_day - timedelta(days=length - 1 - place)}
        | {column: one.spark[place] for column, one in columns.items()}
        for place in range(length)
    ]
    labels = {column: one.card.label for column, one in columns.items()}
    try:
        return charts.picture("day", list(columns), rows, labels)
    except ImportError as error:
        log.warning("The chart is left out, as %s is not installed.", error.name)
        return b""
