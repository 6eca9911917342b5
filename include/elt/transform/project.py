"""The dbt project: what dbt_project.yml says, and the environment in which dbt reads it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from elt.shop import SHOP

PROJECT = SHOP.dbt_project
# what dbt says of a node that went well
GOOD = ("success", "pass", "warn")


def project_name(project: Path = PROJECT) -> str:
    """Return the project's name, as the ids of its nodes have it."""
    name: str = _settings(project)["name"]
    return name


def variable(name: str, project: Path = PROJECT) -> Any:
    """Return a variable of the project, or None if it declares none of that name."""
    settings = _settings(project)
    declared = settings.get("vars") or {}
    # dbt knows vars of every project, and those of one
    for known in (declared.get(settings.get("name")) or {}, declared):
        if name in known:
            return known[name]
    return None


def business_timezone(project: Path = PROJECT) -> ZoneInfo:
    """Return in which time zone a day of the business begins; UTC unless the project says."""
    return ZoneInfo(variable("business_timezone", project) or "UTC")


def _settings(project: Path) -> dict[str, Any]:
    text = (project / "dbt_project.yml").read_text(encoding="utf-8")
    settings: dict[str, Any] = yaml.safe_load(text)
    return settings


@contextlib.contextmanager
def environment_with(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables of this process's environment for the block, and put back what was there."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
