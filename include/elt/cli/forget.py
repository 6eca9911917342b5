"""Forget a person in the warehouse of the Airflow connection: ``python -m elt.cli.forget ID``."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import psycopg2

from elt.errors import EltError
from elt.loading.contract import declared_tables
from elt.privacy.forget import forget
from elt.privacy.summary import lines
from elt.warehouse.migrate import migrate


def main(person_id: str) -> int:
    """Forget a person and say what was done; return the exit status."""
    if not person_id.strip():
        print("Say whom: make forget USER_ID=…", file=sys.stderr)
        return 2
    try:
        migrate()
        run_id = f"forget {datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"
        forgotten = forget(person_id.strip(), declared_tables(), run_id)
    except EltError as error:
        print(error, file=sys.stderr)
        return 1
    except psycopg2.OperationalError as error:
        first_line = str(error).partition("\n")[0]
        print(
            f"The warehouse broke off: {first_line}. Try again; it does no harm to do it twice.",
            file=sys.stderr,
        )
        return 1
    print("\n".join(lines(forgotten)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) == 2 else ""))
