"""An operator's decisions, in the warehouse of the Airflow connection.

``python -m elt.cli.operator --help``
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from elt.errors import EltError
from elt.publishing import pin
from elt.publishing.rollback import roll_back
from elt.transform import override_decisions, rebuild
from elt.transform import overrides as override
from elt.transform.lineage import Lineage
from elt.transform.manifest import newest_manifest
from elt.warehouse.connection import transaction
from elt.warehouse.migrate import migrate


def main(arguments: Sequence[str]) -> int:
    """Do what the arguments say, print what was done, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m elt.cli.operator", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    _add(commands, "rollback", "show the publication before the last one, and hold it", _rollback)
    _add(commands, "release", "let the next run publish again", _release)
    about = "let a failing test through for a while; list what is let through"
    command = _add(commands, "override", about, _override)
    command.add_argument("--test", default="", help="its name, as dbt has it")
    until = command.add_mutually_exclusive_group()
    until.add_argument("--until", default="", metavar="2026-11-30", help="the last day (UTC)")
    until.add_argument("--days", default="", help=f"default: {override.USUAL_DAYS}")
    until.add_argument("--end", action="store_true", help="let it through no longer")
    about = "have the next run build a day, or a key of a model, anew"
    command = _add(commands, "rebuild", about, _rebuild)
    command.add_argument("--day", default="", metavar="2026-11-20", help="of the business")
    command.add_argument("--model", default="", help="with --key")
    command.add_argument("--key", default="", help="a value of the column the model is built by")
    command.add_argument("--yes", action="store_true", help="do not ask")
    parsed = parser.parse_args(arguments)
    try:
        migrate()
        return parsed.do(parsed)
    except EltError as error:
        print(error, file=sys.stderr)
        return 1


def _add(
    commands: argparse._SubParsersAction,
    name: str,
    about: str,
    do: Callable[[argparse.Namespace], int],
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=about, description=about)
    command.add_argument("--by", default=os.environ.get("USER"), help="who decides this")
    command.add_argument("--reason", default="", help="why, for everybody to read")
    command.set_defaults(do=do)
    return command


def _rollback(arguments: argparse.Namespace) -> int:
    print(roll_back(arguments.by, arguments.reason))
    return 0


def _release(arguments: argparse.Namespace) -> int:
    print(pin.release(arguments.by))
    return 0


def _override(arguments: argparse.Namespace) -> int:
    with transaction("loader") as cursor:
        told = override_decisions.decide(
            cursor,
            _lineage() if arguments.test else None,
            arguments.test,
            reason=arguments.reason,
            by=arguments.by,
            day=arguments.until,
            days=arguments.days,
            is_over=arguments.end,
        )
    print(told)
    return 0


def _rebuild(arguments: argparse.Namespace) -> int:
    def confirm(told: str) -> bool:
        print(told)
        if arguments.yes:
            return True
        return sys.stdin.isatty() and input("Have the next run do that? [y/N] ").lower() == "y"

    told = rebuild.have_rebuilt(
        _lineage(), day=arguments.day, model=arguments.model, key=arguments.key, confirm=confirm
    )
    if told is None:
        print("Nothing was done. Say YES=1 to have it done.", file=sys.stderr)
        return 1
    print(told)
    return 0


def _lineage() -> Lineage:
    manifest = newest_manifest()
    if manifest is None:
        raise override.OverrideError(
            "dbt's project was not read yet, so its tests are not known. Start a run first."
        )
    return Lineage.read(manifest)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
