"""What is read of dbt_project.yml, and the environment in which dbt reads it."""

from __future__ import annotations

import json
import os
from zoneinfo import ZoneInfo

import pytest

from elt.transform.project import business_timezone, environment_with, variable


@pytest.mark.parametrize(
    ("declared", "timezone"),
    [
        ({"vars": {"business_timezone": "Asia/Tokyo"}}, "Asia/Tokyo"),
        ({"vars": {"bookshop": {"business_timezone": "Asia/Tokyo"}}}, "Asia/Tokyo"),
        ({}, "UTC"),
    ],
    ids=["of all", "of the project", "none"],
)
def test_the_day_begins_where_the_project_says(tmp_path, declared, timezone):
    (tmp_path / "dbt_project.yml").write_text(json.dumps({"name": "bookshop", **declared}))
    assert business_timezone(tmp_path) == ZoneInfo(timezone)


def test_a_variable_of_the_project_goes_before_one_of_all(tmp_path):
    declared = {"vars": {"statuses": "all", "other": 1, "bookshop": {"statuses": "its own"}}}
    (tmp_path / "dbt_project.yml").write_text(json.dumps({"name": "bookshop", **declared}))
    assert variable("statuses", tmp_path) == "its own"
    assert variable("other", tmp_path) == 1
    assert variable("none", tmp_path) is None


def test_environment_is_as_it_was_after_an_error(monkeypatch):
    monkeypatch.setenv("GREENERY_KNOWN", "before")
    monkeypatch.delenv("GREENERY_NEW", raising=False)
    seen = {}

    def fail() -> None:
        with environment_with({"GREENERY_KNOWN": "within", "GREENERY_NEW": "within"}):
            seen.update(os.environ)
            raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        fail()
    assert seen["GREENERY_KNOWN"] == seen["GREENERY_NEW"] == "within"
    assert os.environ["GREENERY_KNOWN"] == "before"
    assert "GREENERY_NEW" not in os.environ
