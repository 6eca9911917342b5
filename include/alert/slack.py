"""Sending one message to Slack: at most two tries, each bounded in time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import URLError

from include.alert import refusals
from include.alert.bounded import within
from include.alert.channel import CONNECTION_ID, Channel

# slack_sdk writes the webhook's secret URL into its debug log
_SILENT = logging.Logger("greenery.slack_sdk", level=logging.CRITICAL + 1)
# (what to send, seconds to wait for an answer) -> how it went
Post = Callable[[Mapping[str, Any], float], "Outcome"]


@dataclass(frozen=True)
class Outcome:
    """How sending went: no error means that Slack has it."""

    error: str | None = None
    # Slack surely does not have it, and may take it after so many seconds
    again_after: float | None = None
    # Slack does not like the blocks; the text alone may do
    plainer: bool = False


def send(
    channel: Channel,
    payload: Mapping[str, Any],
    *,
    answer_seconds: float = 4,
    seconds: float = 4.5,
) -> Outcome:
    """Send a message, at most twice, and say how that went. Never raises, never takes longer.

    It is sent again only if Slack surely does not have it.

    Args:
        answer_seconds: how long to wait for the answer to one try.
        seconds: how long both tries may take together.
    """
    try:
        post = _webhook(channel) if channel.kind == "slackwebhook" else _bot(channel)
    except Exception as error:
        return Outcome(f"The connection `{CONNECTION_ID}` can't be used: {type(error).__name__}.")
    end = time.monotonic() + seconds

    def attempt(body: Mapping[str, Any]) -> Outcome:
        return _try(post, body, min(answer_seconds, end - time.monotonic()))

    outcome = attempt(payload)
    if outcome.plainer:
        outcome = attempt({"text": payload["text"]})
    elif outcome.again_after is not None and time.monotonic() + outcome.again_after < end - 0.5:
        time.sleep(outcome.again_after)
        outcome = attempt(payload)
    return outcome


def _try(post: Post, body: Mapping[str, Any], seconds: float) -> Outcome:
    try:
        return within(seconds, post, body, seconds)
    except URLError as error:
        return Outcome(f"Slack can't be reached: {error.reason}.", again_after=1)
    except (TimeoutError, HTTPException, OSError):
        return Outcome("Slack did not answer in time; the message may have arrived all the same.")
    except Exception as error:
        return Outcome(f"Slack could not be told: {type(error).__name__}.")


def _bot(channel: Channel) -> Post:
    from airflow.providers.slack.hooks.slack import SlackHook
    from slack_sdk.errors import SlackApiError

    client = SlackHook(slack_conn_id=CONNECTION_ID, retry_handlers=[], logger=_SILENT).client

    def post(body: Mapping[str, Any], seconds: float) -> Outcome:
        client.timeout = seconds
        try:
            client.api_call("chat.postMessage", json={"channel": channel.name, **body})
        except SlackApiError as error:
            answer = error.response
            code = answer.get("error") or ""
            return _refused(answer.status_code, code, answer.headers, channel)
        return Outcome()

    return post


def _webhook(channel: Channel) -> Post:
    from airflow.providers.slack.hooks.slack_webhook import SlackWebhookHook

    client = SlackWebhookHook(
        slack_webhook_conn_id=CONNECTION_ID, retry_handlers=[], logger=_SILENT
    ).client

    def post(body: Mapping[str, Any], seconds: float) -> Outcome:
        client.timeout = seconds
        answer = client.send_dict(dict(body))
        if answer.status_code == 200:
            return Outcome()
        return _refused(answer.status_code, answer.body.strip(), answer.headers, channel)

    return post


def _refused(status: int, code: str, headers: Mapping[str, Any], channel: Channel) -> Outcome:
    return Outcome(
        refusals.in_words(status, code, channel.name, CONNECTION_ID),
        again_after=refusals.again_after(status, headers),
        plainer=code in refusals.ABOUT_THE_BLOCKS,
    )
