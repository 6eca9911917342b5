"""``greenery bootstrap``: what an administrator does once, and again after an update."""

from __future__ import annotations

import os
import sys

import click

VARIABLES = {
    "greenery": "GREENERY_WAREHOUSE_PASSWORD",
    "analyst": "GREENERY_ANALYST_PASSWORD",
}


@click.command()
@click.option(
    "--admin-url",
    envvar="GREENERY_ADMIN_URL",
    required=True,
    show_envvar=True,
    help="postgresql://admin:…@host/postgres?sslmode=verify-full&sslrootcert=…",
)
@click.option("--database", default="greenery", show_default=True, help="The warehouse.")
@click.option("--dry-run", is_flag=True, help="Change nothing, and say what would change.")
def bootstrap(admin_url: str, database: str, dry_run: bool) -> None:
    """Make roles, schemas and rights of a warehouse, and its database.

    The administrator is a superuser, or has CREATEROLE and CREATEDB, as on a managed server. The
    passwords of the run and of analysts are taken from GREENERY_WAREHOUSE_PASSWORD and
    GREENERY_ANALYST_PASSWORD; without one, a password stays as it is.
    """
    from elt.warehouse.bootstrap import bootstrap as prepare

    given = {login: os.environ.get(variable, "") for login, variable in VARIABLES.items()}
    passwords = {login: password for login, password in given.items() if password}
    changes = prepare(admin_url, database, passwords, is_dry=dry_run)
    for line in changes.lines():
        print(line)
    for warning in changes.warnings:
        print(warning, file=sys.stderr)
    if dry_run:
        print("Nothing was changed.")
        return
    print(f"{database} is ready." if changes.lines() else f"{database} was ready.")
    for login, variable in VARIABLES.items():
        done = "was set" if login in passwords else f"stays as it is: {variable} is not set"
        print(f"The password of {login} {done}.")
