"""What the engine raises on purpose. A message says what happened, where, and what to do.

    EltError
    ├── FinalError             another try fails in the same way: a person must mend something
    │   ├── SourceError        a file, a row or the shop's database is wrong
    │   └── ContractError, MigrationError, OtherShopError, LeaseLostError, PublishRefusedError, …
    ├── RetryLaterError        it may be over by itself
    │   ├── SourceUnreachableError, FileInMotionError
    │   └── WarehouseUnreachableError, LeaseHeldError, …
    └── RefusedFileError       a file that can't be loaded, on its way to become a SourceError

Tasks fail at once on a FinalError and are tried again on all else; a command prints an EltError's
message and nothing more. What is none is a fault of the engine, and shown with its trace. Those of
a source are here, the others beside what raises them.
"""

from __future__ import annotations

from dataclasses import dataclass

NOTHING_LOADED = "Nothing of this file was loaded."
WHAT_NOW = f"{NOTHING_LOADED} Mend it and run again."


class EltError(Exception):
    """The message is for people, and holds no personal data."""


class FinalError(EltError):
    """Another try fails in the same way: a person must mend something first."""


class RetryLaterError(EltError):
    """What is in the way may be gone by itself; trying again later helps."""


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


def offer_to_shrink(table: str) -> str:
    """Return how an operator lets a snapshot of a table lose more than half of its rows."""
    return f"confirm that `{table}` really shrank (confirm_shrunk)."
