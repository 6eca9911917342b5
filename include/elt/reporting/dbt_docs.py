"""dbt's own documentation of the project and of the marts that are published: one file.

dbt takes seconds of CPU for it and nothing of it changes from run to run, so it is made anew only
when the project has changed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import yaml

from elt.metrics.definitions import TARGET
from elt.reporting.folder import DOCS, replace_file
from elt.reporting.questions import ReportError
from elt.transform.project import PROFILE_NAME, PROJECT, Profile, fingerprint, run_dbt
from elt.warehouse.connection import transaction

# dbt's page has the browser ask for these before its script has put an address there
_MENDED = {
    'xlink:href="{{': 'ng-attr-href="{{',
    "${require('./assets/favicons/favicon.ico')}": "data:,",
}


def write_docs(to: Path, profile: Callable[[], Profile], project: Path = PROJECT) -> bool:
    """Write the documentation if the project is another than the one it was written of.

    Marts that the last run did not publish are not what the project says: then nothing is written.

    Args:
        to: the folder of the report, which is there.
        profile: opens the profile of a run: the path of its profiles.yml and its environment.
        project: the folder of the dbt project.

    Returns:
        Whether it was written.

    Raises:
        BrokenProjectError: if dbt can't do it.
        ReportError: if it can't be written there.
    """
    mark = f"\n<!-- of the project {fingerprint(project)} -->\n"
    file = to / DOCS
    if _end_of(file, len(mark)) == mark.encode() or not _is_published():
        return False
    with (
        profile() as (profiles_file, environment),
        tempfile.TemporaryDirectory(prefix="docs-") as scratch,
    ):
        (Path(scratch) / "profiles.yml").write_text(_as_reader(profiles_file.read_text()))
        settings = [
            *("--log-level", "warn", "--no-use-colors", "--project-dir", str(project)),
            *("--profiles-dir", scratch, "--target-path", scratch, "--log-path", scratch),
            *("--profile", PROFILE_NAME, "--target", TARGET),
        ]
        # compiling would have each model ask the warehouse for what only a run may see
        for command in (["parse"], ["docs", "generate", "--static", "--no-compile"]):
            run_dbt(project, [*command, *settings], environment, "document")
        page = (Path(scratch) / "static_index.html").read_text(encoding="utf-8")
    for broken, mended in _MENDED.items():
        page = page.replace(broken, mended)
    try:
        replace_file(file, (page + mark).encode())
    except OSError as error:
        raise ReportError(f"{file} can't be written: {error.strerror}.") from None
    return True


def _is_published() -> bool:
    with transaction("reader") as cursor:
        cursor.execute("select bool_and(last_run_outcome = 'published') from marts.data_status")
        return cursor.fetchone() == (True,)


def _as_reader(profiles: str) -> str:
    """Return a run's profile as that of somebody who reads what is published."""
    (of_run,) = yaml.safe_load(profiles)[PROFILE_NAME]["outputs"].values()
    of_reader = {**of_run, "schema": "marts", "role": "reader"}
    return yaml.safe_dump({PROFILE_NAME: {"target": TARGET, "outputs": {TARGET: of_reader}}})


def _end_of(file: Path, size: int) -> bytes:
    try:
        return file.read_bytes()[-size:]
    except OSError:
        return b""
