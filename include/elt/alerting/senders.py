"""What sends a message elsewhere than to Slack: by mail, or to a webhook in its receiver's form.

A mail goes through the SMTP connection that Airflow's own notifier uses. A webhook gets a text, a
card or an event.
"""

from __future__ import annotations

import hashlib
import json
import smtplib
from collections.abc import Callable, Iterable, Mapping
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from airflow.sdk import Connection

from elt.alerting.messages import blocks
from elt.alerting.redact import shorten
from elt.alerting.slack.outcome import Outcome, retry_after
from elt.alerting.slack.settings import ChannelError, names
from elt.shop import SHOP

PAGERDUTY_URL = "https://events.pagerduty.com/v2/enqueue"
SUMMARY_LIMIT = 1024
# Teams refuses cards of more than 28 KB
CARD_LIMIT = 12_000
Payload = Mapping[str, Any]


def as_text(payload: Payload) -> dict[str, Any]:
    """Return a message as Mattermost, Rocket.Chat and the like take it."""
    return {"text": blocks.text_of(payload)}


def as_card(payload: Payload) -> dict[str, Any]:
    """Return a message as an adaptive card, the one form that Teams' workflows take."""
    headline, *rest = blocks.lines_of(payload)
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            {"type": "TextBlock", "text": headline, "weight": "Bolder", "wrap": True},
            # one line break alone is none in a card
            *(
                {"type": "TextBlock", "text": line, "wrap": True, "spacing": "Small"}
                for line in shorten_lines(rest)
            ),
        ],
        "actions": [
            {"type": "Action.OpenUrl", "title": label, "url": url}
            for label, url in blocks.links_of(payload).items()
        ],
    }
    content_type = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": content_type, "content": card}]}


def shorten_lines(lines: Iterable[str], limit: int = CARD_LIMIT) -> list[str]:
    """Return lines until they are longer than a limit in all, in bytes."""
    kept: list[str] = []
    for line in filter(None, lines):
        limit -= len(line.encode())
        if limit < 0:
            return [*kept, "…"]
        kept.append(line)
    return kept


def as_event(payload: Payload, routing_key: str) -> dict[str, Any]:
    """Return a message as an event of PagerDuty: what fails, who looks at it, that it is mended."""
    event = payload.get("event") or {"action": "trigger", "key": blocks.title_of(payload)}
    sent = {
        "routing_key": routing_key,
        "event_action": event["action"],
        # of at most 255 characters; a run's id may be as long
        "dedup_key": hashlib.sha256(event["key"].encode()).hexdigest(),
    }
    if event["action"] != "trigger":
        return sent
    return {
        **sent,
        "client": SHOP.title,
        "links": [{"href": url, "text": text} for text, url in blocks.links_of(payload).items()],
        "payload": {
            "summary": shorten(blocks.title_of(payload), SUMMARY_LIMIT),
            "source": SHOP.dag_id,
            "severity": "error" if payload.get("event") else "warning",
            "custom_details": {"text": blocks.text_of(payload)},
        },
    }


FORMS: Mapping[str, Callable[[Payload], dict[str, Any]]] = {"text": as_text, "teams": as_card}


def sender(connection: Connection) -> Callable[[Payload, float], Outcome]:
    """Return what sends by a connection.

    Raises:
        ChannelError: if it can't be used.
    """
    if connection.conn_type == "smtp":
        return _mail_sender(connection)
    return _webhook_sender(connection)


def _webhook_sender(connection: Connection) -> Callable[[Payload, float], Outcome]:
    """Return what posts a message to the webhook of a connection.

    Its password is the URL, for whoever knows that can write there; PagerDuty's is its routing key,
    and the URL may stand in the extra.

    Raises:
        ChannelError: if it has no such URL, or asks for a form that there is not.
    """
    extra, connection_id, secret = (
        connection.extra_dejson,
        connection.conn_id,
        connection.password or "",
    )
    form = extra.get("form", "text")
    if form not in (*FORMS, "pagerduty"):
        raise ChannelError(
            f"the connection `{connection_id}` asks for the form {form}; "
            f"there are {', '.join(FORMS)} and pagerduty"
        )
    if not secret:
        what = "routing key" if form == "pagerduty" else "URL"
        raise ChannelError(
            f"the connection `{connection_id}` has no password; it holds the webhook's {what}"
        )
    url = extra.get("url", PAGERDUTY_URL) if form == "pagerduty" else secret
    if not url.startswith(("https://", "http://")):
        raise ChannelError(
            f"the password of the connection `{connection_id}` is no URL; put the webhook's into it"
        )

    def send(payload: Payload, seconds: float) -> Outcome:
        body = as_event(payload, secret) if form == "pagerduty" else FORMS[form](payload)
        return _post(connection_id, url, body, seconds)

    return send


def _post(connection_id: str, url: str, body: Mapping[str, Any], seconds: float) -> Outcome:
    headers = {"Content-Type": "application/json"}
    request = Request(url, json.dumps(body).encode(), headers, method="POST")
    try:
        with urlopen(request, timeout=seconds):
            return Outcome()
    except HTTPError as error:
        with error:
            return Outcome(
                f"The webhook of `{connection_id}` answered HTTP {error.code}.",
                code=f"http_{error.code}",
                again_after=retry_after(error.code, dict(error.headers.items())),
                is_unclear=error.code >= 500,
            )
    except URLError as error:
        if isinstance(error.reason, TimeoutError):
            raise error.reason from None
        return Outcome(f"The webhook of `{connection_id}` can't be reached.")
    except HTTPException as error:
        # what it says may repeat the URL
        said = f"The webhook of `{connection_id}` can't be asked: {type(error).__name__}."
        return Outcome(said, is_unclear=True)


def _mail_sender(connection: Connection) -> Callable[[Payload, float], Outcome]:
    """Return what sends a message by an SMTP connection.

    Raises:
        ChannelError: if it says neither from whom nor to whom.
    """
    extra, connection_id = connection.extra_dejson, connection.conn_id
    if not (extra.get("to") and extra.get("from_email")):
        raise ChannelError(
            f"the connection `{connection_id}` does not say from whom and to whom; put "
            '{"from_email": "greenery@shop.example", "to": ["data@shop.example"]} into its extra'
        )
    to = names(extra["to"])

    def send(payload: Payload, _: float) -> Outcome:
        return _mail(connection_id, to, payload)

    return send


def _mail(connection_id: str, to: tuple[str, ...], payload: Payload) -> Outcome:
    from airflow.providers.smtp.hooks.smtp import SmtpHook

    try:
        with SmtpHook(smtp_conn_id=connection_id) as hook:
            hook.send_email_smtp(
                to=list(to),
                subject=blocks.title_of(payload),
                html_content=blocks.as_html(payload),
            )
    except smtplib.SMTPRecipientsRefused:
        return Outcome(f"The mail server of `{connection_id}` takes none of its recipients.", "to")
    except smtplib.SMTPResponseException as error:
        # a code of 4xx means that it may take it later; what it says may repeat an address
        said = f"The mail server of `{connection_id}` refused the message ({error.smtp_code})."
        return Outcome(said, code="" if error.smtp_code < 500 else str(error.smtp_code))
    except (ConnectionError, smtplib.SMTPServerDisconnected) as error:
        said = f"The mail server of `{connection_id}` can't be reached: {type(error).__name__}."
        return Outcome(said)
    return Outcome()
