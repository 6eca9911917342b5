"""What `make forget` says at its end. No id, no name: only counts, and what is left to do."""

from __future__ import annotations

from collections.abc import Iterator

from include.privacy.forget import Forgotten


def lines(forgotten: Forgotten) -> Iterator[str]:
    """Yield the report line by line."""
    if forgotten.was_known and not forgotten.rows:
        yield "This person was forgotten before; nothing was left to remove."
    else:
        yield f"Forgotten: {_rows(forgotten.rows)} removed for good."
    for table, rows in forgotten.removed.items():
        if rows:
            yield f"  {table:<44} {_rows(rows):>14}"
    if forgotten.quarantined:
        yield f"  {'ops.quarantine, wiped':<44} {_rows(forgotten.quarantined):>14}"
    if forgotten.messages:
        yield f"  {'results and messages, words hidden':<44} {_rows(forgotten.messages):>14}"
    yield ""
    yield "Totals in the marts still count the person until the next run."
    yield "A reload brings nothing back: ops.erased keeps a fingerprint (SHA-256) of each key."
    yield ""
    yield "What still holds the person, and what to do about it:"
    yield "  the shop itself and its landing files: delete the person there, and old files."
    yield "  backups made before now: delete them when yours allow it (30 days is usual). After a"
    yield "    restore, run this again: the backup does not know that the person was forgotten."
    yield "  raw.change_log: keys of what was deleted, no names, until marts have followed."
    yield "  the server's write-ahead log and free pages, until it has used them again."
    for name in forgotten.elsewhere:
        yield f"  {name}: not the daily run's own; its owner must rebuild or drop it."


def _rows(count: int) -> str:
    return f"{count:,} {'row' if count == 1 else 'rows'}"
