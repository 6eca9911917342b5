"""A question to a person: publish all the same? Silence means no.

It is asked of a run that failed of nothing but what an operator may let through by a command: a
snapshot that shrank, tests. A yes does what these commands do.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg2.extensions import cursor as Cursor

from elt.alerting.messages.phrases import FAILING
from elt.alerting.reconcile import most_time
from elt.alerting.report import Report, report_on
from elt.alerting.run_facts import RunContext, read_facts
from elt.errors import FinalError, offer_to_shrink
from elt.publishing.rollback import active_pin
from elt.transform import overrides
from elt.transform.lineage import Lineage
from elt.warehouse.connection import transaction
from elt.warehouse.rows import one_value, rows_as

log = logging.getLogger(__name__)

VARIABLE = "GREENERY_ASK_HOURS"
WITHOUT_A_NOTE = "publish all the same, said without a note"


class TooLateError(FinalError):
    """The answer changes nothing any more; the message says why."""


@dataclass(frozen=True)
class Asked:
    """A question that somebody must be asked: its number in ``ops``, and the facts in words."""

    question_id: int
    facts: str


@dataclass(frozen=True)
class Answered:
    """What was answered of a run, and what was asked about: tables and tests by name."""

    run_id: str
    is_yes: bool
    tables: list[str]
    tests: list[str]


@dataclass(frozen=True)
class _Doubts:
    tables: list[str]
    tests: list[str]
    sentences: list[str]


def time_to_answer() -> timedelta | None:
    """Return how long a question waits for its answer; None: nobody is to be asked."""
    said = os.environ.get(VARIABLE)
    if not said:
        return None
    try:
        hours = timedelta(hours=float(said))
        if hours > timedelta(0):
            return hours
    except (ValueError, OverflowError):
        pass
    log.warning("%s=%s is no number of hours above 0, so nobody is asked.", VARIABLE, said)
    return None


def ask(run: RunContext, lineage: Lineage, at: datetime) -> Asked | None:
    """Keep the question that a failed run leaves to a person, if it leaves one.

    Args:
        run: which has ended but for this; what failed in it is known.
        lineage: of the project.
        at: now, in UTC.
    """
    wait = time_to_answer()
    if wait is None:
        return None
    with transaction("loader") as cursor:
        if active_pin(cursor):
            # nothing would be published
            return None
        doubts = _doubts(report_on(run, read_facts(cursor, run.run_id), lineage, at), lineage)
        if doubts is None:
            return None
        cursor.execute(
            "insert into ops.question (run_id, tables, tests, until) values (%s, %s, %s, %s) "
            "returning question_id",
            (run.run_id, doubts.tables, doubts.tests, at + wait),
        )
        return Asked(one_value(cursor), _facts(run, doubts, at + wait))


def _doubts(report: Report, lineage: Lineage) -> _Doubts | None:
    """Return what a person may let through, if nothing else failed."""
    results = report.facts.results if report.facts else ()
    failing = {result.unique_id: result.status for _, _, result in results}
    found = _Doubts([], [], [])
    for failure in report.failures:
        table, node = (failure.task_id or "").removeprefix("load_"), failure.unique_id or ""
        if failure.kind == "load" and offer_to_shrink(table) in failure.sentence:
            found.tables.append(table)
        elif failing.get(node) == "fail" and node in lineage.nodes:
            found.tests.append(lineage.nodes[node]["name"])
        elif failing.get(node, "error") in FAILING:
            return None
        else:
            continue  # let through already
        found.sentences.append(failure.sentence)
    return found if found.sentences else None


def _facts(run: RunContext, doubts: _Doubts, until: datetime) -> str:
    """Return what a person must know to answer, as Markdown."""
    deeds = [f"let the snapshot of `{table}` shrink" for table in doubts.tables]
    if doubts.tests:
        deeds.append("let through what failed, for that run")
    return "\n".join(
        [
            f"The run `{run.run_id}` did not publish. Readers see what was published before.",
            "",
            *(f"- {sentence}" for sentence in doubts.sentences),
            "",
            f"*Yes* starts a new run at once: {' and '.join(deeds)}. *No*, or no answer until "
            f"{until:%-d %b %H:%M} UTC, leaves all as it is.",
        ]
    )


def answer(
    question_id: int, lineage: Lineage, *, is_yes: bool, by: str | None, note: str
) -> Answered:
    """Write down what a person answered, and on a yes let through what was asked about.

    Args:
        question_id: its number in ``ops``.
        lineage: of the project as it is now.
        is_yes: whether to publish all the same.
        by: who says so; None: nobody, it was too late.
        note: for everybody to read.

    Raises:
        TooLateError: on a yes, if another run has been at work since.
        OverrideError: if a test can't be let through (any more).
    """
    with transaction("loader") as cursor:
        cursor.execute(
            "update ops.question set answer = %s, answered_by = %s, note = %s, "
            "answered_at = clock_timestamp() where question_id = %s "
            "returning run_id, answer = 'yes' as is_yes, tables, tests",
            ("yes" if is_yes else "no", by or None, note.strip() or None, question_id),
        )
        (answered,) = rows_as(cursor, Answered)
        # what people know of the run is not all: whoever looks for such runs tells it
        cursor.execute("delete from ops.run_told where run_id = %s", (answered.run_id,))
        if is_yes:
            _refuse_if_late(cursor, answered.run_id)
            _let_through(cursor, lineage, answered.tests, by, note.strip() or WITHOUT_A_NOTE)
        return answered


def _refuse_if_late(cursor: Cursor, run_id: str) -> None:
    cursor.execute("select run_id from ops.run_lease")
    last = one_value(cursor)
    if last != run_id:
        raise TooLateError(
            f"{last} has been at work in the warehouse since {run_id}, so what was asked may not "
            "be so any more. Nothing was done. Where that fails again, it is asked again."
        )


def _let_through(
    cursor: Cursor, lineage: Lineage, tests: Iterable[str], by: str | None, reason: str
) -> None:
    # the run that follows, and no other: the next one finds other rows
    days = most_time() / timedelta(days=1)
    for test in tests:
        said = overrides.decide(cursor, lineage, test, reason=reason, by=by, days=days)
        log.info("%s", said.partition("\n")[0])
