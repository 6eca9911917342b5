"""A ping to a dead-man switch after each publication: what notices that all of Airflow is dead."""

from __future__ import annotations

import logging
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException

from elt.alerting.deadline import within
from elt.alerting.messages.blocks import is_url
from elt.alerting.record_results import describe_error
from elt.errors import RetryLaterError

log = logging.getLogger(__name__)

CONNECTION_ID = "greenery_dead_man"
SECONDS = 2


def ping(seconds: float = SECONDS) -> None:
    """Ask the URL in the connection's password, if there is one. Never raises, nor waits longer.

    Whoever knows the URL can keep the switch quiet, so no log has more of it than its host.
    """
    try:
        url = _url()
        if url:
            log.info("%s", within(seconds, _ask, url, seconds))
    except TimeoutError:
        log.warning("The dead-man switch did not answer within %g s.", seconds)
    except Exception as error:
        log.warning("The dead-man switch was not told: %s", describe_error(error))


def _url() -> str | None:
    try:
        url = Connection.get(CONNECTION_ID).password
    except AirflowNotFoundException:
        return None
    if not is_url(url):
        raise DeadManError(
            f"the password of the connection `{CONNECTION_ID}` is no http(s) URL; "
            "put the whole address to ping there."
        )
    return url


class DeadManError(RetryLaterError):
    """The switch can't be told; the message says why, without the URL."""


def _ask(url: str, seconds: float) -> str:
    try:
        host = urlsplit(url).hostname
    except ValueError:
        raise DeadManError("its URL can't be read.") from None
    try:
        with urlopen(url, timeout=seconds):
            return f"The dead-man switch at {host} knows of the publication."
    except HTTPError as error:
        raise DeadManError(f"{host} answered HTTP {error.code}.") from None
    except URLError as error:
        if isinstance(error.reason, TimeoutError):
            raise error.reason from None
        raise DeadManError(f"{host} can't be reached: {error.reason}.") from None
    except (HTTPException, ValueError) as error:
        # what they say may repeat the URL
        raise DeadManError(f"{host} can't be asked: {type(error).__name__}.") from None
