"""Columns that come and go, drops that look cut short, people who were forgotten."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace

import pytest

from elt.errors import SourceError
from elt.loading.contract import Column, Table

from .conftest import PEOPLE, VISITS, Shop

HEADER = "visit_id,page,seconds\n"


def warnings(shop: Shop) -> list[tuple]:
    return shop.rows("select kind, detail from ops.load_warning order by warning_id")


def test_an_unknown_column_is_told_once_however_many_files_have_it(shop: Shop, caplog):
    for number in range(3):
        shop.write(f"visits/{number}.csv", f"visit_id,page,ctid,seconds\n{number},home,x,5\n")
    with caplog.at_level(logging.WARNING, "elt.loading"):
        shop.load()
    assert warnings(shop) == [("unknown_column", "ctid")]
    told = [record.getMessage() for record in caplog.records if "ctid" in record.getMessage()]
    assert len(told) == 1
    assert told[0].startswith("visits/0.csv has a column that raw.visits does not: ctid")
    assert len(shop.visits()) == 3


@pytest.mark.parametrize("bad", ["", "z,x\n"], ids=["clean", "with a bad row"])
def test_a_missing_column_is_null_in_new_rows_and_stays_in_known_ones(shop: Shop, bad):
    table = replace(VISITS, max_bad_share=0.5)
    shop.write("visits/1.csv", HEADER + "a,home,5\n")
    shop.write("visits/2.csv", "seconds,visit_id\n7,a\n8,b\n" + bad)
    shop.write("visits/3.csv", "seconds,visit_id\n7,a\n8,b\n")
    results = shop.load(table)
    assert shop.visits() == [("a", "home", 7), ("b", None, 8)]
    assert warnings(shop) == [("missing_column", "page")]
    assert (results[1].rows_updated, results[1].rows_inserted) == (1, 1)
    assert results[2].rows_unchanged == 2
    log = shop.rows("select old_key, new_key from raw.change_log")
    assert log == [({"visit_id": "a", "page": "home"}, {"visit_id": "a", "page": "home"})]


def test_a_missing_column_of_a_first_load_is_null(shop: Shop):
    shop.write("visits.csv", "page,visit_id\nhome,a\n")
    shop.load()
    assert shop.visits() == [("a", "home", None)]


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("email,age,updated_at", "lacks the column `person_id`.* part of its key"),
        ("person_id,email,age", "lacks the column `updated_at`"),
    ],
)
def test_a_missing_key_or_version_stops_the_table_before_it_writes(shop: Shop, header, words):
    shop.write("people.csv", header + "\n")
    with pytest.raises(SourceError, match=words):
        shop.load(PEOPLE)
    assert shop.rows("select to_regclass('raw.people')") == [(None,)]


def test_a_column_that_became_another_type_stops_the_table_before_it_writes(shop: Shop):
    shop.write("visits/1.csv", HEADER + "a,home,5\n")
    shop.load()
    shop.write("visits/2.csv", HEADER + "".join(f"{i},home,5 s\n" for i in range(20)))
    with pytest.raises(SourceError, match=r"20 bad rows.*line 2: column seconds: is not a"):
        shop.load()
    assert shop.visits() == [("a", "home", 5)]


def test_a_drop_without_rows_warns_and_one_of_any_other_size_does_not(shop: Shop):
    """How much is usual is a matter of the days that the rows tell of, not of files."""
    for number, rows in enumerate([100] * 5 + [1, 0]):
        lines = "".join(f"{number}-{i},home,{i}\n" for i in range(rows))
        shop.write(f"visits/{number}.csv", HEADER + lines)
    shop.load()
    assert [kind for kind, _ in warnings(shop)] == ["empty_drop"]


def test_a_full_snapshot_may_be_of_any_size_above_half(shop: Shop):
    header = "person_id,email,age,updated_at\n"
    for number in range(6):
        shop.write(f"people/{number}.csv", header + "a,,1,2021-02-01\n")
    shop.load(PEOPLE)
    assert warnings(shop) == []


def bury(shop: Shop, table: str, column: str, value: str) -> None:
    digest = hashlib.sha256(value.encode()).hexdigest()
    shop.warehouse.run(
        "insert into ops.erased (table_name, column_name, value_sha256) values (%s, %s, %s)",
        [table, column, digest],
    )


@pytest.mark.parametrize("earlier", ["", "z,home,1\n"], ids=["first load", "merge"])
def test_rows_of_a_forgotten_person_are_not_loaded_again(shop: Shop, earlier):
    bury(shop, "visits", "visit_id", "bär")
    bury(shop, "visits", "seconds", "7")
    bury(shop, "people", "visit_id", "a")
    if earlier:
        shop.write("visits/1.csv", HEADER + earlier)
    shop.write("visits/2.csv", HEADER + "a,home,5\nbär,home,5\nc,home,07\nbär,home,x\nbär,6\n")
    result = shop.load()[-1]
    assert [row[0] for row in shop.visits() if row[0] != "z"] == ["a"]
    assert (result.rows_read, result.rows_inserted, result.rows_unchanged) == (5, 1, 4)
    assert shop.rows("select count(*) from ops.quarantine") == [(0,)]


def test_a_key_twice_is_on_its_line_though_a_forgotten_row_stands_before_it(shop: Shop):
    bury(shop, "visits", "visit_id", "gone")
    shop.write("visits.csv", HEADER + "gone,home,1\na,home,1\na,home,2\n")
    shop.load()
    assert shop.rows("select line_number, reason from ops.quarantine") == [
        (3, "the key (visit_id) is there again on line 4, and that row is loaded")
    ]


def test_a_forgotten_person_in_a_snapshot_is_no_vanished_row(shop: Shop):
    table = Table("parts", (Column("id", "text"),), ("id",), "full_snapshot")
    bury(shop, "parts", "id", "b")
    for number in range(2):
        shop.write(f"parts/{number}.csv", "id\na\nb\n")
    results = shop.load(table)
    assert [(result.rows_unchanged, result.rows_deleted) for result in results] == [(1, 0), (2, 0)]


def test_a_touched_file_with_the_same_bytes_is_not_copied_again(shop: Shop, monkeypatch):
    shop.write("visits.csv", HEADER + "a,home,x\n")
    shop.load()
    shop.touch("visits.csv")
    monkeypatch.setattr("elt.loading.files.load_file.fill", None)
    (result,) = shop.load()
    assert result.status == "unchanged"
    assert shop.rows("select resolved_at from ops.quarantine") == [(None,)]
