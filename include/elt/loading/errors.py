"""What can go wrong with a landing file, told apart by whether another try helps."""

from __future__ import annotations

from dataclasses import dataclass

from elt.errors import EltError, FinalError, RetryLaterError

NOTHING_LOADED = "Nothing of this file was loaded."
WHAT_NOW = f"{NOTHING_LOADED} Mend it and run again."


def offer_to_shrink(table: str) -> str:
    """Return how an operator lets a snapshot of a table lose more than half of its rows."""
    return f"confirm that `{table}` really shrank (confirm_shrunk)."


class SourceError(FinalError):
    """The source is wrong and a person must mend it: a retry would fail in the same way.

    The message never holds personal data.
    """


class SourceUnreachableError(RetryLaterError):
    """The shop's database or bucket does not answer or lets nobody in; trying again may help."""


class FileInMotionError(RetryLaterError):
    """The file changed while it was read: leave it for the next run."""


@dataclass
class RefusedFileError(EltError):
    """A file that can't be loaded, as far as the load itself knows.

    It holds no values, so that it may pass through logs. ``explain`` makes the message from it and
    from the file. ``server_line`` is COPY's own count, which is not always the line of the file;
    ``records`` are numbers of data records, 1 being the first one after the header.
    """

    kind: str
    reason: str = ""
    server_line: int | None = None
    column: str | None = None
    records: tuple[int, ...] = ()
    remedy: str = WHAT_NOW
