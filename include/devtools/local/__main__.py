"""The local commands behind the Makefile: ``python -m devtools.local --help``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import psycopg2

from devtools.local import clients, fake_slack, machine, postgres, processes, services, variables
from devtools.local.state_folder import Home
from elt.errors import EltError
from elt.warehouse.session import drop_libpq_variables


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m devtools.local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="one run of the DAG, on demo data or the shop's own")
    run.add_argument(
        "--confirm-shrunk",
        action="append",
        default=[],
        metavar="TABLE",
        help="a table whose snapshot may lose more than half of its rows; may be repeated",
    )
    up = commands.add_parser("up", help="start scheduler and Airflow UI")
    for command in (run, up):
        command.add_argument(
            "--source",
            help="folder with the shop's CSV files, a URL of one, or postgresql://… of its "
            "database, whose password only SOURCE in the environment hides from other users",
        )
        command.add_argument(
            "--slack",
            help="`local`: tell the fake Slack",
        )
    commands.add_parser("slack", help="start the fake Slack, which shows alerts in a browser")
    scenario = commands.add_parser("scenario", help="break a demo run and show what Slack hears")
    name = os.environ.get("NAME", "")
    scenario.add_argument("name", nargs="?", default=name, help="without it: list them")
    scenario.add_argument("--pictures", type=Path, help="folder for pictures of what arrives")
    commands.add_parser("down", help="stop Airflow, Postgres and the fake Slack")
    commands.add_parser("dbt", add_help=False, help="run dbt into your own schemas")
    commands.add_parser("psql", add_help=False, help="open psql; may read every schema")
    commands.add_parser("ci-changed", help="what a change of the dbt project does to the marts")
    commands.add_parser("warehouse-url", help="print a URL that may read every schema")
    again = commands.add_parser("replay-quarantine", help="try rows in quarantine again")
    again.add_argument("--table", default="", help="only the rows of this table")
    forget = commands.add_parser("forget", help="remove a person for good")
    person = os.environ.get("USER_ID", "")
    forget.add_argument("person_id", nargs="?", default=person, metavar="USER_ID")
    for name in OPERATE:
        commands.add_parser(name, add_help=False, help="see include/elt/cli/operator.py")
    commands.add_parser("reset", help="forget everything: warehouse, runs, demo data")
    given = sys.argv[1:]
    if given and not {"-h", "--help"} & {*given}:
        given[1:1] = variables.arguments(given[0], os.environ)
    arguments, arguments.handed_on = parser.parse_known_args(given)
    if arguments.handed_on and arguments.command not in ("dbt", "psql", *OPERATE):
        parser.error(f"unknown arguments: {' '.join(arguments.handed_on)}")
    # dbt, psql and Airflow connect by themselves
    drop_libpq_variables()
    home = Home()
    try:
        return COMMANDS[arguments.command](home, arguments)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        processes.forget_terminal()
        return 141
    except Exception as error:
        said = machine.file_trouble(error, home.state) if isinstance(error, OSError) else None
        if said is None and not isinstance(error, (EltError, psycopg2.OperationalError)):
            raise
        print(said or str(error).strip(), file=sys.stderr)
        return 1


def _run(home: Home, arguments: argparse.Namespace) -> int:
    from devtools.local.run import run

    done = run(home, arguments.source, arguments.confirm_shrunk, arguments.slack)
    return 0 if done else 1


def _up(home: Home, arguments: argparse.Namespace) -> int:
    from devtools.local.daily import up

    up(home, arguments.source, arguments.slack)
    return 0


def _slack(home: Home, _: argparse.Namespace) -> int:
    address = fake_slack.start(home)
    print(fake_slack.in_words(home, address, services.up(home) is not None))
    return 0


def _scenario(home: Home, arguments: argparse.Namespace) -> int:
    from devtools.local.scenario import scenario

    return scenario(home, arguments.name, arguments.pictures)


def _down(home: Home, _: argparse.Namespace) -> int:
    stopped = []
    for one in (home, home.stage):
        stopped += [services.stop(one), fake_slack.stop(one)]
        stopped += [one.state.exists() and postgres.stop(one.state)]
    print("Stopped." if any(stopped) else "Nothing was running.")
    return 0


def _warehouse_url(home: Home, _: argparse.Namespace) -> int:
    print(postgres.start(home.state).url("analyst"))
    return 0


def _replay_quarantine(home: Home, arguments: argparse.Namespace) -> int:
    from devtools.local.maintenance import replay_quarantine

    return replay_quarantine(home, arguments.table)


def _forget(home: Home, arguments: argparse.Namespace) -> int:
    from devtools.local.maintenance import forget

    return forget(home, arguments.person_id)


def _operate(home: Home, arguments: argparse.Namespace) -> int:
    from devtools.local.maintenance import operate

    return operate(home, [arguments.command, *arguments.handed_on])


def _reset(home: Home, _: argparse.Namespace) -> int:
    for one in (home.stage, home):
        services.stop(one)
        fake_slack.stop(one)
        postgres.remove(one.state)
        one.remove()
    print(f"{home.state} is gone. `make run` starts over.")
    return 0


# what is handed on as it is to elt.cli.operator
OPERATE = ("rollback", "release", "override", "rebuild")
COMMANDS = {
    **dict.fromkeys(OPERATE, _operate),
    "run": _run,
    "up": _up,
    "slack": _slack,
    "scenario": _scenario,
    "down": _down,
    "dbt": clients.dbt,
    "psql": clients.psql,
    "ci-changed": clients.ci_changed,
    "warehouse-url": _warehouse_url,
    "replay-quarantine": _replay_quarantine,
    "forget": _forget,
    "reset": _reset,
}

if __name__ == "__main__":
    sys.exit(main())
