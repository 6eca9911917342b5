"""What is agreed on in this shop alone: names of columns, and what Slack is not shown."""

from __future__ import annotations

import re

import pytest

from tests.project.rules.project import Node, Project

PERSONAL = {"first_name", "last_name", "email", "phone_number", "address"}
# what a column's name promises about its type
PROMISES = [
    (r"_id$", {"text"}),
    (r"_at$", {"timestamptz"}),
    (r"_date$|^date_", {"date"}),
    (r"^(is|has)_", {"boolean"}),
    (r"_count$|^(order|step)_number$", {"integer", "bigint"}),
    (r"_usd$", {"numeric(12, 2)"}),
    (r"_rate$|^rate_of_", {"numeric(18, 4)"}),
    (r"_seconds$", {"bigint", "numeric(12, 0)"}),
]


@pytest.fixture(scope="session")
def project(manifest: Node) -> Project:
    return Project(manifest)


@pytest.fixture(scope="session")
def marts(project: Project) -> list[Node]:
    return project.in_layer("marts")


def test_mart_column_is_of_the_type_its_name_promises(marts):
    columns = [
        (f"{model['name']}.{name}", name, column["data_type"])
        for model in marts
        for name, column in model["columns"].items()
    ]
    assert columns
    wrong = [
        (place, data_type)
        for place, name, data_type in columns
        for pattern, allowed in PROMISES
        if re.search(pattern, name) and data_type not in allowed
    ]
    assert wrong == []


def test_sum_over_the_whole_shop_has_room_to_grow(marts, project):
    """The bound of `in_range` is what a sum of money of one row holds; a KPI is a larger sum."""
    large = {
        (model["unique_id"], name)
        for model in marts
        for name, column in model["columns"].items()
        if column["data_type"] == "numeric(18, 2)"
    }
    assert large
    wrong = [
        test["name"]
        for test in project.data_tests
        if (test.get("attached_node"), test.get("column_name")) in large
        and test["test_metadata"]["name"] == "in_range"
        and test["test_metadata"]["kwargs"].get("max_value", 0) < 1e16 - 0.01
    ]
    assert wrong == []


def test_personal_column_is_marked(project):
    found = [
        (f"{node['name']}.{name}", column["config"]["meta"].get("pii"))
        for node in [*project.models, *project.sources]
        for name, column in node["columns"].items()
        if name in PERSONAL
    ]
    assert found
    assert [place for place, marked in found if marked is not True] == []


def test_what_slack_may_show_of_failing_rows_is_no_person(project):
    shown = [
        (f"{node['name']}.{name}", column["config"]["meta"].get("pii"))
        for node in [*project.models, *project.sources]
        for name, column in node["columns"].items()
        if column["config"]["meta"].get("slack_sample")
    ]
    assert shown
    # nor where people live, nor what they typed
    people = r"(user|session|address|tracking)_id$|state$|zipcode$|country$|page_url$"
    assert [place for place, is_personal in shown if is_personal or re.search(people, place)] == []


def test_events_hold_nothing_personal(marts):
    events = [model for model in marts if model["name"] == "fct_events"]
    assert events
    marked = [
        name
        for model in events
        for name, column in model["columns"].items()
        if name in PERSONAL or column["config"]["meta"].get("pii")
    ]
    assert marked == []
