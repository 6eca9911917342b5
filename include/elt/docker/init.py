"""Bring an installation to the state that its services need: ``docker compose up`` runs it first.

A second time it changes nothing. ``docker compose run --rm init rotate`` makes new passwords.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg2

from elt.docker import environment
from elt.errors import EltError, SourceError, SourceUnreachableError
from elt.warehouse import session
from elt.warehouse.bootstrap import prepare, set_password
from elt.warehouse.rows import one_value

WAREHOUSE_SOCKET = "/run/warehouse"
METADATA_SOCKET = "/run/metadata"
# what other containers are given of the secrets, each in a volume of its own
HANDED_OUT = {
    Path("/run/greenery-broker"): ("broker_password",),
    Path("/run/greenery-worker"): ("broker_url", "metadata_url", "warehouse_password"),
}
CHECK_DAGS = (sys.executable, "-m", "elt.docker.checks", "dags")
NEEDED_MEMORY_GB = 3.5
# what the alerts remember beside the warehouse; it is made anew by itself
OWN_VARIABLE = "greenery_alert_told"
ENCRYPTED = """
    select (select count(*) from public.connection where is_encrypted or is_extra_encrypted)
         + (select count(*) from public.variable where is_encrypted)
"""


class InitError(EltError):
    """The installation can't be made ready; the message says what to do."""


def main() -> int:
    """Make the installation ready, or say in a sentence why not; return the exit status."""
    parser = argparse.ArgumentParser(prog="init", description=__doc__)
    parser.add_argument("command", nargs="?", choices=["rotate"])
    # Airflow's own commands connect by themselves
    session.drop_libpq_variables()
    try:
        make_ready(rotate=parser.parse_args().command == "rotate")
    except (InitError, environment.LostSecretError, environment.SettingsError) as error:
        print(f"\n{error}\n", file=sys.stderr)
        return 1
    return 0


def make_ready(*, rotate: bool) -> None:
    """Bring secrets, both databases and the demo data to the state that the services need.

    Args:
        rotate: whether to make new secrets for those that can be new at any time.

    Raises:
        InitError: if a database can't be made ready.
        SettingsError: if a variable can't be used.
        LostSecretError: if a secret is missing.
    """
    warn_of_little_memory()
    if rotate:
        for name in environment.ROTATED:
            (environment.SECRETS_FOLDER / name).unlink(missing_ok=True)
    made = environment.make_missing_secrets()
    if made:
        print(f"Made new secrets: {', '.join(made)}.", flush=True)
    connections = environment.component_environment(os.environ, environment.SECRETS_FOLDER)
    set_up_metadata(key_is_new="fernet_key" in made)
    hand_out_secrets()
    check = subprocess.Popen(CHECK_DAGS, env={**os.environ, **connections})
    set_up_warehouse()
    migrate_metadata()
    text = connections.get("AIRFLOW_CONN_GREENERY_SOURCE", "{}")
    source = json.loads(text)
    if source.get("conn_type") == "postgres":
        warn_of_silent_database(text)
    elif source.get("extra") == {"path": environment.DEMO_LANDING}:
        make_demo()
    check.wait()
    if rotate:
        print("Now tell the running services: docker compose up --detach --force-recreate")


def warn_of_little_memory() -> None:
    """Say so if Docker has less memory than a run needs."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    gigabytes = int(lines[0].split()[1]) / 1024**2
    if gigabytes < NEEDED_MEMORY_GB:
        print(
            f"Docker has {gigabytes:.1f} GB of memory. A run needs about {NEEDED_MEMORY_GB} GB: "
            "give Docker more, or set GREENERY_PARALLELISM=1.",
            flush=True,
        )


def connect(socket: str, database: str) -> psycopg2.extensions.connection:
    """Connect as the superuser by the server's socket: no password can be wrong there."""
    return session.connect(host=socket, user="postgres", dbname=database)


def set_up_metadata(*, key_is_new: bool) -> None:
    """Let Airflow log in to its own database; a password that was lost or changed is set again.

    Raises:
        InitError: if the database holds what only a lost key can read.
    """
    password = environment.read_secret("metadata_password")
    with contextlib.closing(connect(METADATA_SOCKET, "airflow")) as connection, connection:
        with connection.cursor() as cursor:
            cursor.execute("select exists (select from pg_roles where rolname = 'airflow')")
            if not one_value(cursor):
                cursor.execute("create role airflow login")
            cursor.execute("alter database airflow owner to airflow")
            cursor.execute("revoke all on database airflow from public")
            set_password(cursor, "airflow", password)
            cursor.execute("select to_regclass('public.variable') is not null")
            if key_is_new and one_value(cursor):
                cursor.execute("delete from public.variable where key = %s", (OWN_VARIABLE,))
                cursor.execute(ENCRYPTED)
                count = one_value(cursor)
                if count:
                    (environment.SECRETS_FOLDER / "fernet_key").unlink()
                    raise InitError(
                        f"The secret fernet_key is lost, and {count} of Airflow's own connections "
                        "or variables can't be read without it. Put it back from a backup, or "
                        "delete those rows: docker compose exec metadata psql -U postgres airflow "
                        "-c 'delete from connection' -c 'delete from variable'"
                    )
    environment.write_secret(
        "metadata_url", f"postgresql+psycopg2://airflow:{password}@metadata:5432/airflow"
    )


def hand_out_secrets() -> None:
    """Give broker and workers the secrets that they need, and no other."""
    password = environment.read_secret("broker_password")
    environment.write_secret("broker_url", f"redis://:{password}@broker:6379/0")
    for folder, names in HANDED_OUT.items():
        for name in names:
            environment.write_secret(name, environment.read_secret(name), folder)


def set_up_warehouse() -> None:
    """Make roles and schemas, and set the log-ins' passwords."""
    passwords = {
        "greenery": environment.read_secret("warehouse_password"),
        "analyst": environment.read_secret("analyst_password"),
    }
    with contextlib.closing(connect(WAREHOUSE_SOCKET, "greenery")) as connection, connection:
        prepare(connection, passwords)


def migrate_metadata() -> None:
    """Make or upgrade Airflow's tables.

    Raises:
        InitError: with the end of what Airflow said.
    """
    done = subprocess.run(["airflow", "db", "migrate"], capture_output=True, text=True)
    if done.returncode != 0:
        raise InitError(f"Airflow's database can't be made:\n{done.stderr[-3000:]}")
    print("Airflow's database is ready.", flush=True)


def warn_of_silent_database(connection: str) -> None:
    """Say so if the shop's own database does not let us in; it may do so before the next run."""
    # they import Airflow, which nothing else here needs
    from airflow.sdk import Connection

    from elt.loading.database.source import database_of, open_snapshot

    try:
        with open_snapshot(database_of(Connection.from_json(connection))):
            pass
    except (SourceError, SourceUnreachableError, psycopg2.Error) as error:
        print(
            f"\nThe shop's database (GREENERY_SOURCE) can't be read now: {str(error).strip()}\n"
            "Until it can, the tasks load_… will fail.\n",
            file=sys.stderr,
        )


def make_demo() -> None:
    """Write the demo shop's landing files up to yesterday, as far as they are not there."""
    from devtools.demo import __main__ as demo

    os.environ[demo.DATABASE_VARIABLE] = f"postgresql://analyst@/greenery?host={WAREHOUSE_SOCKET}"
    if demo.main(["--out", environment.DEMO_LANDING]) != 0:
        raise InitError("The demo data can't be made; the line above says why.")


if __name__ == "__main__":
    sys.exit(main())
