"""What depends on what, read from dbt's manifest, and what tests with two parents hold back.

Cosmos puts the task of such a test after its parents and nothing after it, so that models would be
built on data the test has refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

BUILD_SCHEMA = "marts_build"
RAW_SCHEMA = "raw"


class Lineage:
    """The models, tests and sources of a manifest and how they hang together."""

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        self.nodes: dict[str, Any] = {**manifest["sources"], **manifest["nodes"]}
        self.exposures: dict[str, Any] = manifest.get("exposures", {})
        self.parents: dict[str, list[str]] = {
            unique_id: [
                parent
                for parent in node.get("depends_on", {}).get("nodes", [])
                if parent in self.nodes
            ]
            for unique_id, node in self.nodes.items()
        }

    @classmethod
    def read(cls, manifest: Path) -> Lineage:
        """Read the manifest that dbt wrote."""
        return cls(json.loads(manifest.read_text()))

    def of_type(self, *resource_types: str) -> list[str]:
        """Return the ids of the nodes of given types, in the order of the manifest."""
        return [i for i, node in self.nodes.items() if node["resource_type"] in resource_types]

    @cached_property
    def marts(self) -> dict[str, str]:
        """Names of the marts' tables and their unique ids."""
        return {
            self.nodes[model]["alias"]: model
            for model in self.of_type("model")
            if self.nodes[model]["config"]["schema"] == BUILD_SCHEMA
        }

    @cached_property
    def built_by_changes(self) -> dict[str, str]:
        """Names of the models that remember what each build changed, and their unique ids."""
        return {
            self.nodes[model]["name"]: model
            for model in self.of_type("model")
            if self.nodes[model]["config"].get("materialized") == "incremental_by_key"
        }

    def ancestors(self, unique_ids: Iterable[str]) -> set[str]:
        """Return everything that the given nodes depend on, near and far, without themselves."""
        found: set[str] = set()
        todo = list(unique_ids)
        while todo:
            for parent in self.parents[todo.pop()]:
                if parent not in found:
                    found.add(parent)
                    todo.append(parent)
        return found

    def tested(self, test: str) -> list[str]:
        """Return what a test tests: the model it hangs on, or for a test in a file what it reads.

        Of a mart and the model it is built from, a test that compares them tests the mart.
        """
        attached = self.nodes[test].get("attached_node")
        if attached:
            return [attached]
        parents = self.parents[test]
        return [parent for parent in parents if parent not in self.ancestors(parents)]

    def exposures_of(self, unique_ids: Iterable[str]) -> list[str]:
        """Return the labels of the reports and the like that rest on any of the given nodes."""
        wanted = set(unique_ids)
        return sorted(
            exposure.get("label") or exposure["name"]
            for exposure in self.exposures.values()
            if wanted & {*exposure["depends_on"]["nodes"]}
        )

    def source_tables(self, unique_id: str) -> set[str]:
        """Return the names of the shop's tables that a node rests on."""
        return {
            self.nodes[ancestor]["name"]
            for ancestor in self.ancestors([unique_id])
            if self.nodes[ancestor]["resource_type"] == "source"
            and self.nodes[ancestor]["schema"] == RAW_SCHEMA
        }


# GONE


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


def models_after_tests(tests: Iterable[str], lineage: Lineage) -> dict[str, list[str]]:
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
    for test, models in models_after_tests(tests, lineage).items():
        # the nearest are enough: what depends on them waits with them
        for model in models:
            if not lineage.ancestors([model]) & set(models):
                tasks[test] >> tasks[model]
