"""Exceptions of the engine and of the local commands have one base."""

from __future__ import annotations

import importlib
import pkgutil

import pytest
from airflow.sdk.exceptions import AirflowFailException

import devtools
import elt
from elt.airflow.run_tasks import final
from elt.errors import EltError, FinalError, RetryLaterError


def test_every_exception_has_the_one_base():
    found = set()
    for package in (elt, devtools):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.endswith("__main__"):
                continue
            for thing in vars(importlib.import_module(module.name)).values():
                if isinstance(thing, type) and issubclass(thing, Exception):
                    found.add(thing)
    ours = {one for one in found if one.__module__.partition(".")[0] in ("elt", "devtools")}
    assert len(ours) > 40
    assert sorted(one.__name__ for one in ours if not issubclass(one, EltError)) == []


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (FinalError("mend it"), AirflowFailException),
        (RetryLaterError("wait"), RetryLaterError),
        (ValueError("a fault"), ValueError),
    ],
)
def test_a_task_fails_at_once_on_what_a_retry_cant_mend(error, raised):
    @final
    def task() -> None:
        raise error

    with pytest.raises(raised, match=str(error)):
        task()
