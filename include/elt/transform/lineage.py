"""What depends on what, read from dbt's manifest."""

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
        return cls(json.loads(manifest.read_text()))

    def of_type(self, *resource_types: str) -> list[str]:
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
