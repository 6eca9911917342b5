"""``greenery`` in a checkout: the local commands, and an operator's on the local warehouse."""

from __future__ import annotations

import copy
import functools
import os
import sys
from pathlib import Path
from typing import Any

import click
import psycopg2

from devtools.local import clients, fake_slack, machine, postgres, processes, services
from devtools.local.state_folder import Home, warehouse_connection
from elt.cli.commands import greenery as operator
from elt.cli.terminal import Commands
from elt.warehouse.session import drop_libpq_variables

PIPE_CLOSED = 141
SOURCE = click.option(
    "--source",
    help="Folder with the shop's CSV files, a URL of one, or postgresql://… of its database, whose "
    "password only SOURCE in make's environment hides from other users.",
)
SLACK = click.option("--slack", help="`local`: tell the fake Slack.")
HANDED_ON: dict[str, Any] = {
    "context_settings": {"ignore_unknown_options": True, "help_option_names": []},
    "add_help_option": False,
}
ARGUMENTS = click.argument("arguments", nargs=-1, type=click.UNPROCESSED)


class Local(Commands):
    """The commands of a checkout."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except BrokenPipeError:
            processes.forget_terminal()
            return PIPE_CLOSED

    def message_of(self, error: Exception) -> str | None:
        if isinstance(error, BrokenPipeError):
            return None
        if isinstance(error, OSError):
            return machine.file_trouble(error, Home().state)
        if isinstance(error, psycopg2.OperationalError):
            return str(error).strip()
        return super().message_of(error)


@click.group(cls=Local)
@click.pass_context
def greenery(context: click.Context) -> None:
    """The local commands, and an operator's on the local warehouse."""
    # dbt, psql and Airflow connect by themselves
    drop_libpq_variables()
    context.obj = Home()


@greenery.command()
@SOURCE
@SLACK
@click.option(
    "--confirm-shrunk",
    multiple=True,
    metavar="TABLE",
    help="A table whose snapshot may lose more than half of its rows; may be repeated.",
)
@click.pass_obj
def run(home: Home, source: str | None, slack: str | None, confirm_shrunk: tuple[str, ...]) -> int:
    """Run the DAG once, on demo data or the shop's own."""
    from devtools.local.run import run as run_once

    return 0 if run_once(home, source, list(confirm_shrunk), slack) else 1


@greenery.command()
@SOURCE
@SLACK
@click.pass_obj
def up(home: Home, source: str | None, slack: str | None) -> None:
    """Start the scheduler and Airflow's UI."""
    from devtools.local.daily import up as start

    start(home, source, slack)


@greenery.command()
@click.pass_obj
def slack(home: Home) -> None:
    """Start the fake Slack, which shows alerts in a browser."""
    address = fake_slack.start(home)
    print(fake_slack.describe(home, address, services.up(home) is not None))


@greenery.command()
@click.argument("name", default="")
@click.option("--pictures", type=click.Path(path_type=Path), help="Folder for pictures of it.")
@click.pass_obj
def scenario(home: Home, name: str, pictures: Path | None) -> int:
    """Break a demo run and show what Slack hears. Without a name: list them."""
    from devtools.local.scenario import scenario as play

    return play(home, name, pictures)


@greenery.command()
@click.pass_obj
def down(home: Home) -> None:
    """Stop Airflow, Postgres and the fake Slack."""
    stopped = []
    for one in (home, home.stage):
        stopped += [services.stop(one), fake_slack.stop(one)]
        stopped += [one.state.exists() and postgres.stop(one.state)]
    print("Stopped." if any(stopped) else "Nothing was running.")


@greenery.command(**HANDED_ON)
@ARGUMENTS
@click.pass_obj
def dbt(home: Home, arguments: tuple[str, ...]) -> None:
    """Run dbt into your own schemas."""
    clients.dbt(home, arguments)


@greenery.command(**HANDED_ON)
@ARGUMENTS
@click.pass_obj
def psql(home: Home, arguments: tuple[str, ...]) -> None:
    """Open psql; it may read every schema."""
    clients.psql(home, arguments)


@greenery.command()
@click.pass_obj
def pictures(home: Home) -> int:
    """Take the pictures of the documents anew."""
    from devtools.local.pictures import pictures as take

    return 0 if take(home, home.root / "docs") else 1


@greenery.command("ci-changed")
@click.pass_obj
def ci_changed(home: Home) -> None:
    """Show what a change of the dbt project does to the marts."""
    clients.ci_changed(home)


@greenery.command("warehouse-url")
@click.pass_obj
def warehouse_url(home: Home) -> None:
    """Print a URL that may read every schema."""
    print(postgres.start(home.state).url("analyst"))


@greenery.command()
@click.pass_obj
def reset(home: Home) -> None:
    """Delete everything: warehouse, runs, demo data."""
    for one in (home.stage, home):
        services.stop(one)
        fake_slack.stop(one)
        postgres.remove(one.state)
        one.remove()
    print(f"{home.state} is gone. `make run` starts over.")


def _on_the_local_warehouse(command: click.Command) -> click.Command:
    """Return a command of an operator's as it goes to the warehouse of this checkout."""
    do = command.callback

    @functools.wraps(do)
    def prepared(**given: Any) -> Any:
        home = click.get_current_context().obj
        server = postgres.start(home.state)
        os.environ["AIRFLOW_CONN_GREENERY_WAREHOUSE"] = warehouse_connection(server)
        # Airflow reads it when something imports it
        os.environ.setdefault("AIRFLOW_HOME", str(home.airflow))
        # where the runs of this checkout keep what they know of the dbt project
        os.environ.setdefault("GREENERY_DBT_TARGET", str(home.dbt_target))
        os.environ.setdefault("GREENERY_REPORT", str(home.report))
        return do(**given)

    local = copy.copy(command)
    local.callback = prepared
    return local


for one in operator.commands.values():
    greenery.add_command(_on_the_local_warehouse(one))


def main() -> int:
    """Be the command ``greenery`` of a checkout."""
    return greenery.run(sys.argv[1:])
