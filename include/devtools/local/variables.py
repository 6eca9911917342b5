"""The variables of ``make``, which reach a command by its environment, as its arguments. Pure."""

from __future__ import annotations

from collections.abc import Mapping

WHY = {"REASON": "--reason", "BY": "--by"}
# a value stays one argument, whatever is in it
OPTIONS: dict[str, dict[str, str]] = {
    "run": {"SOURCE": "--source", "SLACK": "--slack"},
    "up": {"SOURCE": "--source", "SLACK": "--slack"},
    "scenario": {"PICTURES": "--pictures"},
    "replay-quarantine": {"TABLE": "--table"},
    "report": {"TO": "--to"},
    "rollback": WHY,
    "release": WHY,
    "override": {"TEST": "--test", "UNTIL": "--until", "DAYS": "--days", **WHY},
    "rebuild": {"DAY": "--day", "MODEL": "--model", "KEY": "--key", **WHY},
}
# set to anything at all
FLAGS = {"override": {"END": "--end"}, "report": {"OPEN": "--open"}, "rebuild": {"YES": "--yes"}}
LISTS = {"run": {"CONFIRM_SHRUNK": "--confirm-shrunk"}}
# after `--`: a value that begins with a dash is one, too
ARGUMENTS = {"forget": "USER_ID", "scenario": "NAME"}


def arguments(command: str, variables: Mapping[str, str]) -> list[str]:
    """Return what the variables say to a command of ``devtools.local``."""
    found = [flag for name, flag in FLAGS.get(command, {}).items() if variables.get(name)]
    for name, option in LISTS.get(command, {}).items():
        found += [f"{option}={word}" for word in variables.get(name, "").split()]
    for name, option in OPTIONS.get(command, {}).items():
        found += [f"{option}={variables[name]}"] if variables.get(name) else []
    if value := variables.get(ARGUMENTS.get(command, ""), ""):
        found += ["--", value]
    return found
