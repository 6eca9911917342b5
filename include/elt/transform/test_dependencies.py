"""Tests with two parents run in tasks of their own; here they get to hold back what they must.

Cosmos puts such a task after its parents and nothing after it, so that models would be built on
data the test has refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from elt.transform.lineage import Lineage


def held_back(test: str, lineage: Lineage) -> set[str]:
    """Return the models that a failed test must hold back: those that depend on what it tests.

    Its parents and what they are built from can't wait for it.
    """
    cannot_wait = {*lineage.parents[test], *lineage.ancestors([test])}
    tested = set(lineage.tested(test))
    return {
        model
        for model in lineage.of_type("model", "snapshot")
        if model not in cannot_wait and tested & lineage.ancestors([model])
    }


def gates(tests: Iterable[str], lineage: Lineage) -> dict[str, list[str]]:
    """Return for each test the models to put after it, without making a circle.

    Two tests can each want to precede what the other one waits for; the later one gives way there.
    """
    waits_for = {unique_id: set(parents) for unique_id, parents in lineage.parents.items()}

    def reaches(start: str, goal: str) -> bool:
        seen, todo = set(), [start]
        while todo:
            node = todo.pop()
            if node == goal:
                return True
            if node not in seen:
                seen.add(node)
                todo.extend(waits_for[node])
        return False

    found: dict[str, list[str]] = {}
    for test in sorted(tests):
        found[test] = []
        for model in sorted(held_back(test, lineage)):
            if not reaches(test, model):
                waits_for[model].add(test)
                found[test].append(model)
    return found


def put_tests_before_what_depends(tasks: Mapping[str, Any], lineage: Lineage) -> None:
    """Add the missing arrows between the tasks that Cosmos made (unique id → task)."""
    tests = [unique_id for unique_id in tasks if unique_id.startswith("test.")]
    for test, models in gates(tests, lineage).items():
        # the nearest are enough: what depends on them waits with them
        for model in models:
            if not lineage.ancestors([model]) & set(models):
                tasks[test] >> tasks[model]
