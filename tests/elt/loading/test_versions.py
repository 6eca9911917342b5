"""Which of two rows is newer: by its version, but for what its own file said before."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elt.errors import SourceError
from elt.loading import value_formats
from elt.loading.contract import Column, Table
from elt.loading.load_context import Clock
from elt.loading.quarantine.replay import replay

from .conftest import NOW, PEOPLE, Shop, empty, no_sleep
from .shop_database import ShopDatabase
from .test_properties import bounded

LOOSE = replace(PEOPLE, max_bad_share=1)
DROPS = replace(LOOSE, load="delta")
HEADER = "person_id,email,age,updated_at\n"
REASON = "column updated_at: is later than the load, so it can't be right"
FAR = "2121-02-11 10:00"


def ages(shop: Shop) -> list[tuple]:
    return shop.rows("select person_id, age, updated_at::date::text from raw.people order by 1")


@pytest.mark.parametrize("name", ["people.csv", "people/1.csv"])
@pytest.mark.parametrize("earlier", [False, True], ids=["first load", "merge"])
def test_a_version_later_than_the_load_is_a_bad_row(shop: Shop, name, earlier):
    if earlier:
        shop.write(name, HEADER + "a,,1,2021-02-01\nb,,1,2021-02-01\n")
        shop.load(LOOSE)
    tomorrow = (NOW + timedelta(hours=20)).isoformat()
    shop.write(name, HEADER + f"a,,2,{FAR}\nb,,2,{tomorrow}\nc,,2,2021-02-14\nd,,2,\n")
    shop.load(LOOSE)
    assert [row[:2] for row in ages(shop) if row[1] == 2] == [("b", 2), ("d", 2)]
    waiting = "select line_number, reason from ops.quarantine order by 1"
    assert shop.rows(waiting) == [(2, REASON), (4, REASON)]
    shop.write(name, HEADER + "a,,3,2021-02-11\nb,,3,2021-02-11\nc,,3,2021-02-11\nd,,3,\n")
    shop.load(LOOSE)
    assert [row[1] for row in ages(shop)] == [3, 3, 3, 3]
    assert {row[0] for row in shop.rows("select resolution from ops.quarantine")} == {"superseded"}


def test_a_file_that_must_stop_at_a_bad_row_stops_at_a_version_later_than_the_load(shop: Shop):
    shop.write("people.csv", HEADER + f"a,,2,2021-02-01\nb,,2,{FAR}\n")
    with pytest.raises(
        SourceError,
        match=rf"^people\.csv, line 3, column updated_at: the value '{FAR}' is later than",
    ):
        shop.load(replace(PEOPLE, on_bad_row="stop"))


def test_a_version_later_than_the_load_is_replayed_once_it_is_mended_or_has_come(shop: Shop):
    shop.write("people.csv", HEADER + f"a,,1,{FAR}\nb,,1,2021-02-20\n")
    shop.load(LOOSE)
    clock = Clock(lambda: NOW, no_sleep)
    (told,) = replay({"people": LOOSE}, "run 2", clock=clock)
    assert told.still_bad == (f"line 2: {REASON}", f"line 3: {REASON}")
    shop.rows("update ops.quarantine set row_text = replace(row_text, '2121', '2021')")
    (told,) = replay(
        {"people": LOOSE}, "run 3", clock=Clock(lambda: NOW + timedelta(days=9), no_sleep)
    )
    assert (told.loaded, told.still_bad) == (2, ())
    # and what its file says then wins over what was replayed
    shop.write("people.csv", HEADER + "a,,5,2021-02-01\nb,,5,\n")
    shop.load(LOOSE)
    assert [row[1] for row in ages(shop)] == [5, 5]


@pytest.mark.parametrize("data_type", ["bigint", "text"])
def test_a_version_that_is_no_instant_is_not_compared_with_the_load(shop: Shop, data_type):
    table = Table(
        *("people", (Column("person_id", "text"), Column("updated_at", data_type))),
        *(("person_id",), "delta", "updated_at"),
    )
    shop.write("people.csv", "person_id,updated_at\na,9000000000000\n")
    shop.load(table)
    shop.write("people.csv", "person_id,updated_at\na,1\n")
    shop.load(table)
    assert shop.rows("select updated_at::text from raw.people") == [("1",)]


@pytest.mark.parametrize("name", ["people/1.csv", "people/2.csv", "people/0.csv"])
def test_a_version_that_an_older_loader_took_hides_no_row_of_any_file(shop: Shop, name):
    shop.write("people/1.csv", HEADER + f"a,,1,{FAR}\n")
    with mock.patch.object(value_formats, "CLOCK_SKEW", timedelta(days=90_000)):
        shop.load(DROPS)
    assert ages(shop) == [("a", 1, "2121-02-11")]
    shop.write(name, HEADER + "a,,2,2021-02-11\n")
    if name != "people/1.csv":
        (shop.folder / "people/1.csv").unlink()
    shop.load(DROPS)
    assert ages(shop) == [("a", 2, "2021-02-11")]


def test_a_version_that_an_older_loader_took_hides_no_replayed_row(shop: Shop):
    shop.write("people/1.csv", HEADER + f"a,,1,{FAR}\n")
    with mock.patch.object(value_formats, "CLOCK_SKEW", timedelta(days=90_000)):
        shop.load(DROPS)
    shop.write("people/2.csv", HEADER + "a,,two,2021-02-11\n")
    shop.load(DROPS)
    shop.rows("update ops.quarantine set row_text = replace(row_text, 'two', '2')")
    (told,) = replay({"people": DROPS}, "run 2", clock=Clock(lambda: NOW, no_sleep))
    assert (told.loaded, told.superseded) == (1, 0)
    assert ages(shop) == [("a", 2, "2021-02-11")]


@pytest.mark.parametrize("version", ["2021-01-01", ""], ids=["lowered", "emptied"])
def test_a_mended_file_wins_over_what_it_said_before_and_the_change_is_logged(shop: Shop, version):
    shop.write("people.csv", HEADER + "a,,1,2021-02-11\nb,,1,2021-02-11\n")
    shop.load(LOOSE)
    shop.write("people.csv", HEADER + f"a,,2,{version}\nb,,1,2021-02-11\n")
    (result,) = shop.load(LOOSE)
    assert (result.rows_updated, result.rows_unchanged) == (1, 1)
    assert ages(shop)[0] == ("a", 2, version or None)
    key = {"person_id": "a"}
    logged = shop.rows("select change, old_key, new_key from raw.change_log")
    assert logged == [("update", key, key)]


def test_a_newer_row_of_an_earlier_file_comes_back_when_the_later_one_is_lowered(shop: Shop):
    shop.write("people/1.csv", HEADER + "a,,1,2021-02-05\n")
    shop.write("people/2.csv", HEADER + "a,,2,2021-02-10\n")
    shop.load(DROPS)
    shop.write("people/2.csv", HEADER + "a,,3,2021-02-01\n")
    shop.load(DROPS)
    assert ages(shop) == [("a", 1, "2021-02-05")]
    assert {result.status for result in shop.load(DROPS)} == {"skipped"}


def test_a_database_says_what_is_so_now_whatever_the_version(database: ShopDatabase):
    table = Table(
        *("users", (Column("user_id", "text"), Column("updated_at", "timestamptz"))),
        *(("user_id",), "full_snapshot", "updated_at"),
    )
    database.run(
        "alter table users add updated_at timestamptz; "
        f"insert into users values ('a', null, '{FAR}')"
    )
    for version in ("'2021-02-11'", "'2021-02-01'", "null", f"'{FAR}'", "'2021-02-01'"):
        database.load("users", [table])
        assert database.is_equal(table)
        database.run(f"update users set updated_at = {version}")
    database.load("users", [table])
    assert database.is_equal(table)


contents = st.lists(
    st.tuples(
        st.sampled_from(["1", "2", "3"]),
        st.fixed_dictionaries(
            {},
            optional={
                key: st.tuples(st.sampled_from("xyz"), st.none() | st.integers(0, 3))
                for key in "abc"
            },
        ),
    ),
    min_size=1,
    max_size=6,
)


@bounded
@given(sequence=contents)
def test_any_sequence_of_mended_files_ends_in_the_newest_of_what_they_say(shop: Shop, sequence):
    """Of what the files say now the newest version stays, of equal ones that of the later file."""
    empty(shop.warehouse)
    for old in shop.folder.glob("*/*.csv"):
        old.unlink()
    columns = (Column("id", "text"), Column("band", "text"), Column("v", "bigint"))
    table = Table("grouped", columns, ("id",), "delta", "v", ("band",))
    said: dict[str, dict] = {}
    for path, content in sequence:
        # a delta says nothing of a row that it leaves out
        said[path] = said.get(path, {}) | content
        lines = [f"{k},{band},{'' if v is None else v}\n" for k, (band, v) in said[path].items()]
        shop.write(f"grouped/{path}.csv", "id,band,v\n" + "".join(lines))
        before = (
            {row[0]: row[1] for row in _rows(shop)}
            if shop.rows("select to_regclass('raw.grouped') is not null") == [(True,)]
            else {}
        )
        logged = shop.rows("select coalesce(max(load_id), 0) from raw.change_log")[0][0]
        shop.load(table)
        expected = {}
        for name in sorted(said):
            for key, (band, v) in said[name].items():
                if key not in expected or _rank(v) >= _rank(expected[key][1]):
                    expected[key] = (band, v)
        assert {key: (band, v) for key, band, v in _rows(shop)} == expected
        # the log leads from what was there to what is there
        for change in shop.rows(
            "select old_key ->> 'id', old_key ->> 'band', new_key ->> 'band' from raw.change_log "
            f"where load_id > {logged} order by load_id"
        ):
            assert before.get(change[0], change[1]) == change[1]
            before[change[0]] = change[2]
        assert all(before[key] == expected[key][0] for key in before)
    assert {result.status for result in shop.load(table)} == {"skipped"}


def _rank(version: int | None) -> int:
    return -1 if version is None else version


def _rows(shop: Shop) -> list[tuple]:
    return shop.rows("select id, band, v from raw.grouped")
