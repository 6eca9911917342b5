"""The tasks of the daily run that are not dbt's."""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from airflow.sdk import BaseOperator, Connection, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

from include.alert.callback import warn_if_nobody_is_told
from include.extract.contracts import Table, read_contracts
from include.extract.landing import CONNECTION_ID as SOURCE
from include.extract.landing import Landing, find_files, open_landing
from include.extract.load import Loader
from include.extract.load import load_table as load_files
from include.publish.publish import close_run, publish
from include.publish.structure import PublishRefusedError
from include.transform.dbt_config import manifest_path
from include.transform.lineage import Lineage
from include.transform.manifest import PROJECT
from include.warehouse import lease
from include.warehouse.connection import transaction
from include.warehouse.migrate import MigrationError, migrate
from include.warehouse.shop import OtherShopError, remember_source

log = logging.getLogger(__name__)

CONTRACTS = PROJECT / "models" / "staging" / "greenery" / "_greenery__sources.yml"
# trying again changes nothing about these
FINAL = (lease.LeaseLostError, PublishRefusedError, OtherShopError, MigrationError)

as_loader: Callable[[], AbstractContextManager[Any]] = functools.partial(transaction, "loader")


def _final(function: Callable[..., Any]) -> Callable[..., Any]:
    """Fail a task for good where a retry can't help."""

    @functools.wraps(function)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        try:
            return function(*arguments, **named)
        except FINAL as error:
            raise AirflowFailException(str(error)) from None

    return wrapped


def _landing() -> Landing:
    return open_landing(Connection.get(SOURCE))


def _run_id() -> str:
    return get_current_context()["run_id"]


@task
@_final
def begin_run() -> None:
    """Take the lease, bring the warehouse up to date, and look at the landing folder."""
    warn_if_nobody_is_told(log)
    migrate()
    landing = _landing()
    with as_loader() as cursor:
        lease.take(cursor, _run_id())
        remember_source(cursor, landing.url)
    files = find_files(landing, read_contracts(CONTRACTS))
    for table, found in files.items():
        log.info("%s: %d files in %s", table, len(found), landing.url)


def load_tasks() -> list[BaseOperator]:
    """Return one task per declared source table."""
    return [
        task(task_id=f"load_{name}")(_final(load_table))(name) for name in read_contracts(CONTRACTS)
    ]


def load_table(name: str) -> list[dict[str, Any]]:
    """Load what is new of one source table, and return what became of each file."""
    contracts = read_contracts(CONTRACTS)
    table: Table = contracts[name]
    landing = _landing()
    with as_loader() as cursor:
        lease.renew(cursor, _run_id())
    loader = Loader(
        landing=landing,
        transaction=as_loader,
        run_id=_run_id(),
        confirm_shrunk=get_current_context()["params"]["confirm_shrunk"],
        settle_seconds=float(os.environ.get("GREENERY_SETTLE_SECONDS", "2")),
    )
    results = load_files(loader, table, find_files(landing, contracts)[name])
    return [vars(result) for result in results if result.status != "skipped"]


@task
@_final
def freeze_horizon() -> int | None:
    """Freeze up to which load this run reads."""
    with as_loader() as cursor:
        return lease.freeze_horizon(cursor, _run_id())


@task
@_final
def publish_marts() -> dict[str, int]:
    """Show the audited build to readers."""
    return vars(publish(_run_id(), Lineage.read(manifest_path())))


@task
def end_run() -> None:
    """Give the lease back, and say in ``marts.data_status`` if nothing was published."""
    close_run(_run_id())
