"""The local commands behind the Makefile: ``python -m include.local --help``."""

from __future__ import annotations

import argparse
import os
import shutil
import sys

from include.local import postgres, services
from include.local.databases import WAREHOUSE
from include.local.home import Home, environment
from include.transform.manifest import DBT


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m include.local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="one run of the DAG, on demo data or the shop's own")
    run.add_argument(
        "--confirm-shrunk",
        nargs="+",
        default=[],
        metavar="TABLE",
        help="tables whose snapshot may lose more than half of its rows",
    )
    up = commands.add_parser("up", help="start scheduler and Airflow UI")
    for command in (run, up):
        command.add_argument(
            "--source",
            # a password on the command line could be read by every user of the machine
            default=os.environ.get("SOURCE"),
            help="folder with the shop's CSV files, a URL of one, or postgresql://… of its "
            "database; SOURCE in the environment says the same",
        )
    commands.add_parser("down", help="stop Airflow and Postgres")
    commands.add_parser("dbt", add_help=False, help="run dbt into your own schemas")
    commands.add_parser("psql", add_help=False, help="open psql; may read every schema")
    commands.add_parser("warehouse-url", help="print a URL that may read every schema")
    again = commands.add_parser("replay-quarantine", help="try rows in quarantine again")
    again.add_argument("--table", default="", help="only the rows of this table")
    forget = commands.add_parser("forget", help="remove a person for good")
    forget.add_argument("person_id", nargs="?", default="", metavar="USER_ID")
    for name in OPERATE:
        commands.add_parser(name, add_help=False, help="see include/operate/__main__.py")
    commands.add_parser("reset", help="forget everything: warehouse, runs, demo data")
    arguments, arguments.handed_on = parser.parse_known_args()
    if arguments.handed_on and arguments.command not in (
        *("dbt", "psql"),
        *OPERATE,
    ):
        parser.error(f"unknown arguments: {' '.join(arguments.handed_on)}")
    home = Home()
    try:
        return COMMANDS[arguments.command](home, arguments)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if type(error).__name__ not in EXPECTED:
            raise
        print(str(error).strip(), file=sys.stderr)
        return 1


def _run(home: Home, arguments: argparse.Namespace) -> int:
    from include.local.run import run

    return 0 if run(home, arguments.source, arguments.confirm_shrunk) else 1


def _up(home: Home, arguments: argparse.Namespace) -> int:
    from include.local.source import choose_source, identity, refuse_other_source

    server = postgres.start(home.state)
    source = choose_source(home, server, arguments.source)
    if services.is_up(home):
        refuse_other_source(home, source)
        print(f"Airflow is up already: {home.url}")
        return 0
    home.leave_taken_port()
    environ = environment(home, server, source)
    services.migrate_metadata(environ, home)
    services.start(home, environ, identity(source))
    print(f"Airflow is up: {home.url}\nSource: {identity(source)}\n`make down` stops it.")
    return 0


def _down(home: Home, _: argparse.Namespace) -> int:
    stopped = services.stop(home)
    stopped = (home.state.exists() and postgres.stop(home.state)) or stopped
    print("Stopped." if stopped else "Nothing was running.")
    return 0


def _dbt(home: Home, arguments: argparse.Namespace) -> int:
    server = postgres.start(home.state)
    project = home.root / "dbt" / "greenery"
    target = home.state / "dbt"
    environ = {
        **os.environ,
        "DBT_PROJECT_DIR": str(project),
        "DBT_PROFILES_DIR": str(project),
        # not the run's: another profile in it would make every task parse again
        "DBT_TARGET_PATH": str(target),
        "DBT_LOG_PATH": str(target),
        # a test runs when all it reads is selected or comes before; others would find no table
        "DBT_INDIRECT_SELECTION": "buildable",
        "DO_NOT_TRACK": "1",
        "GREENERY_DBT_HOST": "127.0.0.1",
        "GREENERY_DBT_PORT": str(server.port),
        "GREENERY_DBT_USER": "analyst",
        "GREENERY_DBT_PASSWORD": server.passwords["analyst"],
        "GREENERY_DBT_DATABASE": WAREHOUSE,
    }
    os.execve(sys.executable, [*DBT, *arguments.handed_on], environ)


def _psql(home: Home, arguments: argparse.Namespace) -> int:
    server = postgres.start(home.state)
    login = os.environ.get("LOGIN") or "analyst"
    if login not in server.passwords:
        sys.exit(f"There is no log-in {login}. Choose from: {', '.join(server.passwords)}.")
    environ = {
        **os.environ,
        "PGHOST": "127.0.0.1",
        "PGPORT": str(server.port),
        "PGUSER": login,
        "PGDATABASE": WAREHOUSE,
        # not on the command line, where every user of the machine could read it
        "PGPASSWORD": server.passwords[login],
    }
    os.execve(postgres.binary("psql"), ["psql", *arguments.handed_on], environ)


def _warehouse_url(home: Home, _: argparse.Namespace) -> int:
    print(postgres.start(home.state).url("analyst"))
    return 0


def _replay_quarantine(home: Home, arguments: argparse.Namespace) -> int:
    from include.local.upkeep import replay_quarantine

    return replay_quarantine(home, arguments.table)


def _forget(home: Home, arguments: argparse.Namespace) -> int:
    from include.local.upkeep import forget

    return forget(home, arguments.person_id)


def _operate(home: Home, arguments: argparse.Namespace) -> int:
    from include.local.upkeep import operate

    return operate(home, [arguments.command, *arguments.handed_on])


def _reset(home: Home, _: argparse.Namespace) -> int:
    services.stop(home)
    postgres.remove(home.state)
    shutil.rmtree(home.state, ignore_errors=True)
    print(f"{home.state} is gone. `make run` starts over.")
    return 0


# What speaks for itself, by name: to import them all would make each command slow.
EXPECTED = {
    "DagBrokenError",
    "DemoError",
    "LeaseHeldError",
    "MigrationError",
    "OperationalError",
    "OtherSourceError",
    "PostgresError",
    "ServicesError",
    "SourceError",
    "SourceUnreachableError",
    "WarehouseUnreachableError",
}
# what is handed on as it is to include.operate
OPERATE = ("rollback", "release", "override")
COMMANDS = {
    **dict.fromkeys(OPERATE, _operate),
    "run": _run,
    "up": _up,
    "down": _down,
    "dbt": _dbt,
    "psql": _psql,
    "warehouse-url": _warehouse_url,
    "replay-quarantine": _replay_quarantine,
    "forget": _forget,
    "reset": _reset,
}

if __name__ == "__main__":
    sys.exit(main())
