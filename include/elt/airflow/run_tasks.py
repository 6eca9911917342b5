"""The tasks of the daily run that are not dbt's."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pendulum
from airflow.sdk import TriggerRule, XComArg, get_current_context, task
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import (
    AirflowFailException,
    AirflowSkipException,
    AirflowTaskTimeout,
)

from elt.airflow import alerts
from elt.airflow.alerts import notify_of_failed_run, notify_of_failed_task, warn_without_slack
from elt.airflow.assets import QUESTION, QUESTIONS, describe_events
from elt.airflow.dbt_tasks import FREEZES_HORIZON, manifest_path, open_profile
from elt.airflow.load_tasks import check_source, load_table
from elt.alerting import question
from elt.alerting.record_results import describe_error, record_task_failure
from elt.errors import FinalError
from elt.loading.load_log import last_load_id
from elt.loading.quarantine import replay
from elt.loading.sources_yaml import declared_tables
from elt.privacy import rules
from elt.publishing.old_results import prune_results
from elt.publishing.publish import close_run, publish
from elt.publishing.rollback import PublicationPinnedError
from elt.publishing.unchanged import take_over_results
from elt.publishing.verify import MartsChangedError, verify
from elt.shop import SHOP
from elt.time_limit import NotAfterItsTimeLimit, task_limit
from elt.transform import change_log
from elt.transform.lineage import Lineage
from elt.transform.project import PROJECT, business_timezone, fingerprint
from elt.transform.rebuild import request_full_refresh
from elt.warehouse import lease
from elt.warehouse.connection import require_sessions, transaction
from elt.warehouse.lease import remember_source
from elt.warehouse.migrate import migrate

log = logging.getLogger(__name__)

# of every task that touches the warehouse
TASK_DEFAULTS = {
    "owner": "data-platform",
    "retries": 2,
    "retry_delay": pendulum.duration(seconds=20),
    "retry_exponential_backoff": True,
    "max_retry_delay": pendulum.duration(minutes=5),
    "execution_timeout": task_limit(),
    "retry_policy": NotAfterItsTimeLimit(),
    "on_failure_callback": [record_task_failure, notify_of_failed_task],
}

# of every DAG that runs when a person asks for it, and never by itself
ON_REQUEST = {
    "schedule": None,
    "start_date": pendulum.datetime(2021, 2, 10, tz="UTC"),
    "catchup": False,
    "max_active_runs": 1,
    "on_failure_callback": notify_of_failed_run,
    "default_args": TASK_DEFAULTS,
    "tags": [SHOP.title.lower()],
}


def final(function: Callable[..., Any]) -> Callable[..., Any]:
    """Have a task fail at once, without a retry, on what a retry can't mend."""

    @functools.wraps(function)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        try:
            return function(*arguments, **named)
        except FinalError as error:
            raise AirflowFailException(str(error)) from None

    return wrapped


def _run_id() -> str:
    return get_current_context()["run_id"]


def _has_ended(run_id: str) -> bool:
    """Tell whether Airflow knows a run and it is over. A run of another Airflow is not known."""
    ti = get_current_context()["ti"]
    try:
        return ti.get_dagrun_state(ti.dag_id, run_id) not in ("queued", "running")
    except Exception as error:
        log.info("This Airflow does not know the run %s: %s", run_id, error)
        return False


def _refuse_backfill() -> None:
    if get_current_context()["dag_run"].run_type == "backfill":
        raise AirflowFailException(
            "This DAG takes no backfill, and nothing was done. A run loads whatever is new, so the "
            "run of an old day would do what today's does. To load a file again, touch it in the "
            "landing folder. To build a day or a key anew: `make rebuild DAY=…`, or the DAG "
            "`rebuild`. To build models from the whole history: trigger the DAG with full_refresh."
        )


@task
@final
def begin_run() -> int:
    """Bring the warehouse up to date, take the lease, and look at the source.

    Return the id of the last load before this run.
    """
    _refuse_backfill()
    rules.check(declared_tables())
    warn_without_slack(log)
    require_sessions()
    migrate()
    with transaction("loader") as cursor:
        holder = lease.holder(cursor)
        if holder and _has_ended(holder):
            # its end_run was not done again after one of its tasks was cleared, or it died
            lease.release(cursor, holder)
        lease.take(cursor, _run_id())
    url = check_source()
    with transaction("loader") as cursor:
        remember_source(cursor, url)
        request_full_refresh(
            cursor,
            get_current_context()["params"]["full_refresh"],
            Lineage.read(manifest_path()),
        )
        return last_load_id(cursor)


def load_tasks(last_load: Any) -> list[XComArg]:
    """Return one task per declared source table; ``last_load`` is what ``begin_run`` returned."""
    return [
        task(task_id=f"load_{name}")(final(load))(name, last_load) for name in declared_tables()
    ]


def load(table_name: str, last_load: int) -> dict[str, Any]:
    """Load what is new of one source table, and return how much that was."""
    confirmed = get_current_context()["params"]["confirm_shrunk"]
    run_id = _run_id()
    return load_table(
        table_name,
        run_id=run_id,
        confirm_shrunk=confirmed,
        since=last_load,
        transaction=functools.partial(lease.loading, run_id),
    )


# publish_marts waits for what is skipped, and goes on
@task.short_circuit(task_id=FREEZES_HORIZON, ignore_downstream_trigger_rules=False)
@final
def freeze_horizon() -> bool:
    """Freeze up to which load this run reads, and return whether there is anything to build.

    A run with nothing new builds and tests nothing: it takes over the last publication's results.
    """
    run_id, now = _run_id(), datetime.now(UTC)
    with transaction("loader") as cursor:
        lease.freeze_horizon(cursor, run_id, fingerprint(PROJECT))
        prune_results(cursor, run_id, now)
        if get_current_context()["params"]["full_refresh"]:
            return True
        return take_over_results(cursor, run_id, now, business_timezone()) is None


@task(trigger_rule=TriggerRule.NONE_FAILED)
@final
def publish_marts() -> dict[str, int]:
    """Show the audited build to readers, unless an operator has pinned an older publication."""
    context = get_current_context()
    try:
        changed = publish(context["run_id"], Lineage.read(manifest_path()))
    except PublicationPinnedError as pinned:
        # somebody wants it so: no alarm, from outside neither, and not the look of a publication
        alerts.ping()
        raise AirflowSkipException(str(pinned)) from None
    describe_events(context["run_id"], context["outlet_events"])
    alerts.ping()
    return vars(changed)


@task
@final
def replay_rows() -> list[str]:
    """Try rows in quarantine again, of all tables or the one that the run names."""
    migrate()
    table = get_current_context()["params"]["table"]
    results = replay.replay(declared_tables(), _run_id(), table)
    sentences = [replay.in_words(result) for result in results] or ["No row waits in quarantine."]
    for sentence in sentences:
        log.info("%s", sentence)
    return sentences


@task(outlets=[QUESTIONS])
def end_run() -> None:
    """Give the lease back, and say in ``marts.data_status`` if nothing was published.

    What failed may be left to a person: then that person is asked.
    """
    lineage = Lineage.read(manifest_path())
    if not close_run(_run_id(), lineage.marts):
        return
    with transaction("loader") as cursor:
        change_log.prune(cursor, lineage.built_by_changes)
    context = get_current_context()
    asked = question.ask(alerts.read_context(context, "failed"), lineage, datetime.now(UTC))
    if asked:
        context["outlet_events"][QUESTIONS].add(QUESTION, extra=asdict(asked))


def executor_with_the_report() -> str | None:
    """Return the executor of tasks that write into the report's folder, which no worker has.

    It is the scheduler's own, if Airflow has that beside one whose workers are elsewhere.
    """
    _, *others = conf.get("core", "executor", fallback="").split(",")
    return "LocalExecutor" if "LocalExecutor" in others else None


@task(executor=executor_with_the_report())
def write_report() -> str:
    """Write the report of what readers see now, and return where it is.

    What goes wrong with it is no failure of the run: the task is skipped, and its log says why.
    """
    # its charts take a second to import, which no other task is to wait for
    from elt.reporting import write
    from elt.reporting.folder import VARIABLE, folder_of_reports

    folder = folder_of_reports()
    if folder is None:
        raise AirflowSkipException(f"Nobody wants a report: {VARIABLE} names no folder.")
    try:
        page = str(write.write_report(folder))
        _document(folder)
        return page
    except (Exception, AirflowTaskTimeout) as error:
        said = describe_error(error)
    log.warning("The report was not written: %s", said)
    raise AirflowSkipException(f"The report was not written: {said}")


def _document(folder: Path) -> None:
    """Have dbt document what is published, if that is another project than before."""
    from elt.reporting.write import write_docs

    try:
        if write_docs(folder, open_profile):
            log.info("dbt has documented the project anew.")
    except (Exception, AirflowTaskTimeout) as error:
        log.warning("The documentation was not written: %s", describe_error(error))


# a daily run may be at work: wait for it
@task(retries=6, retry_delay=pendulum.duration(minutes=10), retry_exponential_backoff=False)
def begin_full_test() -> None:
    """Take the lease, so that nothing is built while all of it is tested."""
    migrate()
    with transaction("loader") as cursor:
        cursor.execute("select count(*) from ops.publication")
        if cursor.fetchone() == (0,):
            raise AirflowSkipException("Nothing was ever published, so there is nothing to test.")
        lease.take(cursor, _run_id())


@task
@final
def verify_marts() -> None:
    """Compare what readers see with what was published."""
    lineage = Lineage.read(manifest_path())
    try:
        unknown = verify(lineage.marts)
    except MartsChangedError as error:
        with transaction("loader") as cursor:
            # it may be the build that was changed, and would be published
            request_full_refresh(cursor, error.marts, lineage)
        raise
    if unknown:
        log.info("Left to the next publication, which compares them whole: %s", ", ".join(unknown))


@task
def end_full_test() -> None:
    """Give the lease back."""
    with transaction("loader") as cursor:
        lease.release(cursor, _run_id())
