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
        self.metadata: dict[str, Any] = manifest.get("metadata", {})
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
    def children(self) -> dict[str, list[str]]:
        """Return what depends directly on each node."""
        found: dict[str, list[str]] = {unique_id: [] for unique_id in self.nodes}
        for unique_id, parents in self.parents.items():
            for parent in parents:
                found[parent].append(unique_id)
        return found

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
        return reached(unique_ids, self.parents)

    def descendants(self, unique_ids: Iterable[str]) -> set[str]:
        """Return everything that depends on any of the given nodes, near and far."""
        return reached(unique_ids, self.children)

    def needed_for(self, unique_id: str) -> set[str]:
        """Return what dbt must know of to build a node and to run its tests, the node included."""
        tests = [i for i in self.children[unique_id] if self.nodes[i]["resource_type"] == "test"]
        # a hook of the project runs with any node
        wanted = {unique_id, *tests, *self.of_type("operation")}
        return wanted | self.ancestors(wanted)

    def part_of(self, unique_id: str) -> dict[str, Any]:
        """Return a manifest of what is needed for a node, and nothing else."""
        nodes: dict[str, Any] = {}
        sources: dict[str, Any] = {}
        for needed in sorted(self.needed_for(unique_id)):
            node = self.nodes[needed]
            kind = sources if node["resource_type"] == "source" else nodes
            kind[needed] = node
        return {"metadata": self.metadata, "nodes": nodes, "sources": sources, "exposures": {}}

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


def reached(starts: Iterable[str], arrows: Mapping[str, Iterable[str]]) -> set[str]:
    """Return all that arrows lead to from the starts; a start only if one leads back to it."""
    found: set[str] = set()
    todo = list(starts)
    while todo:
        for following in arrows[todo.pop()]:
            if following not in found:
                found.add(following)
                todo.append(following)
    return found


def held_back(test: str, lineage: Lineage) -> set[str]:
    """Return the models that a failed test must hold back: those that depend on what it tests.

    Its parents and what they are built from can't wait for it.
    """
    cannot_wait = {*lineage.parents[test], *lineage.ancestors([test])}
    return {
        node
        for node in lineage.descendants(lineage.tested(test)) - cannot_wait
        if lineage.nodes[node]["resource_type"] in ("model", "snapshot")
    }


def models_after_tests(tests: Iterable[str], lineage: Lineage) -> dict[str, list[str]]:
    """Return for each test the models to put after it, without making a circle.

    Two tests can each want to precede what the other one waits for; the later one gives way there.
    """
    waits_for = {unique_id: set(parents) for unique_id, parents in lineage.parents.items()}
    found: dict[str, list[str]] = {}
    for test in sorted(tests):
        # no arrow to the test that is added below makes this more
        found[test] = sorted(held_back(test, lineage) - reached([test], waits_for))
        for model in found[test]:
            waits_for[model].add(test)
    return found


def put_tests_before_what_depends(tasks: Mapping[str, Any], lineage: Lineage) -> None:
    """Add the missing arrows between the tasks that Cosmos made (unique id → task)."""
    tests = [unique_id for unique_id in tasks if unique_id.startswith("test.")]
    for test, models in models_after_tests(tests, lineage).items():
        # the nearest are enough: what depends on them waits with them
        for model in sorted({*models} - lineage.descendants(models)):
            tasks[test] >> tasks[model]
