"""A date, an instant or a number is loaded only if it can be read in one way."""

from __future__ import annotations

import gzip
from dataclasses import replace

import pytest

from elt.errors import SourceError
from elt.loading.contract import Column, Table
from elt.loading.quarantine.replay import replay

from .conftest import Shop

VALUES = Table(
    "measures",
    (
        Column("id", "integer"),
        Column("at", "timestamptz"),
        Column("day", "date"),
        Column("clock", "time"),
        Column("cost", "numeric"),
        Column("weight", "double precision"),
        Column("note", "text"),
    ),
    primary_key=("id",),
    load="delta",
    max_bad_share=1,
)
HEADER = "id,at,day,clock,cost,weight,note\n"
INSTANT = "2021-02-11 13:15:00+00"
RIGHT = [
    *("2021-02-11 13:15:00", "2021/02/11 13:15", "2021.02.11 13:15", "2021-2-11T13:15:00.000Z"),
    *("2021-02-11 01:15 PM", "20210211T131500", "2021-02-11 15:15:00+02", "2021-02-11 08:15 -0500"),
    *("2021-02-11 13:15:00 UTC", "2021-02-11 14:15 Europe/Berlin", "11-Feb-2021 13:15"),
    *('"Feb 11, 2021 13:15"', "Thu Feb 11 13:15:00 UTC 2021", '"Thu, 11 Feb 2021 13:15:00 GMT"'),
]
WORDS = ["now", "Today", "tomorrow", "YESTERDAY", "epoch", "infinity", "-infinity", "+Infinity"]
TWO_WAYS = [
    *("11/02/2021 13:15", "11.02.2021", "11-02-2021", "01-02-03", "1/2/3", "010203", "99/01/01"),
    *("11-Feb-21", "Feb 11 21", "21-Feb-11", "2021-042", "2021-13-02", "J2459257", "1613001231"),
    *("2021-02-11 13:15 IST", "2021-02-11 13:15:00 GMT+0100", "2021-02-11 13:15 UTC+2"),
    *("2021-02-11 BC", "2021-02-11 allballs", "10000-01-01", "today 10:00", "now()"),
]


def filler(start: int) -> str:
    """Return more than a MiB of right rows."""
    row = "2021-02-10 10:00:00,2021-02-10,10:00,1.5,2," + "x" * 200
    return "".join(f"{start + i},{row}\n" for i in range(5000))


FILLER, FILLER_AFTER = filler(1000), filler(10_000)


def measures(shop: Shop, columns: str) -> list[tuple]:
    return shop.rows(f"select {columns} from raw.measures where id < 1000 order by id")


def reasons(shop: Shop) -> list[tuple]:
    return shop.rows("select line_number, column_name, reason from ops.quarantine order by 1")


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("earlier", [False, True], ids=["first load", "merge"])
def test_a_date_that_can_be_read_in_two_ways_is_a_bad_row(shop: Shop, earlier, end):
    if earlier:
        shop.write("measures/1.csv", HEADER + "999,,,,,,\n")
        shop.load(VALUES)
    values = [*RIGHT, *WORDS, *TWO_WAYS]
    lines = "".join(f"{i},{value},,,,,\n" for i, value in enumerate(values))
    shop.write("measures/2.csv.gz", gzip.compress((HEADER + lines).replace("\n", end).encode()))
    shop.load(VALUES)
    loaded = [row for row in measures(shop, "id, at::text") if row[0] < 999]
    assert loaded == [(i, INSTANT) for i in range(len(RIGHT))]
    found = reasons(shop)
    assert [line for line, *_ in found] == list(range(2 + len(RIGHT), 2 + len(values)))
    assert {tuple(rest) for _, *rest in found} == {
        (
            "at",
            "column at: is not a valid timestamptz; expected 2021-02-28 01:15:00, or the key "
            "`date_order` (dmy or mdy) in the contract of `measures`",
        )
    }


@pytest.mark.parametrize("earlier", [False, True], ids=["first load", "merge"])
def test_one_such_row_far_in_a_large_file_is_a_bad_one(shop: Shop, earlier):
    if earlier:
        shop.write("measures/1.csv", HEADER + "999,,,,,,\n")
        shop.load(VALUES)
    dates = [*WORDS, *TWO_WAYS]
    lines = [f"{i},{date},,,,,\n" for i, date in enumerate(dates)]
    lines += [f"{i},,{date},,,,\n" for i, date in enumerate(dates, 100)]
    lines += [f"{200 + i},,,,{word},,\n" for i, word in enumerate(["NaN", "Infinity"])]
    lines += [f"{210 + i},,,,,{word},\n" for i, word in enumerate(["nan", "-inf"])]
    alone = [lines[0], lines[dates.index("today 10:00")], lines[dates.index("11-Feb-21")]]
    alone += [lines[len(dates)], *lines[2 * len(dates) :]]
    for place, line in enumerate(alone):
        # each is the first that the server meets
        shop.write(f"measures/{2 + place}.csv", HEADER + FILLER + line + FILLER_AFTER)
    right = '220,"2021-02-11",2021-02-11,,1,1,"Today, now and NaN, 11/02/21"\n'
    shop.write("measures/99.csv", HEADER + FILLER + "".join(lines) + right + FILLER_AFTER)
    shop.load(VALUES)
    assert [row for row in measures(shop, "id") if row[0] != 999] == [(220,)]
    files = "source_file, count(*) from ops.quarantine group by 1"
    told = dict(shop.rows(f"select {files}"))
    assert told.pop("measures/99.csv") == len(lines)
    assert told == {f"measures/{2 + place}.csv": 1 for place in range(len(alone))}


def test_true_rows_of_these_days_are_loaded(shop: Shop):
    days = shop.rows("select (current_date + i)::text from generate_series(-2, 1) i")
    lines = "".join(f"{i},{day},{day},,,,\n" for i, (day,) in enumerate([*days, ("1970-01-01",)]))
    shop.write("measures.csv", HEADER + FILLER + lines + "7,,today,,,,\n8,,,,x,,\n")
    shop.load(VALUES)
    loaded = measures(shop, "at::date::text, day::text")
    assert loaded == [(day, day) for (day,) in [*days, ("1970-01-01",)]]
    assert [column for _, column, _ in reasons(shop)] == ["day", "cost"]


def test_dates_of_another_form_in_the_middle_of_a_large_file_are_found(shop: Shop):
    odd = "".join(f"{100_000 + i},11-Feb-21,,,,,{'x' * 200}\n" for i in range(6000))
    shop.write("measures.csv", HEADER + FILLER + odd)
    shop.load(VALUES)
    assert shop.rows("select count(*) from ops.quarantine") == [(6000,)]


@pytest.mark.parametrize(
    ("order", "date"), [("dmy", "28/02/2021"), ("mdy", "02/28/2021")], ids=["dmy", "mdy"]
)
def test_a_contract_says_whether_day_or_month_comes_first(shop: Shop, order, date):
    ordered = replace(VALUES, date_order=order)
    values = [date, date.replace("/", "."), "2021-02-28", "28-Feb-2021"]
    bad = ["28/02/21", "today", "13/13/2021", "02/28/2021" if order == "dmy" else "28/02/2021"]
    lines = "".join(f"{i},{value} 10:00,{value},,,,\n" for i, value in enumerate(values + bad))
    shop.write("measures.csv", HEADER + lines)
    shop.load(ordered)
    loaded = measures(shop, "at::text, day::text")
    assert loaded == [("2021-02-28 10:00:00+00", "2021-02-28")] * len(values)
    assert [line for line, *_ in reasons(shop)] == [6, 7, 8, 9]
    assert f"expected 2021-02-28 01:15:00 or {date} 01:15:00" in reasons(shop)[0][2]


def test_a_replay_reads_dates_as_the_contract_says_by_then(shop: Shop):
    shop.write("measures.csv", HEADER + "1,11/02/2021,,,,,\n2,today,,,,,\n")
    shop.load(VALUES)
    assert measures(shop, "id") == []
    (told,) = replay({"measures": VALUES}, "run 2")
    assert (told.loaded, len(told.still_bad)) == (0, 2)
    (told,) = replay({"measures": replace(VALUES, date_order="dmy")}, "run 3")
    assert (told.loaded, len(told.still_bad)) == (1, 1)
    assert measures(shop, "id, at::date::text") == [(1, "2021-02-11")]


@pytest.mark.parametrize("value", ["11/02/2021", "11-Feb-21", "infinity"])
def test_a_file_that_must_stop_at_a_bad_row_names_it(shop: Shop, value):
    shop.write("measures.csv", HEADER + f"1,2021-02-11,,,,,\n2,{value},,,,,\n")
    with pytest.raises(SourceError, match=r"line 3.*column at.*timestamptz; expected .*date_order"):
        shop.load(replace(VALUES, on_bad_row="stop"))
    assert shop.rows("select to_regclass('raw.measures')") == [(None,)]


def test_the_raw_table_keeps_none_of_the_checks(shop: Shop):
    shop.write("measures.csv", HEADER + "1,2021-02-11,2021-02-11,10:00,1,1,x\n")
    shop.load(VALUES)
    assert (
        shop.rows(
            "select conname from pg_constraint where conrelid = 'raw.measures'::regclass"
            " and contype = 'c'"
        )
        == []
    )
