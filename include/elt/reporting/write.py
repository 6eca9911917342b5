"""Write what the folder of the report holds: a page for each publication, and dbt's documentation.

The newest page is at its top. dbt takes seconds of CPU for its documentation of the project and of
the marts that are published, and nothing of it changes from run to run: it is one file, made anew
only when the project has changed.
"""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psycopg2
import yaml

from elt.alerting.record_results import describe_error
from elt.metrics.definitions import TARGET
from elt.reporting import page
from elt.reporting.data_state import read_state
from elt.reporting.folder import (
    DOCS,
    REPORT,
    STATE,
    VARIABLE,
    folder_of_reports,
    publications,
    replace_file,
)
from elt.reporting.page import Content
from elt.reporting.questions import ReportError, answer, figures, read_kpis, read_questions
from elt.shop import SHOP, Shop
from elt.transform.project import (
    PROFILE_NAME,
    PROJECT,
    Profile,
    fingerprint,
    newest_manifest,
    run_dbt,
)
from elt.warehouse.connection import transaction
from elt.warehouse.reader import reading, wait_for_replica

log = logging.getLogger(__name__)

KEPT = 30
# of one query; what takes longer is left out and says so
SECONDS = 15
# dbt's page has the browser ask for these before its script has put an address there
_MENDED = {
    'xlink:href="{{': 'ng-attr-href="{{',
    "${require('./assets/favicons/favicon.ico')}": "data:,",
}


def write_report(
    to: Path,
    shop: Shop = SHOP,
    *,
    personal: frozenset[str] | None = None,
    now: datetime | None = None,
) -> Path:
    """Read marts and the state of the data, and write the report. Return its page.

    Args:
        to: a folder; it is made if need be. ``index.html`` in it is the newest report, and
            ``state.html`` the state of the data alone.
        personal: columns that no answer may have; by default those that dbt's project marks so.
        now: when it is written, in UTC.

    Raises:
        ReportError: if it can't be written; the message says what to mend.
        WarehouseUnreachableError: if the warehouse does not answer.
    """
    hidden = personal_columns() if personal is None else personal
    content = read_content(shop, hidden, now or datetime.now(UTC))
    drawn = page.draw_charts(content.questions, content.answers)
    name = page.folder_name(content)
    try:
        to.mkdir(parents=True, exist_ok=True)
        others = [one for one in publications(to) if one != name]
        former = {one: f"{one}/{REPORT}" for one in others[: KEPT - 1]}
        beside = {one: f"../{path}" for one, path in former.items()}
        files = {
            REPORT: page.render(content, drawn, beside, newest=f"../{REPORT}").encode(),
            **page.csv_files(content.answers),
        }
        _put(to, name, files)
        replace_file(to / STATE, page.render_state(content).encode())
        replace_file(to / REPORT, page.render(content, drawn, former, newest=None).encode())
        for one in others[KEPT - 1 :]:
            shutil.rmtree(to / one, ignore_errors=True)
    except OSError as error:
        raise ReportError(
            f"The report can't be written to {to}: {error.strerror}. "
            f"{VARIABLE} names a folder that this process may write to."
        ) from None
    return to / REPORT


def refresh_report() -> None:
    """Have the report say what has just been decided, if one is wanted. Never raises."""
    folder = folder_of_reports()
    try:
        if folder is not None:
            write_report(folder)
    except Exception as error:
        log.warning("The report was not written: %s", describe_error(error))


def read_content(shop: Shop, personal: frozenset[str], now: datetime) -> Content:
    """Read all that a page says: the shop's part and the state of the data each in a transaction.

    Raises:
        ReportError: if the warehouse is older than this, or what the report asks can't be read.
    """
    questions = read_questions(shop.report)
    try:
        wait_for_replica()
        with reading() as cursor:
            _limit(cursor)
            kpis = read_kpis(cursor, shop.kpis)
            last_day, cards = figures(cursor, questions)
            answers = answer(cursor, questions, kpis, personal)
        with reading() as cursor:
            _limit(cursor)
            state = read_state(cursor, now)
    except (psycopg2.errors.InsufficientPrivilege, psycopg2.errors.UndefinedTable) as error:
        raise ReportError(
            f"The report can't be read from this warehouse: {error.diag.message_primary}. It was "
            "prepared by an older version, or not at all: an administrator runs greenery "
            "bootstrap, and then there is a run."
        ) from None
    return Content(shop.title, now, questions, last_day, cards, answers, state)


def personal_columns() -> frozenset[str]:
    """Return the names of all columns that the dbt project marks as personal data."""
    manifest = newest_manifest()
    if manifest is None:
        return frozenset()
    nodes = json.loads(manifest.read_text(encoding="utf-8"))["nodes"].values()
    return frozenset(
        column["name"]
        for node in nodes
        for column in (node.get("columns") or {}).values()
        if {**column.get("meta", {}), **column.get("config", {}).get("meta", {})}.get("pii")
    )


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


def _limit(cursor: psycopg2.extensions.cursor) -> None:
    cursor.execute("select set_config('statement_timeout', %s, true)", (f"{SECONDS}s",))


def _put(to: Path, name: str, files: dict[str, bytes]) -> None:
    """Have a folder hold these files. Who looks meanwhile sees whole ones."""
    if not (to / name).exists():
        new = Path(tempfile.mkdtemp(prefix=".new-", dir=to))
        try:
            for file, content in files.items():
                (new / file).write_bytes(content)
            new.chmod(0o755)
            new.rename(to / name)
        finally:
            shutil.rmtree(new, ignore_errors=True)
        return
    # the page last: what it leads to is there
    for file in sorted(files, key=lambda one: one == REPORT):
        replace_file(to / name / file, files[file])


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
