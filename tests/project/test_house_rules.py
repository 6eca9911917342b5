"""The house rules, over this shop's dbt project."""

from __future__ import annotations

import pytest

from tests.project.rules import RULES, Project, Rule


@pytest.fixture(scope="session")
def project(manifest: dict) -> Project:
    project = Project(manifest)
    assert project.models, "there is no model to look at"
    return project


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_house_rule(rule: Rule, project: Project) -> None:
    if broken := [*rule(project)]:
        pytest.fail("\n".join(broken), pytrace=False)
