"""dbt's manifest, renewed by itself when a file of the dbt project changes."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from importlib.metadata import version
from pathlib import Path

PROJECT = Path(__file__).parents[2] / "dbt" / "greenery"
FOLDERS = ("macros", "models", "seeds", "snapshots", "tests")
SUFFIXES = {".sql", ".yml", ".yaml", ".csv", ".md", ".py"}
# a task that started with an older manifest may still want to read it
KEPT_MANIFESTS = 3

Profile = AbstractContextManager[tuple[Path, Mapping[str, str]]]


class BrokenProjectError(Exception):
    """dbt can't parse the project; the message is dbt's own."""


def fingerprint(project: Path) -> str:
    """Return a hash of everything in a dbt project that its manifest is made from."""
    digest = hashlib.sha256(version("dbt-core").encode())
    files = [project / "dbt_project.yml"]
    for folder in FOLDERS:
        files += sorted(file for file in (project / folder).rglob("*") if file.suffix in SUFFIXES)
    for file in files:
        digest.update(f"\0{file.relative_to(project)}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def ensure_manifest(profile: Callable[[], Profile], target: str, project: Path = PROJECT) -> Path:
    """Return the path of the manifest of the project as it is on disk now, parsing it if need be.

    Beside it lies dbt's partial parse of the same profile, so that tasks need not parse again.

    Args:
        profile: opens the profile to parse with: the path of its profiles.yml and its environment.
        target: the profile's target.

    Raises:
        BrokenProjectError: if dbt can't parse the project.
    """
    folder = project / "target"
    manifest = folder / f"manifest-{fingerprint(project)}.json"
    if manifest.exists():
        return manifest
    folder.mkdir(exist_ok=True)
    with open(folder / "manifest.lock", "w") as lock:
        # the DAG processor and a task may find the change at the same moment
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not manifest.exists():
            with profile() as (profiles_file, environment):
                _parse(project, manifest, profiles_file, environment, target)
            _prune(folder)
    return manifest


def _parse(
    project: Path, manifest: Path, profiles_file: Path, environment: Mapping[str, str], target: str
) -> None:
    with tempfile.TemporaryDirectory(dir=manifest.parent, prefix="parse-") as scratch:
        done = subprocess.run(
            [
                sys.executable,
                *("-m", "dbt.cli.main", "--quiet", "--no-use-colors", "parse"),
                *("--project-dir", str(project), "--target-path", scratch),
                *("--profiles-dir", str(profiles_file.parent)),
                *("--profile", "greenery", "--target", target),
                *("--log-path", scratch, "--no-static-parser"),
            ],
            env={**os.environ, **environment, "DO_NOT_TRACK": "1"},
            capture_output=True,
            text=True,
            cwd=project,
        )
        if done.returncode != 0:
            raise BrokenProjectError(
                f"dbt can't parse {project.name}:\n{(done.stdout + done.stderr).strip()[-3000:]}"
            )
        os.replace(
            Path(scratch, "partial_parse.msgpack"), manifest.parent / "partial_parse.msgpack"
        )
        os.replace(Path(scratch, "manifest.json"), manifest)


def _prune(folder: Path) -> None:
    manifests = sorted(folder.glob("manifest-*.json"), key=lambda file: file.stat().st_mtime)
    for old in manifests[:-KEPT_MANIFESTS]:
        old.unlink(missing_ok=True)
