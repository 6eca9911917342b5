"""Write down what fails as it happens, and decide whether trying again can help."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg2
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowTaskTimeout

from elt.alerting import failing_rows, run_facts, suspect_values
from elt.alerting.messages import phrases
from elt.alerting.redact import database_words, dbt_words, plain, retry_helps
from elt.alerting.run_facts import NodeResult, TaskFailure
from elt.errors import EltError
from elt.time_limit import VARIABLE, is_out_of_time, ran_for, task_limit, within

log = logging.getLogger(__name__)

MOST_SAMPLES = 10
_EXPLAINS = re.compile(r"\b(excuse|as sentence)\b")
# to write down what failed, and why the task did
RESULTS_SECONDS = 2
FAILURE_SECONDS = 1.5


def record_dbt_results(
    project_dir: str | Path,
    context: Mapping[str, Any],
    results: list[NodeResult] | None = None,
    **_: Any,
) -> None:
    """Keep what dbt says of each node; Cosmos calls this after dbt, whether that failed or not.

    Args:
        project_dir: the folder that dbt ran in, with its target folder.
        context: Airflow's, of the task.
        results: of the nodes; without them they are read from dbt's target folder.

    Raises:
        AirflowFailException: in words, if something failed that trying again does not mend.
            Else a failure is left to Cosmos, and so to the task's retries.
        WarehouseUnreachableError: if good results can't be kept; trying again builds them anew.
    """
    target = Path(project_dir) / "target"
    if results is None:
        try:
            results = read_results(target)
        except (OSError, ValueError, KeyError) as error:
            log.warning("dbt's results could not be read (%s), so they are not kept.", error)
            return
    if results:
        ti = context["ti"]
        results = _complete(results, target)
        kept = (ti.run_id, ti.task_id, ti.try_number, results)
        if not any(result.status in phrases.FAILING for result in results):
            # publish asks for these results; without them the task has not done its work
            run_facts.keep_results(*kept)
            return
        try:
            within(RESULTS_SECONDS, run_facts.keep_results, *kept)
        except Exception as error:
            # what dbt itself says is worth more than the trouble of writing it down
            log.warning("dbt's results are not kept in ops.node_result: %s", describe_error(error))
    if reason := reason_to_give_up(results, target / "manifest.json"):
        raise AirflowFailException(reason)


def record_task_failure(context: Mapping[str, Any]) -> None:
    """Keep why a task failed for good, in words. Never raises, holds nobody long.

    Airflow calls this in the task's process, or elsewhere and without an exception if that died.
    """
    try:
        ti = context["ti"]
        error = context.get("exception")
        message = (
            _too_long(error, context) if is_out_of_time(error, context) else describe_error(error)
        )
        failure = TaskFailure(ti.task_id, ti.try_number, message, getattr(ti, "log_url", None))
        within(FAILURE_SECONDS, run_facts.keep_task_failure, ti.run_id, failure)
    except Exception as error:
        log.warning("The failure of the task is not kept in ops: %s", describe_error(error))


def read_results(target: Path) -> list[NodeResult]:
    """Return what dbt left in its target folder; nothing if it never came to run a node."""
    for name in ("run_results.json", "sources.json"):
        file = target / name
        if file.exists():
            return [node_result(result) for result in json.loads(file.read_text())["results"]]
    return []


def node_result(result: Mapping[str, Any]) -> NodeResult:
    """Return the result of a node from an entry of dbt's ``run_results.json``, or one like it."""
    return NodeResult(
        unique_id=result["unique_id"],
        kind=phrases.kind_of(result["unique_id"]),
        status=str(result["status"]),
        failures=result.get("failures"),
        message=_message(result),
        execution_seconds=result.get("execution_time"),
        compiled_sql=result.get("compiled_code"),
    )


def _message(result: Mapping[str, Any]) -> str | None:
    said = dbt_words(result.get("message") or result.get("error"))
    if said and "due to statement timeout" in said:
        took = phrases.duration(result.get("execution_time") or 0)
        return f"{said} after {took}; {VARIABLE} says how long a task may take"
    return said or _freshness(result)


def _freshness(result: Mapping[str, Any]) -> str | None:
    if "age" not in result:
        return None
    return f"last loaded {result.get('max_loaded_at')}, {result['age'] / 3600:,.1f} hours before"


def _complete(results: list[NodeResult], target: Path) -> list[NodeResult]:
    """Return results with owner and tags, and failed tests with some of their rows."""
    nodes = _nodes(target / "manifest.json")
    known = [r for r in results if r.kind == "test" and r.compiled_sql and r.unique_id in nodes]
    failed = [r for r in known if r.status == "fail"]
    # of a warning only why it is no more than that, and what a test says by itself
    failed += [r for r in known if r.status == "warn" and _EXPLAINS.search(r.compiled_sql or "")]
    tests = [(nodes[r.unique_id], r.compiled_sql or "") for r in failed[:MOST_SAMPLES]]
    samples = failing_rows.take(tests, nodes) if tests else {}
    broken = next((r for r in results if r.status == "error" and r.unique_id in nodes), None)
    return [
        replace(
            result,
            # one is enough: what comes after it was not tried
            message=_with_suspicion(result, nodes) if result is broken else result.message,
            owner=phrases.owner_of(result.unique_id, nodes),
            tags=tuple(nodes.get(result.unique_id, {}).get("tags") or ()),
            sample=samples.get(result.unique_id),
        )
        for result in results
    ]


def _with_suspicion(result: NodeResult, nodes: Mapping[str, Any]) -> str | None:
    suspicion = suspect_values.suspicion(
        result.unique_id, result.message, result.compiled_sql, nodes, failing_rows.SECONDS
    )
    return f"{result.message}. {suspicion}" if suspicion else result.message


def _nodes(manifest: Path) -> dict[str, Any]:
    try:
        read = json.loads(manifest.read_text())
        return {**read.get("sources", {}), **read["nodes"]}
    except (OSError, ValueError, KeyError):
        return {}


def reason_to_give_up(results: list[NodeResult], manifest: Path) -> str | None:
    """Return in words what trying again does not mend, or None."""
    hopeless = [
        result
        for result in results
        if result.status in phrases.FAILING and not retry_helps(result.message)
    ]
    if not hopeless:
        return None
    nodes = _nodes(manifest)
    return "\n".join(
        phrases.describe_node(
            result.unique_id,
            nodes.get(result.unique_id),
            result.status,
            result.failures,
            result.message,
            result.sample,
        )
        + phrases.such_as(result.sample)
        + phrases.excused(result.sample, are_more=True)
        for result in hopeless
    )


def describe_error(error: BaseException | str | None) -> str:
    """Return what an exception says to people: no stack trace, nothing from a row."""
    if error is None:
        return f"It {phrases.WITHOUT_A_WORD}."
    if isinstance(error, str):
        return plain(error)
    name = type(error).__name__
    if isinstance(error, AirflowTaskTimeout):
        return "It ran longer than it may and was stopped."
    if isinstance(error, psycopg2.Error):
        return f"{name}: {database_words(str(error))}"
    if name == "CosmosDbtRunError":
        return dbt_words(str(error)) or name
    text = plain(str(error))
    ours = isinstance(error, (EltError, AirflowException))
    return text if ours and text else f"{name}: {text}".rstrip(": ")


def _too_long(error: BaseException | None, context: Mapping[str, Any]) -> str:
    """Return how long a task took before it was stopped, and what lets it take longer."""
    took = ran_for(context)
    how_long = f"for {phrases.duration(took.total_seconds())}" if took else "longer than it may"
    is_ours = isinstance(error, psycopg2.Error)
    by_server = f" ({database_words(str(error))})" if is_ours else ""
    return (
        f"It ran {how_long} and was stopped{by_server}; trying again would take as long. If it was "
        f"at work all along, raise {VARIABLE} in Airflow's environment, now "
        f"{task_limit().total_seconds() / 60:g}, and clear it. If it waited, find for what: a lock "
        "in the warehouse, a slow source."
    )
