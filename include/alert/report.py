"""From what is known to what people need to hear of a failed run. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from include.alert import words
from include.alert.hint import Hint
from include.alert.store import Facts
from include.transform.lineage import Lineage

Kind = Literal["run", "load", "task", "model", "test"]
REASONS = {
    "timed_out": "The run took longer than it may and was stopped",
    "all_tasks_deadlocked": "No task could go on: each waits for another one",
}


@dataclass(frozen=True)
class Failure:
    """One thing that failed. ``key`` says what, whatever the run and the numbers."""

    kind: Kind
    key: str
    sentence: str
    task_id: str | None = None


@dataclass(frozen=True)
class FailedRun:
    """What a message says. Times are UTC."""

    hint: Hint
    failed_at: datetime
    failures: tuple[Failure, ...]
    not_built: tuple[str, ...]
    facts: Facts | None

    @property
    def key(self) -> str:
        """The same for the same things failing in the same run."""
        failing = "\n".join(sorted(failure.key for failure in self.failures))
        return f"{self.hint.run_id}:{hashlib.sha256(failing.encode()).hexdigest()[:16]}"

    @property
    def log_url(self) -> str | None:
        """The log of the first failed task."""
        task = next((f.task_id for f in self.failures if f.task_id), self.hint.task_id)
        known = {f.task_id: f.log_url for f in self.facts.task_failures} if self.facts else {}
        return known.get(task) or self.hint.log_url(task) if task else None


def failed_run(
    hint: Hint, facts: Facts | None, lineage: Lineage | None, failed_at: datetime
) -> FailedRun:
    """Put together what failed and what that means. Without facts only the hint speaks."""
    failures = tuple(_failures(hint, facts, lineage))
    not_built = _not_built(facts, lineage, failures) if facts and lineage else ()
    return FailedRun(hint, failed_at, failures, tuple(not_built), facts)


def _failures(hint: Hint, facts: Facts | None, lineage: Lineage | None) -> Iterable[Failure]:
    """Return what failed, the likely root first: the run, loads, tasks, models, tests."""
    found = []
    if sentence := REASONS.get(hint.reason or ""):
        found.append(Failure("run", f"run:{hint.reason}", sentence))
    recorded = _recorded(hint, facts, lineage) if facts else []
    found += recorded
    silent = set(hint.failed_tasks or ({hint.task_id} if hint.task_id else set()))
    silent -= {failure.task_id for failure in recorded}
    for task in sorted(silent):
        end = words.WITHOUT_A_WORD if facts else "failed. What failed in it is in its log"
        found.append(Failure(_task_kind(task), f"task:{task}", f"`{task}` {end}", task))
    order = ("run", "load", "task", "model", "test")
    return sorted(found, key=lambda failure: order.index(failure.kind))


def _recorded(hint: Hint, facts: Facts, lineage: Lineage | None) -> list[Failure]:
    found = []
    last_result = {task: number for task, number, _ in facts.results}
    last_failure = {failure.task_id: failure.try_number for failure in facts.task_failures}

    def is_over(task: str) -> bool:
        """Whether a task that failed once has since been cleared and succeeded."""
        return hint.failed_tasks is not None and task not in hint.failed_tasks

    for task, number, result in facts.results:
        if result.status not in words.FAILING or is_over(task):
            continue
        if number < last_failure.get(task, number):
            continue  # it was tried again, and failed of something else
        node = lineage.nodes.get(result.unique_id) if lineage else None
        sentence = words.node_in_words(
            result.unique_id, node, result.status, result.failures, result.message
        )
        kind: Kind = "test" if result.kind in ("test", "source") else "model"
        found.append(Failure(kind, result.unique_id, sentence, task))
    explained = {failure.task_id for failure in found}
    for failure in facts.task_failures:
        task = failure.task_id
        if task in explained or is_over(task):
            continue
        if failure.try_number < last_result.get(task, 0):
            continue  # a later try left results, and none of them failed
        sentence = f"`{task}`: {' '.join(failure.message.split())}"
        found.append(Failure(_task_kind(task), f"task:{task}", sentence, task))
    return found


def _task_kind(task: str) -> Kind:
    return "load" if task.startswith("load_") else "task"


def _not_built(facts: Facts, lineage: Lineage, failures: tuple[Failure, ...]) -> list[str]:
    """Return the models that are missing because of the failures, marts first."""
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
    marts = {words.name_of(mart) for mart in lineage.marts.values()}
    return sorted(map(words.name_of, missing), key=lambda name: (name not in marts, name))


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
            return set(lineage.tested(model)) if words.kind_of(model) == "test" else {model}
    return None
