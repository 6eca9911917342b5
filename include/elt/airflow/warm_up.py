"""Do once, in the scheduler, what every task of dbt would do again after it was forked from it."""

from __future__ import annotations

import gc
import importlib
import logging
import shutil
import tempfile
from pathlib import Path

from elt.airflow import dbt_events
from elt.transform.project import PROJECT, ensure_manifest, environment_with, parse_arguments

log = logging.getLogger(__name__)

MODULES = (
    # what the tasks of the DAG are made of
    "elt.airflow.run_tasks",
    # what dbt's commands, and Cosmos after them, import only when they get there
    "dbt.adapters.postgres",
    "dbt.task.build",
    "dbt.task.freshness",
    "openlineage.common.provider.dbt.local",
    # what Cosmos' plugin imports, for which Airflow looks when Cosmos opens the manifest
    "fastapi",
)

# goes most of the way of a task's command, without a model and without asking the warehouse
COMMAND = ("compile", "--inline", "select 1", "--no-introspect", "--no-populate-cache")


def warm_up() -> None:
    """Import dbt and have it do once what it does in each task, so that forks find that done.

    dbt makes code for its classes and macros at first use. Never raises: a cold start is slower,
    no more.
    """
    try:
        for module in MODULES:
            importlib.import_module(module)
        from dbt.cli.main import dbtRunner

        from elt.airflow.dbt_tasks import open_profile

        manifest = ensure_manifest(open_profile)
        with (
            open_profile() as (profiles_file, environment),
            tempfile.TemporaryDirectory() as scratch,
            # the profile's password, only for as long as it is needed
            environment_with(environment),
        ):
            shutil.copy2(manifest.with_name("partial_parse.msgpack"), scratch)
            arguments = parse_arguments(PROJECT, profiles_file, Path(scratch), COMMAND)
            result = dbtRunner().invoke([*dbt_events.NO_LOG, *dbt_events.NO_FILES, *arguments])
        if not result.success:
            log.warning("dbt could not be warmed up: %s", result.exception)
    except Exception as error:
        log.warning("dbt could not be warmed up, so tasks start slower: %s", error)
    gc.collect()
    # what is here now stays: the garbage collector of a fork need not copy it by looking at it
    gc.freeze()
