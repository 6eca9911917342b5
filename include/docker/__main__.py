"""The image's entrypoint: makes connections from secret files, then becomes the command asked for.

``AIRFLOW_CONN_…`` can't name a file, and a secret in docker-compose.yml could be read by anyone.
"""

from __future__ import annotations

import json
import os
import sys

from include.docker import keys, settings

# the base image's own entrypoint; it knows `airflow …`, `bash …` and `python …`
NEXT = "/entrypoint"


def main(command: list[str]) -> None:
    made: dict[str, str] = {}
    if "GREENERY_SECRETS" in os.environ:
        try:
            made = settings.environment(os.environ, keys.FOLDER)
        except (settings.SettingsError, keys.LostSecretError) as error:
            sys.exit(f"\n{error}\n")
    if "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS" in made:
        with open(os.open(settings.UI_PASSWORDS, os.O_CREAT | os.O_WRONLY, 0o600), "w") as out:
            json.dump({"admin": keys.read("ui_password")}, out)
    os.execve(NEXT, [NEXT, *command], {**os.environ, **made})


if __name__ == "__main__":
    main(sys.argv[1:])
