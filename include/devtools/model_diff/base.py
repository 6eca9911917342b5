"""The project as it was before the change, and where the daily run keeps what it built."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from io import BytesIO
from pathlib import Path
from typing import Any

import yaml

from elt.errors import EltError
from elt.publishing.table_schema import BUILD, MARTS
from elt.shop import ROOT, SHOP

PROJECT_IN_REPOSITORY = os.path.relpath(SHOP.dbt_project, ROOT)


class NoSuchBaseError(EltError):
    """There is nothing of that name to compare with; the message says so."""


def check_out(repository: Path, against: str, folder: Path) -> Path:
    """Write the dbt project as it was where the work at hand left ``against``; return its folder.

    What was changed there since is not part of the work at hand.

    Raises:
        NoSuchBaseError: if git knows no such commit, or it has no dbt project.
    """
    left_at = _git(repository, against, "merge-base", "HEAD", against).decode().strip()
    archive = _git(repository, against, "archive", left_at, PROJECT_IN_REPOSITORY)
    with tarfile.open(fileobj=BytesIO(archive)) as opened:
        opened.extractall(folder, filter="data")
    return folder / PROJECT_IN_REPOSITORY


def _git(repository: Path, against: str, *arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], cwd=repository, capture_output=True)
    if done.returncode != 0:
        reason = done.stderr.decode().strip() or "their histories have nothing in common"
        raise NoSuchBaseError(f"There is nothing to compare with at `{against}`: {reason}")
    return done.stdout


def point_to_the_daily_run(manifest: Path) -> dict[str, Any]:
    """Have a manifest name the tables of the daily run, marts as published; return it.

    What is not built anew is read there.
    """
    parsed = json.loads(manifest.read_text())
    for node in parsed["nodes"].values():
        if node["resource_type"] in ("model", "snapshot"):
            schema = node["config"]["schema"]
            node["schema"] = MARTS if schema == BUILD else schema
            names = (node["database"], node["schema"], node["alias"])
            node["relation_name"] = ".".join(f'"{name}"' for name in names)
    manifest.write_text(json.dumps(parsed))
    return parsed


def variables(project: Path) -> Any:
    """Return the variables of a project. dbt does not say what depends on one that has changed."""
    return yaml.safe_load((project / "dbt_project.yml").read_text()).get("vars")
