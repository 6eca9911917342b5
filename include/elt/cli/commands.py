"""An operator's decisions and repairs, in the warehouse of the Airflow connection.

A failure is a sentence on the standard error, and an exit status. What a command needs is imported
when it runs: Airflow and dbt take a second, and ``--help`` needs neither. In the image, where no
``greenery`` is installed, ``python -m elt.cli.commands`` is it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from elt.cli.bootstrap import bootstrap
from elt.cli.terminal import (
    FAILED,
    NOT_UNDERSTOOD,
    Commands,
    print_forgotten,
    print_overrides,
    print_replayed,
    print_table,
    working,
)

if TYPE_CHECKING:
    from elt.transform.lineage import Lineage


def _decision(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add who decides something, and why."""
    by = click.option(
        "--by", default=lambda: os.environ.get("USER"), show_default="$USER", help="Who decides it."
    )
    return by(click.option("--reason", default="", help="Why, for everybody to read.")(function))


@click.group(cls=Commands)
def greenery() -> None:
    """What an operator does to the warehouse by hand, between runs or beside them."""


@greenery.command()
@_decision
def rollback(by: str | None, reason: str) -> None:
    """Show the publication before the last one, and hold it."""
    from elt.publishing.rollback import roll_back
    from elt.reporting.write import refresh_report

    _migrate()
    with working("Rolling back"):
        outcome = roll_back(by, reason)
    print(outcome)
    with working("Writing the report"):
        refresh_report()


@greenery.command()
@_decision
def release(by: str | None, reason: str) -> None:
    """Let the next run publish again, after a rollback."""
    from elt.publishing import rollback
    from elt.reporting.write import refresh_report

    _migrate()
    print(rollback.release(by))
    with working("Writing the report"):
        refresh_report()


@greenery.command()
@click.option("--test", default="", help="Its name, as dbt has it. Without one: list them.")
@click.option("--until", default="", metavar="2026-11-30", help="The last day (UTC).")
@click.option("--days", default="", help="For how many days. [default: 7]")
@click.option("--end", is_flag=True, help="Let it through no longer.")
@_decision
def override(test: str, until: str, days: str, end: bool, by: str | None, reason: str) -> None:
    """Let a failing test through for a while; alone, list what is let through."""
    from elt.transform import overrides
    from elt.warehouse.connection import transaction

    if sum(map(bool, (until, days, end))) > 1:
        raise click.UsageError("Say one of --until, --days and --end.")
    _migrate()
    with transaction("loader") as cursor:
        if not test:
            print_overrides(overrides.active(cursor))
            return
        outcome = overrides.decide(
            cursor,
            _lineage(),
            test,
            reason=reason,
            by=by,
            day=until,
            days=days,
            is_over=end,
        )
    print(outcome)


@greenery.command()
@click.option("--day", default="", metavar="2026-11-20", help="A day of the business.")
@click.option("--model", default="", help="With --key.")
@click.option("--key", default="", help="A value of the column that the model is built by.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_decision
def rebuild(day: str, model: str, key: str, yes: bool, by: str | None, reason: str) -> int:
    """Have the next run build a day, or a key of a model, anew."""
    from elt.transform.rebuild import request_rebuild

    def confirm(words: str) -> bool:
        print(words)
        if yes:
            return True
        return sys.stdin.isatty() and input("Have the next run do that? [y/N] ").lower() == "y"

    _migrate()
    done = request_rebuild(_lineage(), day=day, model=model, key=key, confirm=confirm)
    if done is None:
        print("Nothing was done. Say --yes (make: YES=1) to have it done.", file=sys.stderr)
        return FAILED
    print(done)
    return 0


@greenery.command("replay-quarantine")
@click.option("--table", default="", help="Only the rows of this table.")
def replay_quarantine(table: str) -> None:
    """Try rows in quarantine again, after they or their contract were mended."""
    from elt.loading.quarantine.replay import replay
    from elt.loading.sources_yaml import declared_tables

    _migrate()
    with working("Trying what waits in quarantine"):
        results = replay(declared_tables(), _run_id("replay"), table)
    print_replayed(results)
    if any(result.loaded for result in results):
        print("The next run builds and publishes what came in.")


@greenery.command()
@click.argument("person_id", required=False, default="", metavar="USER_ID")
def forget(person_id: str) -> int:
    """Remove a person for good, and say what is left to do."""
    import psycopg2

    from elt.loading.sources_yaml import declared_tables
    from elt.privacy.forget import forget as remove

    if not person_id.strip():
        print("Say whom: greenery forget USER_ID (make forget USER_ID=…)", file=sys.stderr)
        return NOT_UNDERSTOOD
    _migrate()
    try:
        with working("Looking for the person everywhere"):
            forgotten = remove(person_id.strip(), declared_tables(), _run_id("forget"))
    except psycopg2.OperationalError as error:
        first_line = str(error).partition("\n")[0]
        print(
            f"The warehouse broke off: {first_line}. Try again; it does no harm to do it twice.",
            file=sys.stderr,
        )
        return FAILED
    print_forgotten(forgotten)
    return 0


@greenery.command()
@click.argument("incident", type=click.IntRange(min=1))
@click.option("--by", default=lambda: os.environ.get("USER"), show_default="$USER", help="Who.")
@click.option("--note", default="", help="What there is to say of it, for everybody to read.")
def ack(incident: int, by: str | None, note: str) -> None:
    """Say who looks at an incident, by the number that its message gives it."""
    from elt.alerting import acknowledge
    from elt.reporting.write import refresh_report

    if not (by or "").strip():
        raise click.UsageError("Say who looks at it: --by NAME.")
    _migrate()
    print(acknowledge.acknowledge(incident, by or "", note))
    print(acknowledge.tell())
    with working("Writing the report"):
        refresh_report()


@greenery.command()
@click.option(
    "--to", type=click.Path(path_type=Path), help="The folder. [default: $GREENERY_REPORT]"
)
@click.option("--open", "is_opened", is_flag=True, help="Open it in a browser.")
def report(to: Path | None, is_opened: bool) -> None:
    """Write the report, and say where it is."""
    from elt.reporting.folder import VARIABLE, folder_of_reports
    from elt.reporting.write import write_report

    folder = to or folder_of_reports()
    if folder is None:
        raise click.UsageError(f"Name its folder: --to, or the variable {VARIABLE}.")
    _migrate()
    with working("Writing the report"):
        page = write_report(folder.absolute())
    print(page)
    if is_opened:
        click.launch(str(page))


@greenery.command()
@click.argument("name", required=False, default="", metavar="METRIC")
@click.option("--by", multiple=True, help="day, week, month, product, state … May be repeated.")
@click.option("--from", "first", default="", metavar="2021-02-10", help="The first day.")
@click.option("--to", "last", default="", metavar="2021-02-11", help="The last day.")
@click.option("--csv", "as_csv", is_flag=True, help="For programs and spreadsheets.")
@click.option("--explain", is_flag=True, help="Show the SQL, and ask nothing.")
@click.option("--list", "lists", is_flag=True, help="List metrics, and what splits them.")
def metric(
    name: str,
    by: tuple[str, ...],
    first: str,
    last: str,
    as_csv: bool,
    explain: bool,
    lists: bool,
) -> None:
    """Answer a metric from the published marts, by time and dimension."""
    from elt.metrics.ask import LISTED, ask, list_metrics, sql_of, understand
    from elt.metrics.definitions import GRAINS, read_definitions

    with working("Reading the metrics"):
        definitions = read_definitions()
        listed = list_metrics(definitions) if lists or not name else None
    if listed:
        print(f"Any of them may be split by {', '.join(GRAINS)}.", file=sys.stderr)
        print_table(LISTED, listed)
        return
    # after one --by, or several
    split = [word for words in by for word in words.split(",")]
    with working("Asking"):
        question = understand(definitions, name, split, first, last)
        sql = sql_of(definitions, question)
        found = None if explain else ask(definitions, question)
    if found is None:
        print(sql)
        return
    print(f"{question.answered_by.label}: {question.answered_by.description}", file=sys.stderr)
    if not found.rows:
        print("There is no row that it could be counted from.", file=sys.stderr)
    if as_csv:
        print(found.csv(), end="")
    else:
        print_table(found.names, found.rows, numbers=found.names[-1:])


greenery.add_command(bootstrap)


def _migrate() -> None:
    from elt.warehouse.migrate import migrate

    migrate()


def _run_id(verb: str) -> str:
    return f"{verb} {datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"


def _lineage() -> Lineage:
    from elt.transform.lineage import Lineage
    from elt.transform.overrides import OverrideError
    from elt.transform.project import newest_manifest

    manifest = newest_manifest()
    if manifest is None:
        raise OverrideError(
            "dbt's project was not read yet, so its tests are not known. Start a run first."
        )
    return Lineage.read(manifest)


if __name__ == "__main__":
    sys.exit(greenery.run(sys.argv[1:]))
