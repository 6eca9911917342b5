"""What became of forgetting a person: what was done and what is left to do, or why nothing was.

No id, no name: only counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from elt.errors import EltError


class ForgetError(EltError):
    """Nothing was changed; the message says why."""


class UnknownPersonError(ForgetError):
    """There is nobody with this id."""


class LeftoverError(ForgetError):
    """Something of the person would stay in a table, where it can't be told from other people's."""


class BusyError(ForgetError):
    """Somebody else is at work on a table; trying again later helps."""


@dataclass(frozen=True)
class Place:
    """A column that holds words of the person; ``has_key``: rows of its table bear a key."""

    schema: str
    table: str
    column: str
    has_key: bool

    def __str__(self) -> str:
        if self.has_key:
            return (
                f"{self.schema}.{self.table} has words of the person in the column `{self.column}`,"
                " in rows with no key of theirs"
            )
        return (
            f"{self.schema}.{self.table} holds the personal column `{self.column}` but no key of a "
            "person"
        )


@dataclass(frozen=True)
class Forgotten:
    """What was done. ``removed`` counts rows by table, those without any included.

    ``messages`` counts texts in which words were hidden, by table. ``elsewhere`` names tables that
    are not the daily run's own and may hold rows of the person, ``doubtful`` says in words what may
    be theirs and stays, ``undecided`` are ids of rows in quarantine that may be theirs, and
    ``not_vacuumed`` tables whose deleted rows still lie on the server's disk.
    """

    removed: Mapping[str, int]
    quarantined: int
    messages_by_table: Mapping[str, int]
    elsewhere: tuple[str, ...]
    was_known: bool
    doubtful: tuple[str, ...] = ()
    undecided: tuple[int, ...] = ()
    not_vacuumed: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """The number of all rows that were removed."""
        return sum(self.removed.values())

    @property
    def messages(self) -> int:
        """The number of all texts in which words were hidden."""
        return sum(self.messages_by_table.values())


def headline(forgotten: Forgotten) -> str:
    """Return the sentence that the report begins with."""
    if forgotten.was_known and not forgotten.rows:
        return "This person was forgotten before; nothing was left to remove."
    rows = forgotten.rows
    return f"Forgotten: {rows:,} {'row' if rows == 1 else 'rows'} removed for good."


def counts(forgotten: Forgotten) -> list[tuple[str, int]]:
    """Return where something was done, and to how many rows."""
    found = {
        **forgotten.removed,
        "ops.quarantine, wiped": forgotten.quarantined,
        "results and messages, words hidden": forgotten.messages,
    }
    return [(place, rows) for place, rows in found.items() if rows]


def left_to_do(forgotten: Forgotten) -> Iterator[str]:
    """Yield line by line what still holds the person, and what to do about it."""
    yield "Totals in the marts still count the person until the next run."
    yield "A reload brings nothing back: ops.erased keeps a fingerprint (SHA-256) of each key."
    yield ""
    yield "What still holds the person, and what to do about it:"
    yield "  the shop itself and its landing files: delete the person there, and old files."
    yield "  backups made before now: delete them when yours allow it (30 days is usual). After a"
    yield "    restore, run this again: the backup does not know that the person was forgotten."
    yield "  raw.change_log: keys of what was deleted, no names, until the next run has published."
    yield "  the server's write-ahead log and free pages, until it has used them again."
    yield "  logs of Airflow, of dbt and of the server: no rows stand there by intention, but look"
    yield "    through them, and delete old ones (docs/operations.md)."
    for place in forgotten.doubtful:
        yield f"  {place}."
    if forgotten.undecided:
        ids = ", ".join(map(str, forgotten.undecided))
        yield f"  ops.quarantine: broken rows that may be theirs; look at quarantine_id {ids}."
    for name in forgotten.not_vacuumed:
        yield f"  {name}: in use, so deleted rows stay on the disk until the server clears it."
    for name in forgotten.elsewhere:
        yield f"  {name}: not the daily run's own; its owner must rebuild or drop it."
