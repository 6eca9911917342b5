"""Overrides: failing tests that an operator lets through for a while, by name and with a reason."""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from psycopg2.extensions import cursor as Cursor

from elt.errors import FinalError
from elt.transform.lineage import Lineage
from elt.warehouse.rows import one_value, rows_as

MOST_DAYS = 30
USUAL_DAYS = 7
_COMPARE = {
    **{">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le},
    **{"=": operator.eq, "==": operator.eq, "!=": operator.ne, "<>": operator.ne},
}


class OverrideError(FinalError):
    """The override was not made; the message says why."""


@dataclass(frozen=True)
class Override:
    """A test that is let through until a moment (UTC). ``failures`` of a run: None, not asked."""

    unique_id: str
    reason: str
    made_by: str | None
    until: datetime
    failures: int | None = None

    @property
    def test(self) -> str:
        """The test's name."""
        return self.unique_id.split(".")[2]

    @property
    def description(self) -> str:
        """Until when, by whom and why the test is let through, as part of a sentence."""
        by = f" by {self.made_by}" if self.made_by else ""
        return f"let through until {_time(self.until)}{by}: {self.reason.rstrip('.')}"

    def as_json(self) -> dict[str, Any]:
        """Return the override as ``ops.publication`` keeps it."""
        return {**asdict(self), "until": self.until.isoformat()}


def end_of(now: datetime, *, day: str = "", days: str | float = "") -> datetime:
    """Return when an override made now (UTC) ends: after a day (2026-11-30), or a number of days.

    Raises:
        OverrideError: if that is in the past, or more than MOST_DAYS away.
    """
    try:
        if day:
            until = datetime.combine(date.fromisoformat(day), time(), UTC) + timedelta(days=1)
        else:
            until = now + timedelta(days=float(days or USUAL_DAYS))
    except (ValueError, OverflowError):
        raise OverrideError(
            f"{day or days} is no {'date such as 2026-11-30' if day else 'number of days'}. "
            "Nothing was done."
        ) from None
    if not now < until <= now + timedelta(days=MOST_DAYS + bool(day)):
        raise OverrideError(
            f"An override ends within {MOST_DAYS} days, so that nobody forgets it; "
            f"{_time(until)} is not. Nothing was done."
        )
    return until


def find_test(lineage: Lineage, name: str) -> str:
    """Return the unique id of the test of that name.

    Raises:
        OverrideError: if there is none, or it stops no publication anyway.
    """
    tests = {lineage.nodes[test]["name"]: test for test in lineage.of_type("test")}
    if name not in tests:
        close = difflib.get_close_matches(name, tests, n=3, cutoff=0.3)
        close += [other for other in sorted(tests) if name in other and other not in close][:3]
        suggestion = f" Did you mean {', '.join(close)}?" if close else ""
        raise OverrideError(f"The project has no test `{name}`.{suggestion} Nothing was done.")
    if not _is_error(lineage.nodes[tests[name]]):
        raise OverrideError(f"`{name}` only warns; it stops no publication. Nothing was done.")
    return tests[name]


def let_through(
    cursor: Cursor, unique_id: str, reason: str, until: datetime, by: str | None
) -> Override:
    """Let a test through until a moment, in place of what was said of it before.

    Args:
        cursor: of a transaction as the role loader.
        unique_id: dbt's id of the test.
        reason: why, for everybody to read.
        until: with its time zone.
        by: who wants it; None or empty: nobody said.

    Raises:
        OverrideError: if nobody says why.
    """
    if not reason.strip():
        raise OverrideError('Say why, for everybody to read: REASON="…". Nothing was done.')
    end(cursor, unique_id, by)
    cursor.execute(
        "insert into ops.override (unique_id, reason, made_by, until) values (%s, %s, %s, %s)",
        (unique_id, reason.strip(), by or None, until),
    )
    return Override(unique_id, reason.strip(), by or None, until)


def end(cursor: Cursor, unique_id: str, by: str | None) -> bool:
    """End the override of a test, and return whether there was one in force."""
    cursor.execute(
        "update ops.override set ended_at = now(), ended_by = %s "
        "where unique_id = %s and ended_at is null returning until > now()",
        (by or None, unique_id),
    )
    return (True,) in cursor.fetchall()


def active(cursor: Cursor) -> list[Override]:
    """Return the overrides in force, those that end first first."""
    cursor.execute(
        "select unique_id, reason, made_by, until from ops.override "
        "where ended_at is null and until > now() order by until, unique_id"
    )
    return rows_as(cursor, Override)


def used(cursor: Cursor, run_id: str, nodes: Mapping[str, Any]) -> list[Override]:
    """Return the overrides without which tests of a run would have failed, by the last results.

    Args:
        nodes: of dbt's manifest.
    """
    found = in_force(cursor, run_id)
    return [one for one in found if would_fail(nodes.get(one.unique_id, {}), one.failures)]


def in_force(cursor: Cursor, run_id: str) -> list[Override]:
    """Return the overrides of those tests of a run that warned, whether they needed one or not."""
    cursor.execute(
        """
        select override.unique_id, reason, made_by, until, result.failures
        from (
            select distinct on (unique_id) unique_id, status, failures, finished_at
            from ops.node_result
            where run_id = %s
            order by unique_id, moment desc
        ) as result
        inner join ops.override
            on override.unique_id = result.unique_id
            and result.finished_at >= made_at
            and result.finished_at < least(until, ended_at)
        where result.status = 'warn'
        order by override.unique_id
        """,
        (run_id,),
    )
    return rows_as(cursor, Override)


def would_fail(node: Mapping[str, Any], failures: int | None) -> bool:
    """Tell whether a test with so many failures stops a publication, but for an override."""
    condition = (node.get("config") or {}).get("error_if") or "!= 0"
    parts = re.fullmatch(r"\s*([<>=!]+)\s*(-?\d+)\s*", condition)
    if failures is None or not _is_error(node):
        return False
    # what can't be read is told rather than kept quiet
    return not parts or _COMPARE[parts[1]](failures, int(parts[2]))


def _is_error(node: Mapping[str, Any]) -> bool:
    return str((node.get("config") or {}).get("severity") or "error").lower() == "error"


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%-d %b %Y %H:%M} UTC"


def decide(
    cursor: Cursor,
    lineage: Lineage | None,
    test: str,
    *,
    reason: str = "",
    by: str | None = None,
    day: str = "",
    days: str | float = "",
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
    unique_id = find_test(lineage, test)
    if is_over:
        if not end(cursor, unique_id, by):
            return f"`{test}` was not let through."
        return f"`{test}` is let through no longer: if it fails, nothing is published."
    cursor.execute("select now()")
    now = one_value(cursor)
    until = end_of(now, day=day, days=days)
    made = let_through(cursor, unique_id, reason, until, by)
    return (
        f"`{test}` is {made.description}.\n"
        "Start a new run, or clear its task with its downstream. Each publication that rests on "
        "it says so in marts.data_status.warnings."
    )


def _listed(cursor: Cursor) -> str:
    found = active(cursor)
    if not found:
        return "No test is let through."
    return "\n".join(f"{one.test}: {one.description}" for one in found)
