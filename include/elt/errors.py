"""What the engine raises on purpose. A message says what happened, where, and what to do.

    EltError
    ├── FinalError             another try fails in the same way: a person must mend something
    │   ├── SourceError        a file, a row or the shop's database is wrong
    │   ├── ContractError, MigrationError, OtherShopError, LeaseLostError, PublishRefusedError, …
    └── RetryLaterError        it may be over by itself
        └── WarehouseUnreachableError, SourceUnreachableError, FileInMotionError, LeaseHeldError, …

Tasks fail at once on a FinalError and are tried again on all else; a command prints an EltError's
message and nothing more. What is none is a fault of the engine, and shown with its trace.
"""

from __future__ import annotations


class EltError(Exception):
    """The message is for people, and holds no personal data."""


class FinalError(EltError):
    """Another try fails in the same way: a person must mend something first."""


class RetryLaterError(EltError):
    """What is in the way may be gone by itself; trying again later helps."""
