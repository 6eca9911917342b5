"""The backtest of the tests of usual numbers, over one half year."""

from __future__ import annotations

import re

import pytest

from benchmarks.anomalies import __main__ as backtest
from benchmarks.anomalies.series import KINDS, OCCURS, season


def test_season_is_the_same_for_a_seed_and_has_all_that_occurs():
    made = season(1)
    assert made == season(1) != season(2)
    days = [made.kinds[day] for day in made.judged]
    assert set(days) == set(KINDS)
    assert all(days.count(kind) == often * long for kind, (often, long) in OCCURS.items())


@pytest.mark.slow
def test_ours_has_fewer_false_alarms_and_finds_more_faults(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["bench", "--seasons", "1"])
    backtest.main()
    found = {}
    for line in capsys.readouterr().out.splitlines()[2:]:
        method, *_, false_alarms, faults = [cell.strip() for cell in line.strip("|").split("|")]
        found[method] = int(false_alarms), int(re.match(r"\d+", faults)[0])
    ours = found.pop("**ours**")
    assert len(found) == 3
    by_weekday = found["Elementary, `day_of_week`"]
    assert ours[0] <= 2
    assert ours[0] <= by_weekday[0]
    assert ours[1] >= 14 > max(by_weekday[1], found["Elementary, by default"][1])
