"""Messages by e-mail, through the SMTP connection that Airflow's own notifier uses."""

from __future__ import annotations

import smtplib
from collections.abc import Callable, Mapping
from typing import Any

from airflow.sdk import Connection

from elt.alerting.messages import plain
from elt.alerting.slack.outcome import Outcome
from elt.alerting.slack.settings import ChannelError, names


def sender(connection: Connection) -> Callable[[Mapping[str, Any], float], Outcome]:
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

    def send(payload: Mapping[str, Any], _: float) -> Outcome:
        return _send(connection_id, to, payload)

    return send


def _send(connection_id: str, to: tuple[str, ...], payload: Mapping[str, Any]) -> Outcome:
    from airflow.providers.smtp.hooks.smtp import SmtpHook

    try:
        with SmtpHook(smtp_conn_id=connection_id) as hook:
            hook.send_email_smtp(
                to=list(to),
                subject=plain.title(payload),
                html_content=plain.as_html(payload),
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
