"""The dbt project: its settings, and its manifest, renewed by itself when a file of it changes."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from elt.errors import EltError
from elt.shop import SHOP

PROJECT = SHOP.dbt_project
# what dbt says of a node that went well
GOOD = ("success", "pass", "warn")

FOLDERS = ("macros", "materializations", "models", "seeds", "snapshots", "tests")
SUFFIXES = (".sql", ".yml", ".yaml", ".csv", ".md", ".py")
# run as a module, dbt is told of an import order that harms nobody
DBT = (sys.executable, "-W", "ignore::RuntimeWarning", "-m", "dbt.cli.main")
PROFILE_NAME = "greenery"
TARGET = "prod"
# of the daily run: what Cosmos makes of the project
TASK_GROUP = "build"
# a task that started with an older manifest may still want to read it
KEPT_MANIFESTS = 3
_MANIFEST = "manifest-"

Profile = AbstractContextManager[tuple[Path, Mapping[str, str]]]


class BrokenProjectError(EltError):
    """dbt can't parse the project, or document it; the message is dbt's own."""


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


def target_folder(project: Path = PROJECT) -> Path:
    """Return where manifests are kept: where ``GREENERY_DBT_TARGET`` says.

    If that says nothing, it is where Cosmos keeps the parse cache of the daily run, so that tasks
    find it there; and where Cosmos was given no such folder, the project's target folder.
    """
    if named := os.environ.get("GREENERY_DBT_TARGET"):
        return Path(named)
    cache = os.environ.get("AIRFLOW__COSMOS__CACHE_DIR")
    return cosmos_target(Path(cache)) if cache else project / "target"


def cosmos_target(cache: Path) -> Path:
    """Return the folder below Cosmos' cache that has the parse of the daily run's task group."""
    return cache / f"{SHOP.dag_id}__{TASK_GROUP}" / "target"


def newest_manifest(project: Path = PROJECT) -> Path | None:
    """Return the manifest that was made last, without making one."""
    manifests = target_folder(project).glob(f"{_MANIFEST}*.json")
    return max(manifests, key=lambda file: file.stat().st_mtime, default=None)


def fingerprint(project: Path) -> str:
    """Return a hash of everything in a dbt project that its manifest is made from."""
    digest = hashlib.sha256(version("dbt-core").encode())
    # each task does this, and paths as objects take twice as long as text
    files = [os.path.join(project, "dbt_project.yml")]
    for folder in FOLDERS:
        for place, _, names in os.walk(os.path.join(project, folder)):
            files += [os.path.join(place, name) for name in names if name.endswith(SUFFIXES)]
    files.sort()
    for file in files:
        digest.update(f"\0{file.removeprefix(str(project))}\0".encode())
        with open(file, "rb", buffering=0) as content:
            digest.update(content.read())
    return digest.hexdigest()[:16]


def fingerprint_of(manifest: Path) -> str:
    """Return the hash of the project that a manifest was made from, as it is in its name."""
    return manifest.stem.removeprefix(_MANIFEST)


def ensure_manifest(profile: Callable[[], Profile], project: Path = PROJECT) -> Path:
    """Return the path of the manifest of the project as it is on disk now, parsing it if need be.

    Beside it lies dbt's partial parse of the same profile, so that tasks need not parse again.

    Args:
        profile: opens the profile to parse with: the path of its profiles.yml and its environment.

    Raises:
        BrokenProjectError: if dbt can't parse the project.
    """
    folder = target_folder(project)
    manifest = folder / f"{_MANIFEST}{fingerprint(project)}.json"
    # Cosmos wants both for a task
    beside = (folder / "partial_parse.msgpack", folder / "manifest.json")
    wanted = (manifest, *beside)
    if all(file.exists() for file in wanted):
        return manifest
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "manifest.lock", "w") as lock:
        # the DAG processor and a task may find the change at the same moment
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not all(file.exists() for file in wanted):
            with profile() as (profiles_file, environment):
                _parse(project, manifest, profiles_file, environment)
            _prune(folder)
    return manifest


def parse_arguments(
    project: Path, profiles_file: Path, target_path: Path, command: Sequence[str] = ("parse",)
) -> list[str]:
    """Return the arguments of a command that parses; all that decides if a parse can be reused.

    Args:
        project: the folder of the dbt project.
        profiles_file: the profiles.yml to parse with.
        target_path: the folder that takes what dbt writes, its log too.
        command: dbt's command and what comes right after it.
    """
    return [
        *("--quiet", "--no-use-colors", *command, "--no-static-parser"),
        *("--project-dir", str(project), "--target-path", str(target_path)),
        *("--profiles-dir", str(profiles_file.parent), "--log-path", str(target_path)),
        *("--profile", PROFILE_NAME, "--target", TARGET),
    ]


def run_dbt(
    project: Path,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    to: str = "parse",
) -> None:
    """Have dbt work at a project, in a process of its own.

    Args:
        project: its folder.
        arguments: those of dbt's command.
        environment: what it has besides that of this process.
        to: what is done, in a word that follows "can't".

    Raises:
        BrokenProjectError: if dbt can't.
    """
    done = subprocess.run(
        [*DBT, *arguments],
        env={**os.environ, **environment, "DO_NOT_TRACK": "1"},
        capture_output=True,
        text=True,
        cwd=project,
    )
    if done.returncode != 0:
        raise BrokenProjectError(
            f"dbt can't {to} {project.name}:\n{(done.stdout + done.stderr).strip()[-3000:]}"
        )


def _parse(
    project: Path, manifest: Path, profiles_file: Path, environment: Mapping[str, str]
) -> None:
    with tempfile.TemporaryDirectory(dir=manifest.parent, prefix="parse-") as scratch:
        arguments = parse_arguments(project, profiles_file, Path(scratch))
        run_dbt(project, arguments, environment)
        made = Path(scratch)
        parsed = json.loads((made / "manifest.json").read_text())
        (made / "slim.json").write_text(json.dumps(slim(parsed)))
        (made / "partial_parse.msgpack").replace(manifest.parent / "partial_parse.msgpack")
        # the complete one, 3 MB, would be copied and read by each task
        (made / "manifest.json").write_bytes((made / "slim.json").read_bytes())
        (made / "manifest.json").replace(manifest.parent / "manifest.json")
        (made / "slim.json").replace(manifest)


def slim(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return what rendering and alerting need of a manifest; every task reads it.

    Without macros and the like it is a fraction of the size. A test's dependence on a source goes
    too: Cosmos gives a test with two parents a task of its own, to wait for both. A source is there
    before anything is built, so such a test can run with its model and hold back what depends on
    that. All that it reads is kept as `reads`.
    """
    kept = ("metadata", "nodes", "sources", "exposures")
    nodes = {
        unique_id: {key: value for key, value in node.items() if key != "raw_code"}
        for unique_id, node in manifest["nodes"].items()
    }
    for node in nodes.values():
        if node["resource_type"] == "test":
            parents = node["depends_on"]["nodes"]
            models = [parent for parent in parents if not parent.startswith("source.")]
            node["reads"] = parents
            # a test on a source alone keeps its parent
            node["depends_on"] = {**node["depends_on"], "nodes": models or parents}
    return {key: manifest[key] for key in kept} | {"nodes": nodes}


def _prune(folder: Path) -> None:
    manifests = sorted(folder.glob(f"{_MANIFEST}*.json"), key=lambda file: file.stat().st_mtime)
    for old in manifests[:-KEPT_MANIFESTS]:
        old.unlink(missing_ok=True)
