"""From what is known to what people need to hear of a run. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from elt.alerting.messages import phrases
from elt.alerting.run_facts import Facts, RunContext
from elt.transform.lineage import Lineage
from elt.transform.overrides import would_fail
from elt.transform.project import GOOD

Kind = Literal["late", "run", "load", "task", "model", "test", "logs"]


@dataclass(frozen=True)
class Failure:
    """One thing that failed. ``key`` says what, whatever the run and the numbers."""

    kind: Kind
    key: str
    sentence: str
    task_id: str | None = None
    unique_id: str | None = None
    owner: str | None = None
    tags: tuple[str, ...] = ()
    failures: int | None = None
    seen_at: datetime | None = None
    # how it went in the runs before, in words
    history: str | None = None


# the likely root first
ORDER = ("late", "run", "load", "task", "model", "test", "logs")
# the key of a run that takes too long
SLOW_RUN = "late:run"
# the key of task logs that can't be kept
LOST_LOGS = "logs"
REASONS = {
    "timed_out": "The run took longer than it may and was stopped",
    "all_tasks_deadlocked": "No task could go on: each waits for another one",
}


@dataclass(frozen=True)
class Report:
    """What is known of a run at one moment. Times are UTC."""

    run: RunContext
    at: datetime
    failures: tuple[Failure, ...]
    not_built: tuple[str, ...]
    # labels of the exposures that rest on what is not built
    affected: tuple[str, ...]
    facts: Facts | None

    @property
    def has_published(self) -> bool:
        """Whether what readers see is of this run."""
        return self.facts is not None and self.facts.published_run_id == self.run.run_id

    def recovered_at(self, key: str, since: datetime) -> datetime | None:
        """Return when something that failed before was found to be well; None: it was not."""
        if self.facts:
            for task, _, result in self.facts.results:
                # a task that left results was not killed, and did not stumble before dbt
                if key in (result.unique_id, f"task:{task}") and result.status in GOOD:
                    at = result.finished_at or self.at
                    return at if at >= since else None
        states = self.run.states or {}
        if self.run.state == "success" or states.get(key.removeprefix("task:")) == "success":
            return self.at
        return None

    def log_url(self, task_id: str | None = None) -> str | None:
        """Return the log of a task, or that of the first one that failed."""
        first = next((f.task_id for f in self.failures if f.task_id), self.run.task_id)
        task = task_id or first
        known = {f.task_id: f.log_url for f in self.facts.task_failures} if self.facts else {}
        return known.get(task) or self.run.log_url(task) if task else None


def report_on(
    run: RunContext, facts: Facts | None, lineage: Lineage | None, at: datetime
) -> Report:
    """Put together what failed and what that means.

    Args:
        run: what Airflow says of the run.
        facts: what ``ops`` knows of it; without them only Airflow speaks.
        lineage: of the project; without it nobody knows what rests on what failed.
        at: the moment that the report is of, in UTC.
    """
    failures = tuple(_failures(run, facts, lineage))
    not_built: list[str] = []
    if facts and lineage and failures:
        not_built = _not_built(facts, lineage, failures)
    affected = lineage.exposures_of(not_built) if lineage else []
    names = [phrases.name_of(model) for model in not_built]
    return Report(run, at, failures, tuple(names), tuple(affected), facts)


def _failures(run: RunContext, facts: Facts | None, lineage: Lineage | None) -> Iterable[Failure]:
    """Return what failed, the likely root first: the run, loads, tasks, models, tests.

    A test that fails and is let through is among them, also of a run that succeeded.
    """
    let_through = _overridden_tests(facts, lineage) if facts and lineage else []
    if run.state == "success":
        return let_through
    found = [*let_through]
    if run.longer_than:
        most = phrases.duration(run.longer_than.total_seconds())
        found.append(Failure("late", SLOW_RUN, f"The run takes longer than {most}"))
    if sentence := REASONS.get(run.reason or ""):
        found.append(Failure("run", f"run:{run.reason}", sentence))
    recorded = _recorded(run, facts, lineage) if facts else []
    found += recorded
    for task in sorted(run.failed_tasks - {failure.task_id for failure in recorded}):
        end = phrases.WITHOUT_A_WORD if facts else "failed. What failed in it is in its log"
        found.append(Failure(_task_kind(task), f"task:{task}", f"`{task}` {end}", task))
    if not found and run.state == "failed" and not all(map(run.is_over, run.states or [""])):
        found.append(Failure("run", "run:failed", "It failed, and none of its tasks says why"))
    return sorted(found, key=lambda failure: ORDER.index(failure.kind))


def _recorded(run: RunContext, facts: Facts, lineage: Lineage | None) -> list[Failure]:
    found = []
    last_result = {task: number for task, number, _ in facts.results}
    last_failure = {failure.task_id: failure.try_number for failure in facts.task_failures}
    nodes = lineage.nodes if lineage else {}
    for task, number, result in facts.results:
        if result.status not in phrases.FAILING or run.is_over(task):
            continue
        if number < last_failure.get(task, number):
            continue  # it was tried again, and failed of something else
        if run.state == "running" and task not in last_failure:
            continue  # it will be tried again
        sentence = phrases.describe_node(
            result.unique_id,
            nodes.get(result.unique_id),
            result.status,
            result.failures,
            result.message,
            result.sample,
        )
        found.append(
            Failure(
                "test" if result.kind in ("test", "source") else "model",
                result.unique_id,
                sentence,
                task,
                unique_id=result.unique_id,
                owner=result.owner or phrases.owner_of(result.unique_id, nodes),
                tags=result.tags,
                failures=None if result.failures is None else abs(result.failures),
                seen_at=result.finished_at,
                history=facts.histories.get(result.unique_id),
            )
        )
    explained = {failure.task_id for failure in found}
    for failure in facts.task_failures:
        task = failure.task_id
        if task in explained or run.is_over(task):
            continue
        if failure.try_number < last_result.get(task, 0):
            continue  # a later try left results, and none of them failed
        sentence = f"`{task}`: {' '.join(failure.message.split())}"
        found.append(
            Failure(_task_kind(task), f"task:{task}", sentence, task, seen_at=failure.failed_at)
        )
    return found


def _task_kind(task: str) -> Kind:
    return "load" if task.startswith("load_") else "task"


def _not_built(facts: Facts, lineage: Lineage, failures: tuple[Failure, ...]) -> list[str]:
    """Return unique ids of the models that are missing because of the failures, marts first."""
    built = {result.unique_id for _, _, result in facts.results if result.status == "success"}
    roots: set[str] | None = set()
    for failure in failures:
        nodes = _nodes_of(failure, lineage)
        roots = None if roots is None or nodes is None else roots | nodes
    missing = [
        model
        for model in lineage.of_type("model", "snapshot")
        if model not in built
        and lineage.nodes[model]["config"].get("materialized") != "ephemeral"
        and (roots is None or model in roots or roots & lineage.ancestors([model]))
    ]
    marts = set(lineage.marts.values())
    return sorted(missing, key=lambda model: (model not in marts, phrases.name_of(model)))


def _nodes_of(failure: Failure, lineage: Lineage) -> set[str] | None:
    """Return the nodes whose dependents a failure holds back; None: it may hold back any."""
    if failure.key in lineage.nodes:
        if failure.kind == "test":
            return set(lineage.tested(failure.key))
        return {failure.key}
    task = (failure.task_id or "").split(".")[-1]
    for model in lineage.of_type("model", "snapshot", "test"):
        name = lineage.nodes[model]["name"]
        if re.fullmatch(rf"{re.escape(name)}([._](run|build|test|model|snapshot))*", task):
            return set(lineage.tested(model)) if phrases.kind_of(model) == "test" else {model}
    return None


def _overridden_tests(facts: Facts, lineage: Lineage) -> list[Failure]:
    """Return the tests of a run that would have failed, but for an override."""
    tasks = {result.unique_id: (task, result) for task, _, result in facts.results}
    found = []
    for one in facts.overrides:
        node = lineage.nodes.get(one.unique_id)
        if node is None or not would_fail(node, one.failures):
            continue
        task, result = tasks[one.unique_id]
        said = phrases.failed_test(one.unique_id, node, one.failures, result.sample)
        found.append(
            Failure(
                "test",
                one.unique_id,
                f"{said}; {one.description}",
                task,
                unique_id=one.unique_id,
                owner=result.owner or phrases.owner_of(one.unique_id, lineage.nodes),
                tags=result.tags,
                failures=abs(one.failures or 0),
                seen_at=result.finished_at,
            )
        )
    return found
