"""The groups of the fake Slack: whoever the shop's dbt project names as an owner."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from elt.transform.project import PROJECT


def owner_groups(project: Path = PROJECT) -> dict[str, str]:
    """Return a group for each owner, with its Slack id, so that messages mention them."""
    files = [project / "dbt_project.yml", *sorted(project.glob("models/**/*.yml"))]
    found = {
        owner for file in files for owner in _owners(yaml.safe_load(file.read_text("utf-8"))) or ()
    }
    return {owner: _id(owner) for owner in sorted(found)}


def _owners(declared: Any) -> Iterator[str]:
    if isinstance(declared, list):
        for one in declared:
            yield from _owners(one)
    elif isinstance(declared, dict):
        for key, value in declared.items():
            # an exposure's owner is a person, with a name and an address
            if key == "owner" and isinstance(value, str) and "@" not in value:
                yield value
            else:
                yield from _owners(value)


def _id(owner: str) -> str:
    return "S0" + re.sub(r"[^A-Z0-9]", "", owner.upper())
