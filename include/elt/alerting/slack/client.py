"""What we ask of Slack, each call bounded in time, and how it went.

Nothing here raises for what Slack does.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from http.client import HTTPException
from typing import Any
from urllib.error import URLError

from elt.alerting.deadline import Deadline, within
from elt.alerting.slack.settings import CONNECTION_ID, Channel

ABOUT_THE_BLOCKS = {"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"}
ABOUT_THE_TOKEN = {
    "invalid_auth",
    "not_authed",
    "account_inactive",
    "token_revoked",
    "token_expired",
}
ABOUT_THE_WEBHOOK = {
    "invalid_token",
    "no_active_hooks",
    "no_service",
    "no_service_id",
    "no_team",
    "team_disabled",
}


def describe_refusal(status: int, code: str, channel: str | None, connection_id: str) -> str:
    """Return why Slack refused and what to do, without any secret.

    Args:
        status: of HTTP.
        code: Slack's word for the error, of a webhook the whole answer.
        channel: the name of the channel; None: the webhook's.
        connection_id: Airflow's connection to Slack.
    """
    where = f"the channel {channel}" if channel else "the webhook's channel"
    if code in ABOUT_THE_TOKEN:
        return (
            f"Slack does not accept the token of the connection `{connection_id}` ({code}): "
            "put the app's bot token (xoxb-…) into its password."
        )
    if code in ABOUT_THE_WEBHOOK:
        return (
            f"Slack does not know the webhook of the connection `{connection_id}` ({code}): "
            "make a new one and put it into the connection."
        )
    match code:
        case "channel_not_found":
            return (
                f"Slack has no channel for us called {channel or 'as the webhook says'} ({code}): "
                f"correct it in the extra of `{connection_id}`, or invite the bot to it."
            )
        case "not_in_channel":
            return f"The bot is not in {where} ({code}): type `/invite @its-name` there."
        case "is_archived" | "channel_is_archived":
            return f"Slack has put {where} away ({code}): restore it or name another one."
        case "missing_scope":
            return f"The bot may not write ({code}): give the app the scope chat:write."
    if status == 429:
        return "Slack takes no more messages for now (rate limited)."
    short = code if code.isidentifier() else f"HTTP {status}"
    return f"Slack refused the message ({short})."


def retry_after(status: int, headers: Mapping[str, Any]) -> float | None:
    """Return after how many seconds Slack wants to be asked again; None: not at all."""
    if status != 429:
        return None
    values = {name.lower(): value for name, value in headers.items()}
    try:
        return float(values.get("retry-after", 1))
    except (TypeError, ValueError):
        return 1


@dataclass(frozen=True)
class Outcome:
    """How a call went: no error means that Slack did it."""

    error: str | None = None
    # Slack's own word for the error
    code: str = ""
    # Slack surely did not do it, and may after so many seconds
    again_after: float | None = None
    # it may have been done all the same
    is_unclear: bool = False
    # what was sent had to be plain text
    is_plain: bool = False
    answer: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_about_blocks(self) -> bool:
        """Whether Slack refused how the message is laid out; its text alone may go through."""
        return self.code in ABOUT_THE_BLOCKS

    @property
    def is_about_us(self) -> bool:
        """Whether nothing else will get through either, until that is mended."""
        no_word = bool(self.error) and not self.code
        return no_word or self.code in ABOUT_THE_TOKEN | ABOUT_THE_WEBHOOK


def refused(status: int, code: str, headers: Mapping[str, Any], name: str | None) -> Outcome:
    """Return how it went from what Slack answered.

    Args:
        status: of HTTP.
        code: Slack's word for it, or what a webhook's answer says.
        headers: of the answer; they may say when to try again.
        name: of the channel; None: a webhook's.
    """
    return Outcome(
        describe_refusal(status, code, name, CONNECTION_ID),
        code=code if code.isidentifier() else "",
        again_after=retry_after(status, headers),
        is_unclear=status >= 500,
    )


# slack_sdk writes the webhook's secret URL into its debug log
_SILENT = logging.Logger("greenery.slack_sdk", level=logging.CRITICAL + 1)
EVENT_TYPE = "greenery_alert"
PAGE = 200
MOST_PAGES = 10


class Slack:
    """A channel's Slack, for as long as a deadline lasts."""

    def __init__(self, channel: Channel, deadline: Deadline, answer_seconds: float = 4) -> None:
        self._channel = channel
        self._deadline = deadline
        self._answer_seconds = answer_seconds
        self._client: Any = None
        # id → name of channels, so that people read the name
        self.names: dict[str, str] = {}

    def post(
        self,
        name: str | None,
        payload: Mapping[str, Any],
        *,
        key: str | None = None,
        thread_ts: str | None = None,
    ) -> Outcome:
        """Send a new message; as plain text if Slack does not like its blocks.

        Args:
            name: the channel's name or id; a webhook has its own.
            payload: the message as Slack's API takes it: text, blocks, attachments.
            key: by it ``find`` finds the message again; not of a webhook.
            thread_ts: Slack's id of the message that it answers; not of a webhook.
        """
        if not self._channel.is_bot:
            return self._plainer_if_need_be(payload, self._send_to_webhook)
        named: dict[str, Any] = {"channel": name, "unfurl_links": False}
        if thread_ts:
            named["thread_ts"] = thread_ts
        return self._plainer_if_need_be(
            payload, lambda body: self._call("chat.postMessage", {**named, **_with(key, body)})
        )

    def update(
        self, channel_id: str, ts: str, payload: Mapping[str, Any], *, key: str | None = None
    ) -> Outcome:
        """Change a message in place. Doing it twice is doing it once.

        Args:
            channel_id: Slack's id of the channel; its name is not enough here.
            ts: Slack's id of the message.
            payload: what it is to show now, as for ``post``.
            key: by it ``find`` finds the message again.
        """
        named = {"channel": channel_id, "ts": ts}
        return self._plainer_if_need_be(
            payload, lambda body: self._call("chat.update", {**named, **_with(key, body)})
        )

    def find(
        self, channel_id: str, key: str, since: float, thread_ts: str | None = None
    ) -> Outcome:
        """Look for the message with a key; the answer is that message, or empty.

        Args:
            since: seconds since 1970; older messages are not looked at.
        """
        method = "conversations.replies" if thread_ts else "conversations.history"
        query = {"channel": channel_id, "include_all_metadata": "true", "limit": PAGE}
        query |= {"ts": thread_ts} if thread_ts else {"oldest": f"{since:.6f}"}
        for page in self.pages(method, query):
            if page.error:
                return page
            for message in page.answer.get("messages") or []:
                payload = (message.get("metadata") or {}).get("event_payload") or {}
                if payload.get("key") == key:
                    return Outcome(answer=message)
        return Outcome()

    def pages(self, method: str, query: Mapping[str, Any]) -> Iterator[Outcome]:
        """Yield the pages of a list, until the last one or an error."""
        cursor = ""
        for _ in range(MOST_PAGES):
            page = self._call(method, query={**query, **({"cursor": cursor} if cursor else {})})
            yield page
            cursor = (page.answer.get("response_metadata") or {}).get("next_cursor") or ""
            if page.error or not cursor:
                return

    def ask(self, method: str, **query: str) -> Outcome:
        """Call a method of the Web API that changes nothing."""
        return self._call(method, query=query)

    def _plainer_if_need_be(
        self, payload: Mapping[str, Any], send: Callable[[Mapping[str, Any]], Outcome]
    ) -> Outcome:
        outcome = send(payload)
        if outcome.is_about_blocks and len(payload) > 1:
            outcome = replace(send({"text": payload["text"]}), is_plain=True)
        return outcome

    def _call(
        self,
        method: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> Outcome:
        named = (body or query or {}).get("channel")

        def call(seconds: float) -> Outcome:
            from slack_sdk.errors import SlackApiError

            client = self._connect()
            client.timeout = seconds
            try:
                answer = client.api_call(method, json=body, params=query)
            except SlackApiError as error:
                status, headers = error.response.status_code, error.response.headers
                code = error.response.get("error") or ""
                name = self.names.get(named or "", named or self._channel.name)
                return refused(status, code, headers, name)
            return Outcome(answer=answer.data)

        return self._bounded(call)

    def _send_to_webhook(self, body: Mapping[str, Any]) -> Outcome:
        def send(seconds: float) -> Outcome:
            client = self._connect()
            client.timeout = seconds
            answer = client.send_dict(dict(body))
            if answer.status_code == 200:
                return Outcome()
            return refused(answer.status_code, answer.body.strip(), answer.headers, None)

        return self._bounded(send)

    def _connect(self) -> Any:
        if self._client is None:
            if self._channel.is_bot:
                from airflow.providers.slack.hooks.slack import SlackHook

                hook = SlackHook(slack_conn_id=CONNECTION_ID, retry_handlers=[], logger=_SILENT)
                self._client = hook.client
            else:
                from airflow.providers.slack.hooks.slack_webhook import SlackWebhookHook

                self._client = SlackWebhookHook(
                    slack_webhook_conn_id=CONNECTION_ID, retry_handlers=[], logger=_SILENT
                ).client
        return self._client

    def _bounded(self, call: Callable[[float], Outcome]) -> Outcome:
        seconds = self._deadline.left(self._answer_seconds)
        if seconds <= 0:
            return Outcome("There was no time left to tell Slack.", again_after=1)
        try:
            return within(seconds, call, seconds)
        except URLError as error:
            return Outcome(f"Slack can't be reached: {error.reason}.", again_after=1)
        except (TimeoutError, HTTPException, OSError):
            said = "Slack did not answer in time; the message may have arrived all the same."
            return Outcome(said, is_unclear=True)
        except Exception as error:
            return Outcome(f"Slack could not be told: {type(error).__name__}.", is_unclear=True)


def _with(key: str | None, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message with its key, and nothing left of what it showed before."""
    blocks = {"blocks": [], "attachments": []} | dict(body)
    metadata = {"event_type": EVENT_TYPE, "event_payload": {"key": key}}
    return blocks | ({"metadata": metadata} if key else {})
