from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from elt.loading.files.landing import SourceFile
from elt.loading.files.load_file import wait_until_settled
from elt.loading.load_context import Clock

START = datetime(2021, 2, 10, 6, tzinfo=UTC)


class Time:
    """A clock that only moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = START
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)

    def clock(self) -> Clock:
        return Clock(lambda: self.now, self.sleep)


def aged(seconds: float, size: int = 1) -> SourceFile:
    return SourceFile("a.csv", size, START - timedelta(seconds=seconds))


@pytest.mark.parametrize(
    "file", [aged(2), aged(9999), SourceFile("a.csv", 1, None)], ids=["2 s", "old", "no time"]
)
def test_a_settled_file_is_taken_at_once(file):
    time = Time()
    assert wait_until_settled(lambda: file, time.clock(), 2) == file
    assert time.slept == []


def test_a_young_file_is_watched_just_until_it_is_old_enough():
    time = Time()
    assert wait_until_settled(lambda: aged(0.5), time.clock(), 2) == aged(0.5)
    assert time.slept == [1.5]


def test_a_file_that_grew_while_watched_is_taken_once_it_rests():
    time = Time()
    looks = iter([aged(0), aged(-2, 5), aged(-2, 5)])
    assert wait_until_settled(lambda: next(looks), time.clock(), 2) == aged(-2, 5)
    assert time.slept == [2, 2]


def test_a_file_that_keeps_growing_is_given_up_after_a_few_looks():
    time = Time()

    def look() -> SourceFile:
        return SourceFile("a.csv", len(time.slept), time.now)

    assert wait_until_settled(look, time.clock(), 2) is None
    assert time.slept == [2, 2, 2, 2]


def test_a_file_from_the_future_only_has_to_stay_as_it_is():
    time = Time()
    assert wait_until_settled(lambda: aged(-5000), time.clock(), 2) == aged(-5000)
    assert time.slept == [2]
