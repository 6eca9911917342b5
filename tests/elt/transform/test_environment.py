"""Variables that are there for a while leave no trace."""

from __future__ import annotations

import os

import pytest

from elt.transform.environment import environment_with


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
