"""The marts' benchmark makes a history once, and then measures one day after the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.marts.__main__ import in_own_process, middle
from benchmarks.marts.footprint import ask
from benchmarks.marts.measure import Measured, make_history, one_more_day, remove
from devtools.local import postgres

EVENTS, DAY = 2_000, 500


@pytest.fixture
def folder(tmp_path) -> Iterator[Path]:
    yield tmp_path
    remove(tmp_path)


def raw_and_published(folder: Path) -> tuple[int, int]:
    (counts,) = ask(
        postgres.start(folder),
        "select (select count(*) from raw.events), (select count(*) from marts.fct_events)",
    )
    return counts


@pytest.mark.slow
@pytest.mark.rare
def test_each_day_is_loaded_and_published_after_the_same_history(folder):
    for _ in range(2):
        in_own_process(make_history, folder, EVENTS, DAY)
        history, published = raw_and_published(folder)
        assert history == published == pytest.approx(EVENTS, rel=0.3)
    for number in (1, 2):
        day = in_own_process(one_more_day, folder)
        assert len(day.seconds) == 3
        assert min(day.seconds) > 0
        assert 0 < day.afterwards < sum(day.seconds)
        events, published = raw_and_published(folder)
        assert events == published == pytest.approx(history + number * DAY, rel=0.3)
        assert events > history


def test_median_of_days_is_one_of_them():
    quick, usual, slow = (Measured([cost, 2.0], 1, 0.0) for cost in (1.0, 2.0, 3.0))
    assert middle([slow, quick, usual]) is usual
    assert middle([slow, quick]) is quick
