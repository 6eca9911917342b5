"""What is done to the warehouse by hand: ``make forget``, ``make rollback`` and the like."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime

from devtools.local import postgres
from devtools.local.state_folder import Home, warehouse_connection


def replay_quarantine(home: Home, table: str) -> int:
    """Try rows in quarantine again, of all tables or of one; print what became of them.

    Raises:
        SourceError, LeaseHeldError, MigrationError: in words.
    """
    _use_warehouse(home)
    from elt.loading.contract import declared_tables
    from elt.loading.quarantine import replay
    from elt.warehouse.migrate import migrate

    migrate()
    run_id = f"replay {datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"
    results = replay.replay(declared_tables(), run_id, table)
    for result in results:
        print(replay.in_words(result))
    if not results:
        print("No row waits in quarantine.")
    elif any(result.loaded for result in results):
        print("The next run builds and publishes what came in: make run")
    return 0


def forget(home: Home, person_id: str) -> int:
    """Remove a person for good; print what was removed and what is left to do."""
    _use_warehouse(home)
    from elt.cli.forget import main

    return main(person_id)


def operate(home: Home, arguments: Sequence[str]) -> int:
    """Do what an operator decides: ``rollback``, ``release`` and the like, and print it."""
    _use_warehouse(home)
    # where the runs of this checkout keep what they know of the dbt project
    os.environ.setdefault("GREENERY_DBT_TARGET", str(home.dbt_target))
    from elt.cli.operator import main

    return main(arguments)


def _use_warehouse(home: Home) -> None:
    """Have the warehouse of this checkout up, and known to what is imported from here on."""
    os.environ["AIRFLOW_CONN_GREENERY_WAREHOUSE"] = warehouse_connection(postgres.start(home.state))
    os.environ.setdefault("AIRFLOW_HOME", str(home.airflow))
