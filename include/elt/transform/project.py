"""What dbt_project.yml says that the engine needs, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from elt.shop import SHOP

PROJECT = SHOP.dbt_project


def project_name(project: Path = PROJECT) -> str:
    """Return the project's name, as the ids of its nodes have it."""
    return _settings(project)["name"]


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
    return yaml.safe_load((project / "dbt_project.yml").read_text(encoding="utf-8"))
