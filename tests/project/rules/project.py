"""What the house rules ask a dbt project's manifest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

Node = dict[str, Any]
# the folders of models, from the source to the readers
LAYERS = {"staging": 0, "snapshots": 0, "intermediate": 1, "marts": 2}


def layer(node: Node) -> str:
    """Return the folder that a model lies in, right below ``models``."""
    return "snapshots" if node["resource_type"] == "snapshot" else node["fqn"][1]


def key_of(node: Node) -> set[str]:
    """Return the columns of ``unique_key``."""
    key = node["config"].get("unique_key") or []
    return {key} if isinstance(key, str) else set(key)


def extract(source: Node) -> dict[str, Any]:
    """Return how a source table is loaded: its contract."""
    return source["config"]["meta"].get("extract") or {}


def is_personal(column: Node) -> bool:
    return column["config"]["meta"].get("pii") is True


@dataclass(frozen=True)
class Project:
    """A dbt project by its manifest."""

    manifest: Node

    def _of_type(self, kind: str) -> list[Node]:
        return [one for one in self.manifest["nodes"].values() if one["resource_type"] == kind]

    @cached_property
    def models(self) -> list[Node]:
        return self._of_type("model")

    @cached_property
    def snapshots(self) -> list[Node]:
        return self._of_type("snapshot")

    @cached_property
    def data_tests(self) -> list[Node]:
        return self._of_type("test")

    @cached_property
    def sources(self) -> list[Node]:
        """The shop's tables; what the loader remembers of them is a source for tests alone."""
        return [source for source in self.manifest["sources"].values() if source["schema"] == "raw"]

    @cached_property
    def by_changes(self) -> list[Node]:
        """The models that say what touches them; the others are worked out whole."""
        return [model for model in self.models if "build" in model["config"]["meta"]]

    def in_layer(self, name: str) -> list[Node]:
        return [model for model in self.models if layer(model) == name]

    def tests_on(self, node: Node, kind: str) -> list[Node]:
        """Return the generic tests of a kind that stand on a node."""
        return [
            test
            for test in self.data_tests
            if test.get("attached_node") == node["unique_id"]
            and test["test_metadata"]["name"] == kind
        ]

    def tested_keys(self, node: Node) -> list[set[str]]:
        """Return the sets of columns that are tested to be unique and never null."""

        def tested(kind: str) -> set[str]:
            return {
                test["column_name"]
                for test in self.tests_on(node, kind)
                if test["config"]["severity"].lower() == "error" and not test["config"]["where"]
            }

        keys = [{column} for column in tested("unique")]
        keys += [
            set(test["test_metadata"]["kwargs"]["columns"])
            for test in self.tests_on(node, "unique_combination")
        ]
        return [key for key in keys if key <= tested("not_null")]


# yields in words what breaks it: the model or test, and the remedy
Rule = Callable[[Project], Iterator[str]]
