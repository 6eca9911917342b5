"""Do once, before a process forks itself, what each of its forks would do again.

The scheduler and Celery's workers are forked for every task, the DAG processor for every reading of
a file with DAGs.
"""

from __future__ import annotations

import dataclasses
import functools
import gc
import importlib
import logging
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from airflow.sdk import ObjectStoragePath

from elt.airflow import dbt_events, parsed_project
from elt.airflow.parsed_project import ParsedProject
from elt.transform.lineage import Lineage
from elt.transform.project import PROJECT, ensure_manifest, environment_with, parse_arguments

log = logging.getLogger(__name__)

# what DAGs and their tasks are made of
DAG_MODULES = (
    *("elt.airflow.run_tasks", "elt.airflow.operator_tasks"),
    # what Cosmos' plugin imports, for which Airflow looks when Cosmos opens the manifest
    "fastapi",
)
MODULES = (
    *DAG_MODULES,
    # what dbt's commands, and Cosmos after them, import only when they get there
    "dbt.adapters.postgres",
    "dbt.task.build",
    "dbt.task.freshness",
    "openlineage.common.provider.dbt.local",
)

# goes most of the way of a task's command, without a model and without asking the warehouse
COMMAND = ("compile", "--inline", "select 1", "--no-introspect", "--no-populate-cache")


def warm_up_for_dags() -> None:
    """Import what the files with DAGs import; what is edited there then needs a restart.

    Never raises: Airflow shows what each file has against it.
    """
    try:
        _import(DAG_MODULES)
    except Exception as error:
        log.warning("DAGs are read without being warmed up, which takes longer: %s", error)
    _keep()


def warm_up_for_tasks() -> None:
    """Import dbt, parse the project and have dbt do once what it does in each task.

    dbt makes code for its classes and macros at first use. Never raises: a cold start is slower,
    no more.
    """
    try:
        _import(MODULES)
        from elt.airflow.dbt_tasks import open_profile

        manifest = ensure_manifest(open_profile)
        with (
            open_profile() as (profiles_file, environment),
            tempfile.TemporaryDirectory() as scratch,
            # the profile's password, only for as long as it is needed
            environment_with(environment),
        ):
            shutil.copy2(manifest.with_name("partial_parse.msgpack"), scratch)
            arguments = functools.partial(parse_arguments, PROJECT, profiles_file, Path(scratch))
            parsed = _run_dbt(arguments(), None)
            _run_dbt(arguments(COMMAND), dataclasses.replace(parsed, nodes={**parsed.nodes}))
            parsed_project.hold(
                ParsedProject(
                    manifest, Lineage.read(manifest), profiles_file.read_text("utf-8"), parsed
                )
            )
    except Exception as error:
        log.warning("dbt could not be warmed up, so tasks start slower: %s", error)
    _keep()


def _import(modules: Iterable[str]) -> None:
    for module in modules:
        importlib.import_module(module)
    # Airflow imports the file systems of all its providers when it opens its first file; it does so
    # when Cosmos opens the manifest
    ObjectStoragePath(str(PROJECT)).stat()


def _run_dbt(arguments: Sequence[str], manifest: Any) -> Any:
    from dbt.cli.main import dbtRunner

    result = dbtRunner(manifest).invoke([*dbt_events.NO_LOG, *dbt_events.NO_FILES, *arguments])
    if not result.success:
        raise RuntimeError(result.exception)
    return result.result


def _keep() -> None:
    gc.collect()
    # what is here now stays: the garbage collector of a fork need not copy it by looking at it
    gc.freeze()
