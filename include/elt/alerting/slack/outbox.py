"""What each message is to show is in ``ops.notification`` before it is sent. Its SQL."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import Json

from elt.alerting.slack.settings import CONNECTION_ID
from elt.warehouse.connection import transaction
from elt.warehouse.rows import rows_as

# libpq waits at least so long
CONNECT_SECONDS = 2
# of a payload that is no message but a file, in base 64
PICTURE = "picture"


@dataclass(frozen=True)
class Row:
    """A message that Slack lacks, or shows in an older version; or one that was not sent."""

    key: str
    # Airflow's
    connection_id: str
    channel: str | None
    payload: dict[str, Any]
    version: int
    slack_channel: str | None
    slack_ts: str | None
    attempts: int
    # seconds since 1970
    created_at: float
    parent_key: str | None
    thread_ts: str | None


def alert_key(run_id: str, channel: str | None) -> str:
    """Return the key of the message about what a run found: the same however often it is told."""
    return f"alert:{run_id}:{channel or 'webhook'}"


def upsert(
    cursor: Cursor,
    key: str,
    run_id: str,
    channel: str | None,
    payload: Mapping[str, Any],
    *,
    connection_id: str = CONNECTION_ID,
    kind: str = "alert",
    parent_key: str | None = None,
    change: bool = True,
) -> None:
    """Say what a message is to show from now on; the same as before changes nothing.

    Args:
        cursor: of a transaction as the role loader.
        key: the same for the same message.
        run_id: what it is about.
        channel: Slack's; None: that of the webhook, or another connection's than Slack's.
        payload: the message as Slack's API takes it; others get the same words.
        connection_id: the Airflow connection that sends it.
        kind: what it is for.
        parent_key: of the message in whose thread it stands.
        change: whether a message that Slack has already is to be changed.
    """
    cursor.execute(
        """
        insert into ops.notification as n
            (
                notification_key, run_id, connection_id, channel, payload, state, kind, parent_key,
                created_at
            )
        values (
            %(key)s, %(run_id)s, %(connection_id)s, %(channel)s, %(payload)s, 'pending', %(kind)s,
            %(parent_key)s,
            -- replies of one transaction come in their order
            clock_timestamp()
        )
        on conflict (notification_key) do update
        set payload = excluded.payload, version = n.version + 1, state = 'pending'
        where
            n.payload is distinct from excluded.payload
            and (%(change)s or n.sent_version is null)
        """,
        {
            "key": key,
            "run_id": run_id,
            "connection_id": connection_id,
            "channel": channel,
            "payload": Json(payload),
            "kind": kind,
            "parent_key": parent_key,
            "change": change,
        },
    )


def is_kept(cursor: Cursor, key: str) -> bool:
    """Tell whether there is a message of a key, sent or not."""
    cursor.execute("select from ops.notification where notification_key = %s", (key,))
    return cursor.rowcount == 1


def is_sent(cursor: Cursor, key: str) -> bool:
    """Tell whether people have some version of a message."""
    cursor.execute(
        "select from ops.notification where notification_key = %s and sent_version is not null",
        (key,),
    )
    return cursor.rowcount == 1


@contextlib.contextmanager
def only_sender(seconds: float) -> Iterator[None]:
    """Be the only one that sends. Wait so long for whoever does."""
    with short_transaction() as cursor:
        wait = max(100, int(1000 * seconds))
        cursor.execute("select set_config('lock_timeout', %s, true)", (f"{wait}ms",))
        cursor.execute("select set_config('statement_timeout', %s, true)", (f"{wait + 500}ms",))
        # in a mode that rights to read don't give; readers and writers go on
        cursor.execute("lock table ops.notification in share update exclusive mode")
        yield


@contextlib.contextmanager
def short_transaction() -> Iterator[Cursor]:
    """A loader's transaction that waits for nothing for long."""
    with transaction("loader", timeout_seconds=CONNECT_SECONDS) as cursor:
        timeout = f"{CONNECT_SECONDS}s"
        cursor.execute("select set_config('statement_timeout', %s, true)", (timeout,))
        yield cursor


def next_due(tried: set[tuple[str, int]], shut: set[str]) -> Row | None:
    """Return a message that is to be sent now.

    Args:
        tried: versions of keys that are not wanted again.
        shut: connections by which nothing gets through for now.
    """
    with short_transaction() as cursor:
        cursor.execute(
            """
            select
                n.notification_key as key,
                n.connection_id,
                n.channel,
                n.payload,
                n.version,
                -- a reply is where its message is
                coalesce(n.slack_channel, parent.slack_channel) as slack_channel,
                n.slack_ts,
                n.attempts,
                extract(epoch from n.created_at)::float8 as created_at,
                n.parent_key,
                parent.slack_ts as thread_ts
            from ops.notification as n
            left join ops.notification as parent on n.parent_key = parent.notification_key
            where
                n.state <> 'sent'
                and n.connection_id <> all (%s)
                and (
                    n.next_try_at <= clock_timestamp()
                    -- nothing waits for so long: the clock was set back since
                    or n.next_try_at > clock_timestamp() + interval '1 hour'
                )
                and (n.parent_key is null or parent.slack_ts is not null)
                and (n.notification_key, n.version)
                    not in (select * from unnest(%s::text[], %s::integer[]))
            order by n.parent_key is not null, n.created_at, n.notification_key
            limit 1
            """,
            (list(shut), [key for key, _ in tried], [version for _, version in tried]),
        )
        rows = rows_as(cursor, Row)
    return rows[0] if rows else None


def drop_sent_pictures(cursor: Cursor) -> None:
    """Keep no picture that Slack has."""
    cursor.execute(
        "update ops.notification set payload = payload - %(picture)s "
        "where state = 'sent' and jsonb_exists(payload, %(picture)s)",
        {"picture": PICTURE},
    )


def make_due() -> None:
    """Have all that waits tried at once, for later nobody may be there to try."""
    with short_transaction() as cursor:
        cursor.execute(
            "update ops.notification set next_try_at = '-infinity' where state <> 'sent'"
        )


def mark_attempt(row: Row) -> None:
    """Write down that the message may be in Slack from now on."""
    with short_transaction() as cursor:
        cursor.execute(
            "update ops.notification set attempts = attempts + 1 where notification_key = %s",
            (row.key,),
        )


def settle_sent(
    row: Row, slack_channel: str | None, slack_ts: str | None, note: str | None
) -> None:
    """Write down that Slack has this version of a message, and where.

    Args:
        row: the message as it was sent.
        slack_channel: Slack's id of the channel; None: as it was.
        slack_ts: Slack's id of the message; None: as it was.
        note: what went otherwise than meant, in a sentence; None: nothing.
    """
    with short_transaction() as cursor:
        cursor.execute(
            """
            update ops.notification
            set state = case when version = %(version)s then 'sent' else 'pending' end,
                sent_version = %(version)s,
                sent_at = coalesce(sent_at, clock_timestamp()),
                slack_channel = coalesce(%(slack_channel)s, slack_channel),
                slack_ts = coalesce(%(slack_ts)s, slack_ts),
                next_try_at = '-infinity',
                error = %(note)s
            where notification_key = %(key)s
            """,
            {
                "key": row.key,
                "version": row.version,
                "slack_channel": slack_channel or row.slack_channel,
                "slack_ts": slack_ts,
                "note": note,
            },
        )


def settle_failed(row: Row, error: str, wait_seconds: float, channel: str | None) -> None:
    """Write down why Slack does not have it, when to try again, and in which channel.

    Args:
        row: the message that was tried.
        error: in a sentence, without any secret.
        wait_seconds: from now to the next try.
        channel: the name of the one to try then; None: the webhook's.
    """
    with short_transaction() as cursor:
        cursor.execute(
            """
            update ops.notification
            set state = 'failed',
                error = %(error)s,
                channel = %(channel)s,
                next_try_at = clock_timestamp() + %(wait)s * interval '1 second'
            where notification_key = %(key)s
            """,
            {"key": row.key, "error": error, "channel": channel, "wait": wait_seconds},
        )
