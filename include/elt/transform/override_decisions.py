"""What is said to a test: let it through, let it through no longer, or what is let through."""

from __future__ import annotations

from psycopg2.extensions import cursor as Cursor

from elt.transform import overrides
from elt.transform.lineage import Lineage


def decide(
    cursor: Cursor,
    lineage: Lineage | None,
    test: str,
    *,
    reason: str = "",
    by: str | None = None,
    day: str = "",
    days: str | int = "",
    is_over: bool = False,
) -> str:
    """Make or end the override of a test, or without a test list them; return it in words.

    Args:
        cursor: of a transaction as the role loader.
        lineage: needed to know a test by its name.
        day: the last day (UTC) of the override, as 2026-11-30; or ``days``, how many from now.

    Raises:
        OverrideError: in words, if it can't be made.
    """
    if not test or lineage is None:
        return _listed(cursor)
    unique_id = overrides.find_test(lineage, test)
    if is_over:
        if not overrides.end(cursor, unique_id, by):
            return f"`{test}` was not let through."
        return f"`{test}` is let through no longer: if it fails, nothing is published."
    cursor.execute("select now()")
    (now,) = cursor.fetchone()
    until = overrides.end_of(now, day=day, days=days)
    made = overrides.let_through(cursor, unique_id, reason, until, by)
    return (
        f"`{test}` is {made.in_words}.\n"
        "Start a new run, or clear its task with its downstream. Each publication that rests on "
        "it says so in marts.data_status.warnings."
    )


def _listed(cursor: Cursor) -> str:
    found = overrides.active(cursor)
    if not found:
        return "No test is let through."
    return "\n".join(f"{one.unique_id.split('.')[2]}: {one.in_words}" for one in found)
