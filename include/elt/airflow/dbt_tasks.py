"""How Cosmos renders and runs the dbt project. Built here once, used by the DAG."""

from __future__ import annotations

import contextlib
import json
import logging
import re
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from airflow.sdk import BaseOperator, Context, TaskGroup, get_parsing_context
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException
from cosmos import (
    DbtTaskGroup,
    ExecutionConfig,
    ProfileConfig,
    ProjectConfig,
    RenderConfig,
)
from cosmos.constants import (
    InvocationMode,
    LoadMode,
    TestBehavior,
)
from cosmos.dbt.graph import DbtNode
from cosmos.operators.local import DbtSourceLocalOperator, DbtTestLocalOperator
from cosmos.profiles import PostgresUserPasswordProfileMapping

from elt.airflow import dbt_events, parsed_project
from elt.alerting.record_results import read_results, record_dbt_results
from elt.shop import SHOP
from elt.time_limit import task_limit
from elt.transform.lineage import Lineage, put_tests_before_what_depends
from elt.transform.project import (
    PROFILE_NAME,
    PROJECT,
    TARGET,
    TASK_GROUP,
    ensure_manifest,
    fingerprint,
    fingerprint_of,
    project_name,
    target_folder,
)
from elt.warehouse import lease
from elt.warehouse.connection import CONNECTION_ID, transaction
from elt.warehouse.session import SEARCH_PATH, TLS

log = logging.getLogger(__name__)

FREEZES_HORIZON = "freeze_horizon"

# Of a project of many models a task builds one. Without these dbt lists what there is beside it,
# and looks at every pair of a test and what depends on it.
FOR_ONE = ("--no-populate-cache", "--use-fast-test-edges")

OPERATOR_ARGS: dict[str, Any] = {
    "callback": dbt_events.record_collected,
    "dbt_cmd_global_flags": [*dbt_events.NO_LOG, *dbt_events.NO_FILES, *FOR_ONE],
    "dbt_runner_callbacks": [
        dbt_events.log_event,
        dbt_events.keep_manifest,
        dbt_events.collect_result,
    ],
}


class WarehouseProfile(PostgresUserPasswordProfileMapping):  # type: ignore[misc]  # Cosmos: Any
    """Takes from the connection all that it may say of TLS; Cosmos' own takes sslmode alone."""

    airflow_param_mapping: ClassVar[dict[str, str | list[str]]] = {
        **PostgresUserPasswordProfileMapping.airflow_param_mapping,
        **{name: f"extra.{name}" for name in TLS},
    }


PROFILE = ProfileConfig(
    profile_name=PROFILE_NAME,
    target_name=TARGET,
    profile_mapping=WarehouseProfile(
        conn_id=CONNECTION_ID,
        profile_args={
            "schema": "staging",
            "role": "transformer",
            "threads": 2,
            "search_path": SEARCH_PATH,
        },
    ),
)


@contextlib.contextmanager
def open_profile() -> Iterator[tuple[Path, dict[str, str]]]:
    """Open the run's profile, or a mock of it where no warehouse is known: parsing needs none."""
    with contextlib.ExitStack() as stack:
        try:
            opened = stack.enter_context(PROFILE.ensure_profile())
        except AirflowNotFoundException:
            opened = stack.enter_context(PROFILE.ensure_profile(use_mock_values=True))
        yield opened


def manifest_path() -> Path:
    """Return the path of the manifest of the project as it is on disk now."""
    return ensure_manifest(open_profile)


def keep_lease(context: Context, operator: BaseOperator) -> None:
    """Refuse to build when another run has built since (Cosmos calls this before dbt)."""
    _begin_build(context, fingerprint(PROJECT))


def prepare_node(context: Context, operator: BaseOperator) -> None:
    """Refuse likewise, and spare a node's task to parse (Cosmos calls this before dbt)."""
    # it has a hash of the project's files, which takes a while to make of many
    manifest = manifest_path()
    _begin_build(context, fingerprint_of(manifest))
    spare_parsing(operator, manifest)


def _begin_build(context: Context, project: str) -> None:
    try:
        with transaction("loader") as cursor:
            is_one = lease.begin_build(cursor, context["run_id"], project)
    except lease.LeaseLostError as error:
        raise AirflowFailException(str(error)) from None
    if not is_one:
        log.warning(
            "The dbt project on %s is not the one that this run began with, so the run builds with "
            "both, and the next one builds anew. If nobody has changed the project meanwhile, this "
            "worker has an older image: start it anew.",
            socket.gethostname(),
        )


def spare_parsing(operator: Any, manifest: Path) -> None:
    """Have a node be built from what is parsed already, if that is what the manifest is of."""
    project = parsed_project.held(manifest)
    with open_profile() as (profiles_file, _):
        profile = profiles_file.read_text(encoding="utf-8")
    if project is None or project.profile != profile:
        # what the operator was rendered from may be gone
        operator.manifest_filepath = str(manifest)
        return
    node = operator.extra_context["dbt_node_config"]["unique_id"]
    project.use_for(operator, node, [dbt_events.log_event, dbt_events.collect_result])


def task_name(node: DbtNode) -> str:
    """Name a task as dbt names its node, so that people find one by the other."""
    return node.name


def freshness_task(task_id: str) -> DbtSourceLocalOperator:
    """Return the task that checks whether the sources that must come daily did."""
    return DbtSourceLocalOperator(
        task_id=task_id,
        project_dir=PROJECT,
        profile_config=PROFILE,
        invocation_mode=InvocationMode.DBT_RUNNER,
        # outside of a task group Cosmos looks for a partial parse (and keeps it) only below target/
        # of this folder; the project itself may be read-only
        cache_dir=target_folder().parent,
        # how old a source is stands in a file alone
        dbt_cmd_global_flags=[*dbt_events.NO_LOG],
        dbt_runner_callbacks=[dbt_events.log_event],
        callback=record_freshness,
    )


def record_freshness(project_dir: str | Path, context: Context, **_: Any) -> None:
    """Keep what dbt says of each source (Cosmos calls this after dbt).

    Raises:
        AirflowFailException: if dbt had no source to check, which dbt itself takes for a success.
    """
    record_dbt_results(project_dir, context)
    try:
        if read_results(Path(project_dir) / "target"):
            return
    except (OSError, ValueError, KeyError):
        # that they can't be read was told
        return
    raise AirflowFailException(
        "No source was checked, so nobody would hear of data that stays away. Declare `freshness` "
        "and `loaded_at_query` of a source table that must come daily, as "
        f"{SHOP.contracts.name} does."
    )


def full_test_task(task_id: str) -> DbtTestLocalOperator:
    """Return the task that runs every test on all rows, whether they were tested before or not."""
    return DbtTestLocalOperator(
        task_id=task_id,
        project_dir=PROJECT,
        profile_config=PROFILE,
        invocation_mode=InvocationMode.DBT_RUNNER,
        exclude="resource_type:unit_test",
        env={"GREENERY_TEST_EVERYTHING": "1"},
        append_env=True,
        emit_datasets=False,
        # made here if need be: dbt writes none, and Cosmos wants one beside its parse cache
        cache_dir=manifest_path().parents[1],
        interceptors=[keep_lease],
        execution_timeout=2 * task_limit(),
        **OPERATOR_ARGS,
    )


def dbt_task_group(dag_id: str) -> TaskGroup:
    """Return the task group with one task per model, its tests inside.

    A test with two parents has a task of its own, before every model that it must hold back.

    Airflow reads the DAG's file again in the process of each task, where nobody asks what comes
    before or after it: that of a node's task has this one alone, and that of a task that is not
    dbt's has none, but for the one that skips them all where nothing is new.
    """
    running = get_parsing_context()
    task_id = running.task_id if running.dag_id == dag_id else None
    # what may skip the whole group must know it
    if task_id and task_id != FREEZES_HORIZON and not task_id.startswith(f"{TASK_GROUP}."):
        return TaskGroup(TASK_GROUP)
    manifest = manifest_path()
    project = parsed_project.held(manifest)
    lineage = project.lineage if project else Lineage.read(manifest)
    only = _node_of_this_task(dag_id, TASK_GROUP, lineage)
    if not only:
        group = _render(manifest, [])
        put_tests_before_what_depends(group.tasks_map, lineage)
        return group
    with tempfile.NamedTemporaryFile("w", suffix=".json") as part:
        json.dump(lineage.part_of(only), part)
        part.flush()
        return _render(Path(part.name), [lineage.nodes[only]["name"]])


def _render(manifest: Path, select: list[str]) -> DbtTaskGroup:
    return DbtTaskGroup(
        group_id=TASK_GROUP,
        project_config=ProjectConfig(
            dbt_project_path=PROJECT,
            manifest_path=manifest,
            project_name=project_name(),
            install_dbt_deps=False,
        ),
        profile_config=PROFILE,
        execution_config=ExecutionConfig(invocation_mode=InvocationMode.DBT_RUNNER),
        render_config=RenderConfig(
            # the assets would be announced before anything is published
            emit_datasets=False,
            load_method=LoadMode.DBT_MANIFEST,
            test_behavior=TestBehavior.BUILD,
            should_detach_multiple_parents_tests=True,
            select=select,
            # dbt build would run unit tests with each model; they belong to `make test`
            exclude=["resource_type:unit_test", "resource_type:exposure"],
            normalize_task_id=task_name,
        ),
        operator_args={**OPERATOR_ARGS, "interceptors": [prepare_node]},
    )


def _node_of_this_task(dag_id: str, group_id: str, lineage: Lineage) -> str | None:
    """Return the id of the node whose task this process runs, or None unless that is certain."""
    running = get_parsing_context()
    if running.dag_id != dag_id:
        return None
    # as Cosmos names the tasks
    suffixes = {"model": "", "snapshot": "", "test": "_test"}
    found = []
    for unique_id in lineage.of_type(*suffixes):
        node = lineage.nodes[unique_id]
        task_id = f"{group_id}.{node['name']}{suffixes[node['resource_type']]}"
        # anything but a word means more to Cosmos than a name
        if task_id == running.task_id and re.fullmatch(r"\w+", node["name"]):
            found.append(unique_id)
    return found[0] if len(found) == 1 else None
