"""What we ask of Slack, each call bounded in time, and how it went.

Nothing here raises for what Slack does.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from http.client import HTTPException
from typing import Any
from urllib.error import URLError

from elt.alerting.slack.outcome import Outcome, refused
from elt.alerting.slack.settings import CONNECTION_ID, Channel
from elt.time_limit import Deadline, within

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

    def upload(self, channel_id: str, file: bytes, name: str, title: str) -> Outcome:
        """Show a file in a channel. What was sent can't be looked up, so it may come twice.

        Args:
            channel_id: Slack's id of the channel; its name is not enough here.
            file: what it holds.
            name: by which it is saved.
            title: what stands above it, also read by those who can't see it.
        """
        return self._asked(
            channel_id,
            lambda client: (
                client.files_upload_v2(
                    channel=channel_id, file=file, filename=name, title=title, alt_txt=title
                ).data
            ),
        )

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
        return self._asked(
            named, lambda client: client.api_call(method, json=body, params=query).data
        )

    def _asked(self, named: str | None, ask: Callable[[Any], Any]) -> Outcome:
        """Ask Slack's client for something about a channel, in the time there is."""

        def call(seconds: float) -> Outcome:
            from slack_sdk.errors import SlackApiError

            client = self._connect()
            client.timeout = seconds
            try:
                answer = ask(client)
            except SlackApiError as error:
                status, headers = error.response.status_code, error.response.headers
                code = error.response.get("error") or ""
                name = self.names.get(named or "", named or self._channel.name)
                return refused(status, code, headers, name)
            return Outcome(answer=answer)

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
