"""A server that fails in the middle of a publication, in words that name the mart."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psycopg2
from psycopg2 import errors

from elt.errors import RetryLaterError
from elt.publishing.table_schema import MARTS


class PublishInterruptedError(RetryLaterError):
    """The server could not go on; nothing was published, and trying again may help."""


@contextlib.contextmanager
def told_of(mart: str) -> Iterator[None]:
    """Say of which mart it was, if the server fails: a full disk, a limit, a lost connection.

    Raises:
        PublishInterruptedError: in words, in place of the server's own error.
    """
    try:
        yield
    except psycopg2.OperationalError as error:
        # these speak of the server, never of a row
        reason = error.diag.message_primary or str(error).strip().partition("\n")[0]
        raise PublishInterruptedError(
            f"{MARTS}.{mart} could not be published: {reason.rstrip('.')}. Nothing was published; "
            f"readers see the last good publication.{_advice(error)}"
        ) from None


def _advice(error: psycopg2.OperationalError) -> str:
    if isinstance(error, errors.DiskFull):
        return " Make room on the server's disk, then clear the task."
    if isinstance(error, errors.ConfigurationLimitExceeded):
        return " Raise that limit for the log-in of the run, then clear the task."
    return " If trying again does not help, look at the server's log."
