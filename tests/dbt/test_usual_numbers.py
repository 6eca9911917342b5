"""What is told as odd, and what is not: by the SQL of the tests of usual numbers themselves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from statistics import median

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.anomalies.judge import MAKE_TABLE, TABLE, compile_tests
from tests.support.warehouse import Warehouse, fresh_warehouse

# a Tuesday; the weeks before it have a leap day of their own in LEAP
DAY = date(2027, 2, 9)
LEAP = date(2028, 2, 29)
# 1 is Monday: quiet Sundays
SHAPE = {1: 60, 2: 62, 3: 66, 4: 70, 5: 64, 6: 50, 7: 20}
SPECIAL = date(2027, 1, 5)
Row = tuple[date, str | None, float | None]

VOLUME = {"day": "day", "value": "sum(value)"}
SERIES = {"name": {"orders": "Orders", "visits": "Visits"}}
TESTS = {
    "volume": {"usual_volume": {"arguments": {**VOLUME, "what": "Orders"}}},
    "volumes": {"usual_volume": {"arguments": {**VOLUME, "series": SERIES}}},
    "by_name": {"usual_volume": {"arguments": {**VOLUME, "what": "Orders", "by": ["name"]}}},
    "drops": {"usual_volume": {"arguments": {**VOLUME, "direction": "down"}}},
    "mean": {
        "usual_measure": {
            "arguments": {"day": "day", "value": "avg(value)", "rows": "100", "unit": "$"}
        }
    },
    "share": {
        "usual_measure": {
            "arguments": {"day": "day", "value": "avg(value)", "rows": "100", "is_share": True}
        }
    },
    "nulls": {"usual_nulls": {"arguments": {"day": "day", "columns": ["value", "name"]}}},
    "values": {
        "usual_values": {
            "column": "name",
            "arguments": {"day": "day", "value": "sum(value)", "what": "Share of orders"},
        }
    },
    "newest": {"usual_newest": {"column": "moment", "arguments": {"day": "day", "what": "visit"}}},
}


def weeks(number: int = 10, until: date = DAY, name: str = "orders", times: float = 1) -> list[Row]:
    """Return whole weeks of one shape, without noise, up to the day before a day."""
    days = [until - timedelta(days=back) for back in range(7 * number, 0, -1)]
    return [(day, name, SHAPE[day.isoweekday()] * times) for day in days]


class Judge:
    """Judges rows of (day, name, value, instant) by tests that were compiled once."""

    def __init__(self, warehouse: Warehouse, compiled: dict[str, str]) -> None:
        self.warehouse = warehouse
        # a % of the SQL's own is no parameter
        self.compiled = {name: sql.replace("%", "%%") for name, sql in compiled.items()}

    def __call__(self, test: str, rows: list[tuple]) -> list[dict]:
        filled = [(*row, None) if len(row) == 3 else row for row in rows]
        values = [list(column) for column in zip(*filled, strict=True)] or [[]] * 4
        found = self.warehouse.run(
            f"truncate {TABLE}; insert into {TABLE} select * from unnest(%s::date[], %s::text[],"
            f" %s::double precision[], %s::timestamptz[]); select to_jsonb(told) from"
            f" ({self.compiled[test]}) as told",
            values,
        )
        return [one for (one,) in found]

    def sentences(self, test: str, rows: list[tuple]) -> list[str]:
        return [one["sentence"] for one in self(test, rows)]


def server_of(warehouse: Warehouse) -> dict:
    server = warehouse.server
    login = {"user": "postgres", "password": server.passwords["postgres"]}
    return {"host": "127.0.0.1", "port": server.port, "dbname": warehouse.database, **login}


@pytest.fixture(scope="module")
def judge(server, tmp_path_factory) -> Iterator[Judge]:
    with fresh_warehouse(server) as warehouse:
        warehouse.run(MAKE_TABLE)
        compiled = compile_tests(
            tmp_path_factory.mktemp("judge") / "project",
            server_of(warehouse),
            TESTS,
            days=(DAY, DAY),
            special_days={SPECIAL: "Clearance"},
        )
        yield Judge(warehouse, compiled)


@pytest.fixture
def at(judge) -> Callable[[date], Judge]:
    """Return the same judge for another day."""

    def moved(day: date) -> Judge:
        compiled = {
            name: sql.replace("%%", "%").replace(DAY.isoformat(), day.isoformat())
            for name, sql in judge.compiled.items()
        }
        return Judge(judge.warehouse, compiled)

    return moved


def test_odd_day_is_told_with_its_value_the_range_and_the_last_same_weekdays(judge):
    tuesdays = {DAY - timedelta(weeks=back): 60 + back for back in range(1, 11)}
    rows = [(day, name, tuesdays.get(day, value)) for day, name, value in weeks()]
    assert judge.sentences("volume", [*rows, (DAY, "orders", 31)]) == [
        "Orders on Tuesday 9 February: 31, usually 42 to 101 (the last Tuesdays: 64, 63, 62, 61)"
    ]


def test_quiet_sunday_is_no_odd_day(at):
    sunday = DAY - timedelta(days=2)
    assert at(sunday)("volume", [*weeks(until=sunday), (sunday, "orders", 20)]) == []
    assert len(at(sunday)("volume", [*weeks(until=sunday), (sunday, "orders", 62)])) == 1


def test_day_is_not_in_its_own_baseline_nor_are_later_days(judge):
    later = [(DAY + timedelta(days=ahead), "orders", 31.0) for ahead in range(1, 60)]
    (alone,) = judge("volume", [*weeks(), (DAY, "orders", 31)])
    assert judge("volume", [*weeks(), (DAY, "orders", 31), *later]) == [alone]
    # with itself among so different days it would be one of them
    rows = [(d, n, (40.0, 80.0)[(DAY - d).days // 7 % 2]) for d, n, _ in weeks()]
    assert len(judge("volume", [*rows, (DAY, "orders", 12)])) == 1


@pytest.mark.parametrize(
    ("value", "is_error"), [(0, True), (3, True), (4, False), (31, False), (None, True)]
)
def test_next_to_nothing_is_an_error(judge, value, is_error):
    rows = [(DAY, "orders", value)] if value is not None else []
    (told,) = judge("volume", [*weeks(), *rows])
    assert told["is_error"] == is_error


def test_next_to_nothing_of_next_to_nothing_is_nothing(judge):
    assert judge("volume", weeks(times=0.05)) == []
    (told,) = judge("volume", weeks(times=0.2))
    assert not told["is_error"]


def test_outage_of_days_stays_out_of_what_is_usual(judge):
    """Two weeks of outage: were they compared with, half of the usual would do."""
    out = {DAY - timedelta(days=back) for back in range(4, 4 + 14)}
    rows = [(day, name, value * (0.1 if day in out else 1)) for day, name, value in weeks()]
    (told,) = judge("volume", [*rows, (DAY, "orders", 31)])
    assert told["sentence"].endswith("(the last Tuesdays: 62, 62, 62, 62)")


def test_special_day_is_not_compared_with_nor_told(at):
    later = SPECIAL + timedelta(weeks=2)
    rows = [(d, n, 80.0 if d == SPECIAL else value) for d, n, value in weeks(until=later)]
    (told,) = at(later)("volume", [*rows, (later, "orders", 31)])
    assert told["sentence"].endswith("(the last Tuesdays: 62, 62, 62, 62)")
    busy = [*weeks(until=SPECIAL), (SPECIAL, "orders", 200)]
    assert at(SPECIAL)("volume", busy) == []
    day_before = SPECIAL - timedelta(days=1)
    assert len(at(day_before)("volume", weeks(until=day_before))) == 1


def test_on_a_special_day_next_to_nothing_warns(at):
    (told,) = at(SPECIAL)("volume", weeks(until=SPECIAL))
    assert not told["is_error"]


@pytest.mark.parametrize(
    ("number", "value", "is_told"),
    [(4, 31, False), (4, 15, True), (4, 200, True), (5, 31, True)],
    ids=["half", "far below", "far above", "half after enough weeks"],
)
def test_few_weeks_tell_only_what_is_far_off(judge, number, value, is_told):
    """The first day of a series is rarely whole, so of four weeks only three Tuesdays count."""
    told = judge("volume", [*weeks(number), (DAY, "orders", value)])
    assert bool(told) == is_told
    assert all(("roughly" in one["sentence"]) == (number < 5) for one in told)
    assert not any(one["is_error"] for one in told)


@pytest.mark.parametrize("days", [0, 1, 4])
def test_few_days_say_nothing(judge, days):
    rows = weeks()[-days:] if days else []
    assert judge("volume", [*rows, (DAY, "orders", 1)]) == []


def test_what_is_told_three_days_running_is_known_but_for_next_to_nothing(judge):
    def after(days: int, today: float) -> list[dict]:
        low = {DAY - timedelta(days=back) for back in range(1, days + 1)}
        rows = [(d, n, v * (0.4 if d in low else 1)) for d, n, v in weeks()]
        return judge("volume", [*rows, (DAY, "orders", today)])

    assert len(after(2, 25)) == 1
    assert after(3, 25) == []
    assert len(after(3, 1)) == 1
    assert len(after(3, 200)) == 1


def test_what_all_volumes_rise_by_is_a_good_day(judge):
    before = [*weeks(), *weeks(name="visits", times=3)]
    assert judge("volumes", [*before, (DAY, "orders", 140), (DAY, "visits", 380)]) == []
    assert judge.sentences("volumes", [*before, (DAY, "orders", 62), (DAY, "visits", 380)]) == [
        "Visits on Tuesday 9 February: 380, usually 131 to 264 "
        "(the last Tuesdays: 186, 186, 186, 186)"
    ]
    fallen = judge("volumes", [*before, (DAY, "orders", 25), (DAY, "visits", 75)])
    assert len(fallen) == 2


def test_series_without_rows_or_without_a_name_is_not_told(judge):
    before = weeks(name="something else")
    assert judge("volumes", before) == []
    assert judge("volumes", []) == []


def test_series_that_stops_while_others_go_on_is_an_error(judge):
    before = [*weeks(), *weeks(name="visits")]
    (told,) = judge("volumes", [*before, (DAY, "visits", 62)])
    assert told["is_error"]
    assert told["sentence"].startswith("Orders on Tuesday 9 February: 0, ")


def test_series_of_null_is_one_of_its_own(judge):
    before = [*weeks(), *weeks(name=None)]
    (told,) = judge("by_name", [*before, (DAY, "orders", 62), (DAY, None, 30)])
    assert told["name"] is None


def test_only_a_drop_is_told_where_no_rise_is_wanted(judge):
    assert judge("drops", [*weeks(), (DAY, "orders", 200)]) == []
    (told,) = judge("drops", [*weeks(), (DAY, "orders", 30)])
    assert "usually 39 or more (" in told["sentence"]


def test_measure_is_judged_where_it_is_there(judge):
    assert judge("mean", weeks()) == []
    assert judge.sentences("mean", [*weeks(), (DAY, "orders", 100.5)]) == [
        "The number on Tuesday 9 February: 101 $, usually 43.4 to 88.4 $ "
        "(the last Tuesdays: 62, 62, 62, 62)"
    ]


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), 1e300], ids=str)
def test_what_is_no_number_is_none(judge, odd):
    assert judge("mean", [*weeks(), (DAY, "orders", odd)]) == []
    rows = [(d, n, odd if d == DAY - timedelta(weeks=1) else v) for d, n, v in weeks()]
    assert judge("mean", [*rows, (DAY, "orders", 62)]) == []


@pytest.mark.parametrize(("share", "is_told"), [(0.012, False), (0.2, True)])
def test_small_change_of_a_share_is_none(judge, share, is_told):
    rows = [(day, name, 0.01) for day, name, _ in weeks()]
    assert bool(judge("share", [*rows, (DAY, "orders", share)])) == is_told


def test_column_that_is_suddenly_null_is_told(judge):
    rows = [(day, name, v) for day, name, v in weeks() for _ in range(50)]
    today = [(DAY, "orders", None if number < 20 else 1.0) for number in range(50)]
    assert judge.sentences("nulls", [*rows, *today]) == [
        "Rows without value on Tuesday 9 February: 40 %, which is new, usually 0 % to 10.6 % "
        "(the last Tuesdays: 0 %, 0 %, 0 %, 0 %)"
    ]


def test_values_are_told_when_they_are_new_gone_or_null_and_long_ones_too(judge):
    usual = [(d, n, v * 10) for d, _, v in weeks() for n in ("ups", "dhl")]
    long = "x" * 200
    today = [(DAY, "ups", 500.0), (DAY, long, 300.0), (DAY, None, 200.0), (DAY, "rare", 2.0)]
    told = {one["name"]: one["sentence"] for one in judge("values", [*usual, *today])}
    assert told.keys() == {"dhl", long, None}
    assert told[long].startswith("Share of orders on Tuesday 9 February: 29.9 %, which is new, ")
    assert told["dhl"].startswith("Share of orders on Tuesday 9 February: 0 %, usually 4")


def test_day_that_ends_at_noon_is_told(judge):
    rows = [(d, n, v, f"{d} 23:40Z") for d, n, v in weeks()]
    assert judge("newest", [*rows, (DAY, "", 1, f"{DAY} 23:01Z")]) == []
    assert judge.sentences("newest", [*rows, (DAY, "", 1, f"{DAY} 12:00Z")]) == [
        "Minutes from the last visit to midnight on Tuesday 9 February: 720, usually up to 80 "
        "(the last Tuesdays: 20, 20, 20, 20)"
    ]


def test_leap_day_is_a_day_like_another(at):
    before = weeks(until=LEAP)
    assert at(LEAP)("volume", [*before, (LEAP, "orders", 62)]) == []
    (told,) = at(LEAP)("volume", [*before, (LEAP, "orders", 25)])
    assert told["sentence"].startswith("Orders on Tuesday 29 February: 25, ")


HISTORIES = st.lists(st.floats(0.9, 1.1), min_size=70, max_size=70)
MANY = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@MANY
@given(noise=HISTORIES, scale=st.sampled_from([10, 1000, 1e6]), today=st.floats(0.9, 1.1))
def test_normal_day_is_never_told_and_a_halved_one_always(judge, noise, scale, today):
    rows = [(d, n, v * scale * one) for (d, n, v), one in zip(weeks(), noise, strict=True)]
    normal = SHAPE[2] * scale * today
    assert judge("volume", [*rows, (DAY, "orders", normal)]) == []
    (told,) = judge("volume", [*rows, (DAY, "orders", normal / 2 * 0.9)])
    assert not told["is_error"]


@MANY
@given(noise=HISTORIES, times=st.sampled_from([10, 100, 1e4]), today=st.floats(0.3, 3))
def test_what_is_odd_does_not_depend_on_the_unit(judge, noise, times, today):
    """A mean in cents is as odd as one in dollars, away from the limits themselves."""
    rows = [(d, n, v * 1000 * one) for (d, n, v), one in zip(weeks(), noise, strict=True)]
    rows.append((DAY, "orders", 62000 * today))
    lasts = [v for d, _, v in rows[:-1] if d.isoweekday() == DAY.isoweekday()][-8:]
    ratio = rows[-1][2] / median(lasts)
    if min(abs(ratio / limit - 1) for limit in (0.5, 0.6, 0.7047, 1.419, 1.7, 2)) < 0.02:
        return
    one = len(judge("mean", rows))
    assert len(judge("mean", [(d, n, v * times) for d, n, v in rows])) == one


YESTERDAY, TODAY = date(2027, 2, 9), date(2027, 2, 10)
AT_NIGHT = "2027-02-10 00:20Z"


@pytest.mark.parametrize(
    ("newest", "loaded", "published", "timezone", "days"),
    [
        pytest.param(TODAY, [AT_NIGHT], None, "UTC", ("02-09", "02-09"), id="today is not whole"),
        pytest.param(
            YESTERDAY,
            ["2027-02-07 00:20Z", AT_NIGHT],
            1,
            "UTC",
            ("02-07", "02-09"),
            id="all days since the last publication",
        ),
        pytest.param(YESTERDAY, [AT_NIGHT], 1, "UTC", ("02-09", "02-09"), id="the same run again"),
        pytest.param(
            date(2027, 1, 5), [AT_NIGHT], None, "UTC", ("01-04", "01-04"), id="data of long ago"
        ),
        pytest.param(
            TODAY, ["2027-02-10 12:00Z"], None, "Pacific/Auckland", ("02-10", "02-10"), id="ahead"
        ),
        pytest.param(None, [AT_NIGHT], None, "UTC", None, id="no rows"),
    ],
)
def test_days_judged_are_the_whole_ones_since_the_last_publication(
    warehouse, tmp_path, newest, loaded, published, timezone, days
):
    """By what was loaded, not by the clock: the same run judges the same days again."""
    warehouse.run(MAKE_TABLE)
    if newest:
        warehouse.run(f"insert into {TABLE} values (%s, 'orders', 1)", [newest])
    for number, at in enumerate(loaded, 1):
        warehouse.run(
            "insert into ops.load (load_id, table_name, source_file, started_at, finished_at,"
            " status) overriding system value values (%s, 'orders', 'a file', %s, %s, 'loaded')",
            [number, at, at],
        )
    if published:
        warehouse.run(
            "insert into ops.publication (run_id, published_at, rows_inserted, rows_updated,"
            " rows_deleted, tables, horizon_load_id) values ('a run', now(), 1, 0, 0, '{}', %s)",
            [published],
        )
    test = {"volume": TESTS["volume"]}
    compiled = compile_tests(tmp_path / "project", server_of(warehouse), test, timezone=timezone)
    found = re.search(
        r"between cast\('(.*?)' as date\) - 140 and cast\('(.*?)' as", compiled["volume"]
    )
    assert (found and found.groups()) == (days and tuple(f"2027-{day}" for day in days))
    assert warehouse.run(f"select * from ({compiled['volume']}) as told") == []
