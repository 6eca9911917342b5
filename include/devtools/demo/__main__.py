"""Make a demo shop's landing files: ``python -m devtools.demo --help``."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psycopg2

from devtools.demo.faults import KINDS
from devtools.demo.generate import mend, plant_fault, write_landing
from devtools.demo.settings import (
    DEFAULT_DAYS,
    DEFAULT_USERS,
    DemoError,
    DemoSettings,
    days_until,
    default_settings,
    read_note,
)
from devtools.local import postgres
from devtools.local.server_account import PostgresError
from devtools.local.state_folder import Home
from elt.warehouse import session

DATABASE_VARIABLE = "GREENERY_DEMO_DATABASE_URL"
HOME = Home()
ABOUT = f"""Make a demo shop's landing files, one drop per day for each of the seven tables.

The same seed, users and first day give the same files, byte for byte. Files that are there are
kept: called again a day later, it adds one drop. The data is made in temporary tables of a
Postgres: the one in ${DATABASE_VARIABLE}, or the local server, started if need be.

Faults to --break the last drop with; the next call without --break mends it:
"""


def main(arguments: Sequence[str] | None = None, today: date | None = None) -> int:
    """Run the command and return its exit code: 0 done, 1 refused with a sentence on stderr."""
    options = _parser().parse_args(arguments)
    last_day = options.end_date or (today or datetime.now(UTC).date()) - timedelta(days=1)
    try:
        settings = _settings(options, last_day)
        days = days_until(settings, last_day)
        with contextlib.closing(_connect()) as warehouse:
            for file in mend(warehouse, options.out, settings):
                print(f"Mended {file}.")
            files = write_landing(
                warehouse,
                options.out,
                settings,
                days,
                overwrite=options.overwrite,
                compress=options.gzip,
            )
            print(
                f"Wrote {len(files)} files of {len(days)} days up to {last_day} in {options.out}."
            )
            if options.kind:
                day = options.break_date or last_day
                file = plant_fault(warehouse, options.out, settings, day, options.kind)
                fault = KINDS[options.kind]
                print(f"Broke {file}: {fault.description}. This stops {fault.stops}.")
    except (DemoError, PostgresError, psycopg2.Error) as error:
        print(str(error).strip(), file=sys.stderr)
        return 1
    return 0


def _settings(options: argparse.Namespace, last_day: date) -> DemoSettings:
    """Return the settings asked for; what is not asked for is as in the folder."""
    given = {
        name: getattr(options, name)
        for name in ("seed", "users", "sessions_per_day")
        if getattr(options, name) is not None
    }
    note = read_note(options.out)
    if note is None:
        return default_settings(last_day, options.days, **given)
    return replace(note.settings, **given)


def _connect() -> psycopg2.extensions.connection:
    url = os.environ.get(DATABASE_VARIABLE)
    if url:
        return session.connect(url)
    return postgres.start(HOME.state).connect("analyst")


def _parser() -> argparse.ArgumentParser:
    kinds = "\n".join(
        f"  {name:<18} {kind.description};\n{'':<21}it stops {kind.stops}"
        for name, kind in KINDS.items()
    )
    parser = argparse.ArgumentParser(
        prog="python -m devtools.demo",
        description=ABOUT + kinds,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--out",
        type=Path,
        default=HOME.demo_landing,
        help="the landing folder (default: the one of `make run`)",
    )
    add(
        "--days",
        type=int,
        default=DEFAULT_DAYS,
        help="how many days a new folder begins with; later calls fill up from its first day "
        "(default: %(default)s)",
    )
    add("--end-date", type=date.fromisoformat, help="the last day (default: yesterday in UTC)")
    add("--seed", type=int, help="another seed, another shop (default: 1)")
    add(
        "--users",
        type=int,
        help=f"accounts when the shop opens (default: {DEFAULT_USERS})",
    )
    add("--sessions-per-day", type=int, help="visits on a day (default: an eighth of the users)")
    add("--gzip", action="store_true", help="write .csv.gz")
    add("--overwrite", action="store_true", help="write the files that are there again")
    add(
        "--break", dest="kind", choices=list(KINDS), metavar="KIND", help="plant a fault, see above"
    )
    add("--break-date", type=date.fromisoformat, help="in this day's drop (default: the last day)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
