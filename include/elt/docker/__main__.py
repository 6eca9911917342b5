"""The image's entrypoint: makes connections from secret files, then becomes the command asked for.

``AIRFLOW_CONN_…`` can't name a file, and a secret in docker-compose.yml could be read by anyone.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

from elt.docker import environment
from elt.warehouse.session import drop_libpq_variables

# the base image's own entrypoint; it knows `airflow …`, `bash …` and `python …`
NEXT = "/entrypoint"


# TMPDIR of the image: nothing but this container's own temporary files
TEMPORARY = Path("/opt/greenery/tmp")


def make_empty(folder: Path) -> None:
    """Delete what a start of this container that was killed left behind."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)


def main(command: list[str]) -> None:
    """Become the command, with the connections that the secrets make in its environment."""
    drop_libpq_variables()
    made: dict[str, str] = {}
    if "GREENERY_SECRETS" in os.environ:
        try:
            made = environment.component_environment(os.environ, environment.SECRETS_FOLDER)
        except (environment.SettingsError, environment.LostSecretError) as error:
            sys.exit(f"\n{error}\n")
        if Path(os.environ.get("TMPDIR", "")) == TEMPORARY:
            make_empty(TEMPORARY)
    if "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS" in made:
        password = environment.read_secret("ui_password")
        environment.write_private(environment.UI_PASSWORDS, json.dumps({"admin": password}))
    os.execve(NEXT, [NEXT, *command], {**os.environ, **made})


if __name__ == "__main__":
    main(sys.argv[1:])
