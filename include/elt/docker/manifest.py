"""Make dbt's manifest while the image is built: ``python -m elt.docker.manifest``."""

from __future__ import annotations

import os
import sys

from elt.docker import environment


def main() -> None:
    # parsing asks no database, but what is parsed depends on where it is
    os.environ["AIRFLOW_CONN_GREENERY_WAREHOUSE"] = environment.warehouse("unknown-at-build")
    from elt.airflow.dbt_tasks import manifest_path
    from elt.transform.manifest import BrokenProjectError

    try:
        print(manifest_path())
    except BrokenProjectError as error:
        sys.exit(f"\n{error}\n")


if __name__ == "__main__":
    main()
