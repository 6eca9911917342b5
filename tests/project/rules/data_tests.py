"""House rules for tests."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from elt.loading.contract import Column, Table, resolve_references
from tests.project.rules.project import Node, Project, extract

# what Postgres has for the name of a table; dbt makes one of a unit test's
MOST_CHARACTERS = 63


def _metadata(test: Node) -> Node:
    return test.get("test_metadata") or {}


def generic_test_reads_no_model_but_its_own(project: Project) -> Iterator[str]:
    """So it runs within the task of its model, and needs no other model to be there."""
    for test in project.data_tests:
        if not _metadata(test):
            continue
        for parent in test["depends_on"]["nodes"]:
            if parent != test["attached_node"] and not parent.startswith("source."):
                yield (
                    f"The test {test['name']} reads {parent.rsplit('.', 1)[-1]} too: have it "
                    "compare with a source (has_parent), or write it in a file of its own."
                )


def named_test_says_what_must_hold(project: Project) -> Iterator[str]:
    for test in project.data_tests:
        if _metadata(test) and _metadata(test)["name"] in test["name"]:
            continue
        if not re.fullmatch(r"[A-Z][^\n]+\.", test["description"]):
            yield (
                f"The test {test['name']} does not say what must hold: write a description, one "
                "sentence with a full stop. Slack shows it."
            )
        if len(test["name"]) > MOST_CHARACTERS:
            yield (
                f"The test {test['name']} has a name of over {MOST_CHARACTERS} characters: "
                "shorten it."
            )


def singular_test_starts_with_why_it_is_there(project: Project) -> Iterator[str]:
    for test in project.data_tests:
        if _metadata(test):
            continue
        if not test["name"].startswith("assert_"):
            yield f"The test {test['name']} is in a file: have its name begin with assert_."
        if not test["raw_code"].startswith("-- "):
            yield (
                f"The test {test['name']} does not say why it is there: begin with a comment "
                "(`-- …`)."
            )


def unit_test_is_named_after_its_model(project: Project) -> Iterator[str]:
    for test in project.manifest["unit_tests"].values():
        if not test["name"].startswith(f"{test['model']}__"):
            yield (
                f"The unit test {test['name']} is of {test['model']}: name it "
                f"{test['model']}__<rule>."
            )
        if len(test["name"]) > MOST_CHARACTERS:
            yield (
                f"The unit test {test['name']} has a name of over {MOST_CHARACTERS} characters: "
                "shorten it."
            )


def key_of_another_table_has_its_parent_tested(project: Project) -> Iterator[str]:
    """A number that belongs to nobody makes wrong joins; which columns it is, contracts say."""
    models = {tuple(model["depends_on"]["nodes"]): model for model in project.in_layer("staging")}
    parents = _parents(project)
    for source in project.sources:
        model = models.get((source["unique_id"],))
        if model is None:
            continue
        held = parents[source["name"]]
        tested = Counter(
            re.search(r"(\w+)'\)$", test["test_metadata"]["kwargs"]["to"])[1]
            for test in project.tests_on(model, "has_parent")
        )
        for parent in Counter(held.values()) - tested:
            columns = ", ".join(column for column, table in held.items() if table == parent)
            yield (
                f"{model['name']} has keys of {parent} (raw.{source['name']}: {columns}), and no "
                "test that they exist: put `has_parent` on the column, to "
                f"source('{source['source_name']}', '{parent}')."
            )


def _parents(project: Project) -> dict[str, dict[str, str]]:
    """Return by table which of its columns hold the key of which other one."""
    tables = {}
    for source in project.sources:
        contract = extract(source)
        downstream = contract.get("key_downstream") or []
        tables[source["name"]] = Table(
            source["name"],
            tuple(Column(name, column["data_type"]) for name, column in source["columns"].items()),
            tuple(contract["primary_key"]),
            contract["load"],
            references=tuple((contract.get("references") or {}).items()),
            key_downstream=(downstream,) if isinstance(downstream, str) else tuple(downstream),
        )
    return {
        name: {column: parent.name for column, parent in columns.items()}
        for name, columns in resolve_references(tables).items()
    }


RULES = (
    generic_test_reads_no_model_but_its_own,
    named_test_says_what_must_hold,
    singular_test_starts_with_why_it_is_there,
    unit_test_is_named_after_its_model,
    key_of_another_table_has_its_parent_tested,
)
