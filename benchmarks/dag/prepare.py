"""Make a generated shop's warehouse: loaded, and built by `dbt build`, whose seconds are printed.

Its environment says which shop.
"""

from __future__ import annotations

import json
import os
import tempfile
import time

from benchmarks.dag.worker import RUN_ID
from elt.airflow.dbt_tasks import manifest_path, open_profile
from elt.airflow.load_tasks import declared_tables, load_table
from elt.transform.project import PROFILE_NAME, PROJECT, TARGET, run_dbt
from elt.warehouse import lease
from elt.warehouse.connection import transaction
from elt.warehouse.migrate import migrate


def main() -> None:
    migrate()
    manifest_path()
    for table in declared_tables():
        load_table(table, run_id=RUN_ID)
    with transaction("loader") as cursor:
        lease.take(cursor, RUN_ID)
        lease.freeze_horizon(cursor, RUN_ID)
    with open_profile() as (profiles, environment), tempfile.TemporaryDirectory() as target:
        begun, before = time.monotonic(), os.times()
        run_dbt(
            PROJECT,
            [
                *("build", "--exclude-resource-type", "unit_test"),
                *("--profiles-dir", str(profiles.parent), "--profile", PROFILE_NAME),
                *("--target", TARGET, "--target-path", target, "--log-path", target),
            ],
            environment,
            to="build",
        )
        after = os.times()
    cpu = after.children_user + after.children_system
    cpu -= before.children_user + before.children_system
    print(json.dumps({"wall": time.monotonic() - begun, "cpu": cpu}))


if __name__ == "__main__":
    main()
