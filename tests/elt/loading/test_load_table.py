from __future__ import annotations

import gzip
import logging
import os
import re
import shutil
import threading
from dataclasses import replace
from functools import partial

import psycopg2
import pytest

from elt.errors import SourceError
from elt.loading import load_log, raw_table
from elt.loading.contract import Column
from elt.loading.files.find_files import find_files
from elt.loading.files.landing import SourceFile
from elt.loading.files.load_table import load_table
from elt.loading.staging_table import StagingTable
from elt.warehouse import connection

from .conftest import PEOPLE, STRICT, VISITS, Shop

HEADER = "visit_id,page,seconds\n"
PEOPLE_HEADER = "person_id,email,age,updated_at\n"


def statuses(results) -> list[str]:
    return [result.status for result in results]


def test_a_first_load_makes_the_table_with_key_and_load_columns(shop: Shop):
    shop.write("visits.csv", HEADER + "a,home,5\n")
    (result,) = shop.load()
    assert (result.status, result.rows_read, result.rows_inserted) == ("loaded", 1, 1)
    columns = shop.rows(
        "select column_name, data_type, is_nullable from information_schema.columns "
        "where table_schema = 'raw' and table_name = 'visits' order by ordinal_position"
    )
    assert columns == [
        ("visit_id", "text", "NO"),
        ("page", "text", "YES"),
        ("seconds", "integer", "YES"),
        ("_load_id", "bigint", "NO"),
        ("_loaded_at", "timestamp with time zone", "NO"),
        ("_deleted_at", "timestamp with time zone", "YES"),
    ]
    assert shop.rows("select tableowner from pg_tables where tablename = 'visits'") == [("loader",)]
    with pytest.raises(psycopg2.errors.UniqueViolation):
        shop.warehouse.run("insert into raw.visits (visit_id, _load_id) values ('a', 1)")


def drop_of(*numbers: int) -> str:
    return HEADER + "".join(f"{number},home,5\n" for number in numbers)


def test_a_first_load_freezes_its_rows_and_statistics_follow_what_is_new(shop: Shop):
    """Else the first reader writes every page anew, and plans guess at the size of the table."""
    statistics = (
        "select reltuples, relallvisible = relpages from pg_class "
        "where oid = 'raw.visits'::regclass"
    )
    shop.write("visits/1.csv", drop_of(*range(200)))
    shop.load()
    assert shop.rows(statistics) == [(200, True)]
    assert shop.rows(
        "select count(*) > 0 from pg_stats where tablename = 'visits' and attname = 'visit_id'"
    ) == [(True,)]
    shop.write("visits/2.csv", drop_of(*range(200, 230)))
    shop.load()
    assert shop.rows(statistics)[0][0] == 230
    # a few rows are not worth a look at all of them
    shop.write("visits/3.csv", drop_of(*range(230, 235)))
    shop.load()
    assert shop.rows(statistics)[0][0] == 230


def test_what_a_load_touched_is_found_by_an_index(shop: Shop):
    shop.write("visits/1.csv", drop_of(1))
    shop.load()
    shop.write("visits/2.csv", drop_of(2))
    shop.load()
    definitions = shop.rows("select indexdef from pg_indexes where tablename = 'visits'")
    assert sorted(text.split(" USING ")[1] for (text,) in definitions) == [
        # a row that changes lies elsewhere then; one that only happens does not: test_database.py
        "btree (_load_id)",
        "btree (page) WHERE (page IS NOT NULL)",
        "btree (visit_id)",
    ]


def test_a_table_from_before_gets_the_index_that_it_lacks(shop: Shop):
    shop.write("visits/1.csv", drop_of(1))
    shop.load()
    shop.rows(
        "drop index raw.visits__load_id_idx; create index on raw.visits using brin (_load_id);"
        " select 1"
    )
    shop.write("visits/2.csv", drop_of(2))
    shop.load()
    definitions = shop.rows("select indexdef from pg_indexes where tablename = 'visits'")
    assert "btree (_load_id)" in {text.split(" USING ")[1] for (text,) in definitions}


def test_rows_of_a_load_are_in_the_index_of_loads_at_once(shop: Shop):
    """Of a table to which rows are only added; that index leaves new pages to a vacuum."""
    visits = replace(VISITS, cursor="seconds")
    shop.write("visits/1.csv", drop_of(1))
    shop.load(visits)
    page = "x" * 1000
    shop.write("visits/2.csv", HEADER + "".join(f"{n},{page},5\n" for n in range(2, 3000)))
    shop.load(visits)
    assert shop.rows("select pg_relation_size('raw.visits') / 8192 / 128") > [(1,)]
    missing = "select brin_summarize_new_values('raw.visits__load_id_idx')"
    assert shop.rows(missing) == [(0,)]


def test_every_file_taken_up_has_a_row_in_ops_load(shop: Shop):
    shop.write("visits.csv", HEADER + "a,home,5\n")
    (result,) = shop.load()
    (row,) = shop.rows(
        "select load_id, run_id, table_name, source_file, file_size, file_modified_at::text, "
        "length(file_sha256), rows_read, status, error from ops.load"
    )
    when = "2021-02-11 06:00:00+00"
    assert row == (result.load_id, "run", "visits", "visits.csv", 31, when, 64, 1, "loaded", None)
    assert shop.rows("select _load_id from raw.visits") == [(result.load_id,)]


def test_a_known_file_is_skipped_unread(shop: Shop):
    file = shop.write("visits.csv", HEADER + "a,home,5\n")
    shop.load()
    modified = file.stat().st_mtime
    file.write_text(HEADER + "b,home,5\n")  # as long as before
    os.utime(file, (modified, modified))
    assert statuses(shop.load()) == ["skipped"]
    assert shop.visits() == [("a", "home", 5)]
    assert shop.rows("select count(*) from ops.load") == [(1,)]


def test_the_same_bytes_again_at_the_same_path_are_unchanged_and_touch_nothing(shop: Shop):
    shop.write("visits.csv", HEADER + "a,home,5\n")
    shop.load()
    before = shop.rows("select xmin::text, * from raw.visits")
    shop.touch("visits.csv")
    (result,) = shop.load()
    assert (result.status, result.rows_read) == ("unchanged", 0)
    assert shop.rows("select xmin::text, * from raw.visits") == before
    assert shop.rows("select status from ops.load order by load_id") == [
        ("loaded",),
        ("unchanged",),
    ]
    assert statuses(shop.load()) == ["skipped"]


def test_bytes_that_were_there_before_the_last_load_are_applied_again(shop: Shop):
    for page in ("home", "shop", "home"):
        shop.write("visits.csv", f"{HEADER}a,{page},5\n")
        assert statuses(shop.load()) == ["loaded"]
    assert shop.visits() == [("a", "home", 5)]


def test_a_later_drop_wins_even_with_the_bytes_of_an_older_one(shop: Shop):
    for name, page in (("1", "home"), ("2", "shop"), ("3", "home")):
        shop.write(f"visits/{name}.csv", f"{HEADER}a,{page},5\n")
    assert statuses(shop.load()) == ["loaded"] * 3
    assert shop.visits() == [("a", "home", 5)]


def test_a_drop_that_comes_late_does_not_beat_the_drops_after_it(shop: Shop):
    shop.write("visits/2.csv", HEADER + "a,new,5\n")
    shop.load()
    shop.write("visits/1.csv", HEADER + "a,old,5\nb,old,5\n")
    assert statuses(shop.load()) == ["loaded", "loaded"]
    assert shop.visits() == [("a", "new", 5), ("b", "old", 5)]
    assert statuses(shop.load()) == ["skipped", "skipped"]


def test_a_mended_drop_is_followed_by_the_later_ones_even_after_a_crash_between(shop: Shop):
    shop.write("visits/1.csv", HEADER + "a,old,5\n")
    shop.write("visits/2.csv", HEADER + "a,new,5\n")
    shop.load()
    shop.write("visits/1.csv", HEADER + "a,mended,5\n")
    later = shop.folder / "visits/2.csv"
    later.rename(later.with_suffix(".away"))
    shop.load()
    later.with_suffix(".away").rename(later)
    # what is gone is still the later one
    assert shop.visits() == [("a", "new", 5)]
    assert statuses(shop.load()) == ["skipped", "loaded"]
    assert shop.visits() == [("a", "new", 5)]


def test_only_changed_rows_are_written_and_each_row_is_counted_once(shop: Shop):
    shop.write("visits/1.csv", HEADER + "a,home,5\nb,home,5\n")
    shop.write("visits/2.csv", HEADER + "a,home,5\nb,shop,\nc,home,1\n")
    first, second = shop.load()
    counts = (second.rows_read, second.rows_inserted, second.rows_updated, second.rows_unchanged)
    assert counts == (3, 1, 1, 1)
    ids = [first.load_id, second.load_id, second.load_id]
    assert shop.rows("select _load_id from raw.visits order by visit_id") == [(i,) for i in ids]
    assert shop.visits()[1] == ("b", "shop", None)


def test_the_change_log_has_the_old_and_new_keys_of_updates_but_no_inserts(shop: Shop):
    shop.write("visits/1.csv", HEADER + "a,home,5\nb,home,5\n")
    shop.write("visits/2.csv", HEADER + "a,home,5\nb,shop,5\nc,home,1\n")
    _, second = shop.load()
    assert shop.rows(
        "select load_id, table_name, change, old_key, new_key from raw.change_log"
    ) == [
        (
            second.load_id,
            "visits",
            "update",
            {"visit_id": "b", "page": "home"},
            {"visit_id": "b", "page": "shop"},
        )
    ]


def people(*rows: tuple[str, int]) -> str:
    lines = [f"{key},{key}@x.org,{age},2021-02-0{age}T00:00:00Z\n" for key, age in rows]
    return PEOPLE_HEADER + "".join(lines)


def ages(shop: Shop) -> list[tuple]:
    return shop.rows(
        "select person_id, age, _deleted_at is not null, _load_id from raw.people order by 1"
    )


def test_a_row_that_vanished_from_a_snapshot_is_marked_and_its_return_revives_it(shop: Shop):
    shop.write("people.csv", people(("a", 1), ("b", 1), ("c", 1)))
    (first,) = shop.load(PEOPLE)
    shop.write("people.csv", people(("a", 1), ("b", 1)))
    (second,) = shop.load(PEOPLE)
    assert (second.rows_deleted, second.rows_unchanged) == (1, 2)
    assert ages(shop)[1:] == [("b", 1, False, first.load_id), ("c", 1, True, second.load_id)]
    shop.write("people.csv", people(("a", 1), ("b", 1), ("c", 1)))
    (third,) = shop.load(PEOPLE)
    assert (third.rows_updated, third.rows_unchanged, third.rows_deleted) == (1, 2, 0)
    assert ages(shop)[2] == ("c", 1, False, third.load_id)
    assert shop.rows("select load_id, change, old_key, new_key from raw.change_log order by 1") == [
        (second.load_id, "delete", {"person_id": "c"}, None),
        (third.load_id, "revive", {"person_id": "c"}, {"person_id": "c"}),
    ]


def test_rows_that_a_delta_does_not_name_stay(shop: Shop):
    shop.write("visits/1.csv", HEADER + "a,home,5\n")
    shop.write("visits/2.csv", HEADER + "b,home,5\n")
    shop.load()
    assert shop.rows("select count(*) from raw.visits where _deleted_at is null") == [(2,)]


def test_an_older_version_never_overwrites_a_newer_one(shop: Shop):
    shop.write("people/1.csv", people(("a", 2), ("b", 2)))
    shop.load(PEOPLE)
    shop.write("people/2.csv", people(("a", 1), ("b", 3)))
    result = shop.load(PEOPLE)[-1]
    assert (result.rows_updated, result.rows_unchanged) == (1, 1)
    assert [row[:2] for row in ages(shop)] == [("a", 2), ("b", 3)]


def test_the_same_version_with_other_values_is_taken_from_the_later_file(shop: Shop):
    shop.write("people.csv", PEOPLE_HEADER + "a,a@x.org,1,2021-02-01T00:00:00Z\n")
    shop.load(PEOPLE)
    shop.write("people.csv", PEOPLE_HEADER + "a,a@x.org,7,2021-02-01T00:00:00Z\n")
    shop.load(PEOPLE)
    assert ages(shop)[0][1] == 7


def test_a_row_without_a_version_is_older_than_any(shop: Shop):
    shop.write("people/1.csv", PEOPLE_HEADER + "a,a@x.org,1,2021-02-01T00:00:00Z\nb,,1,\n")
    shop.load(PEOPLE)
    shop.write("people/2.csv", PEOPLE_HEADER + "a,a@x.org,7,\nb,,7,\n")
    shop.load(PEOPLE)
    assert [row[1] for row in ages(shop)] == [1, 7]


def test_a_deleted_row_that_returns_in_an_older_version_lives_again_with_its_newer_values(
    shop: Shop,
):
    shop.write("people/1.csv", people(("a", 2), ("b", 2)))
    shop.load(PEOPLE)
    shop.write("people/2.csv", people(("a", 2)))
    shop.load(PEOPLE)
    shop.write("people/3.csv", people(("a", 2), ("b", 1)))
    result = shop.load(PEOPLE)[-1]
    assert (result.rows_updated, result.rows_unchanged) == (1, 1)
    assert ages(shop)[1][:3] == ("b", 2, False)


def test_a_snapshot_that_lost_most_rows_is_refused_until_confirmed(shop: Shop):
    shop.write("people.csv", people(("a", 1), ("b", 1), ("c", 1), ("d", 1)))
    shop.load(PEOPLE)
    shop.write("people.csv", people(("a", 1)))
    with pytest.raises(SourceError, match=r"only 1 of the 4 living rows.*`people` really shrank"):
        shop.load(PEOPLE, confirm_shrunk=["visits"])
    assert [row[2] for row in ages(shop)] == [False] * 4
    (result,) = shop.load(PEOPLE, confirm_shrunk=["people"])
    assert result.rows_deleted == 3


def test_an_empty_snapshot_is_refused_but_half_of_the_rows_are_enough(shop: Shop):
    shop.write("people.csv", people(("a", 1), ("b", 1)))
    shop.load(PEOPLE)
    shop.write("people.csv", PEOPLE_HEADER)
    with pytest.raises(SourceError, match="only 0 of the 2"):
        shop.load(PEOPLE)
    shop.write("people.csv", people(("b", 1)))
    assert shop.load(PEOPLE)[0].rows_deleted == 1


def test_a_file_without_rows_is_a_load_of_nothing(shop: Shop):
    shop.write("visits.csv", HEADER)
    (result,) = shop.load()
    assert (result.status, result.rows_read) == ("loaded", 0)


def test_columns_are_matched_by_name_and_unknown_ones_are_ignored_with_one_warning(shop, caplog):
    shop.write("visits.csv", "seconds, ctid ,page,visit_id \n5,x,home,a\n6,y,home,b\n")
    with caplog.at_level(logging.WARNING, "elt.loading"):
        shop.load()
    assert shop.visits() == [("a", "home", 5), ("b", "home", 6)]
    assert [record for record in caplog.records if "ctid" in record.getMessage()]


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfvisit_id,page,seconds\na,home,5\n",
        b'\xef\xbb\xbf"visit_id","page","seconds"\r\n"a","home","5"\r\n',
        b"visit_id,page,seconds\ra,home,5\r",
        b"visit_id,page,seconds\na,home,5",
        gzip.compress(b"visit_id,page,seconds\n") + gzip.compress(b"a,home,5\n"),
    ],
    ids=["bom", "bom, quotes and crlf", "cr", "no last newline", "gz of two members"],
)
def test_the_same_rows_in_other_clothes_arrive_the_same(shop: Shop, content):
    shop.write("visits.csv.gz" if content[:2] == b"\x1f\x8b" else "visits.csv", content)
    shop.load()
    assert shop.visits() == [("a", "home", 5)]


def test_an_empty_field_is_null_quoted_or_not(shop: Shop):
    shop.write("visits.csv", HEADER + 'a,,\nb,"",""\n')
    shop.load()
    assert shop.visits() == [("a", None, None), ("b", None, None)]


def test_a_newly_declared_column_is_filled_from_files_that_were_loaded_before(shop: Shop):
    shop.write("visits/1.csv", "visit_id,page,seconds,colour\na,home,5,red\n")
    shop.write("visits/2.csv", "visit_id,page,seconds,colour\nb,home,5,blue\n")
    shop.load()
    wider = replace(VISITS, columns=(*VISITS.columns, Column("colour", "text")))
    assert statuses(shop.load(wider)) == ["loaded", "loaded"]
    assert shop.rows("select colour from raw.visits order by visit_id") == [("red",), ("blue",)]
    assert statuses(shop.load(wider)) == ["skipped", "skipped"]


def test_a_table_that_was_dropped_is_loaded_again_from_all_files(shop: Shop):
    shop.write("visits/1.csv", HEADER + "a,home,5\n")
    shop.write("visits/2.csv", HEADER + "b,home,5\n")
    shop.load()
    shop.warehouse.run("drop table raw.visits")
    assert statuses(shop.load()) == ["loaded", "loaded"]
    assert len(shop.visits()) == 2


@pytest.mark.parametrize(
    ("ddl", "words"),
    [
        ("alter table raw.visits alter seconds type text", "another type for column `seconds`"),
        ("alter table raw.visits drop constraint visits_pkey", r"has the key \(\)"),
    ],
)
def test_a_table_that_contradicts_its_contract_is_an_error(shop: Shop, ddl, words):
    shop.write("visits.csv", HEADER + "a,home,5\n")
    shop.load()
    shop.warehouse.run(ddl)
    shop.write("visits.csv", HEADER + "b,home,5\n")
    with pytest.raises(SourceError, match=words):
        shop.load()


def test_a_refused_file_is_recorded_and_stops_the_drops_after_it(shop: Shop):
    shop.write("visits/1.csv", HEADER + "a,home,5\n")
    shop.write("visits/2.csv", HEADER + "b,home,long\n")
    shop.write("visits/3.csv", HEADER + "c,home,5\n")
    with pytest.raises(SourceError, match=r"2\.csv, line 2, column seconds"):
        shop.load(STRICT)
    assert shop.visits() == [("a", "home", 5)]
    rows = shop.rows("select source_file, status, error from ops.load order by load_id")
    assert [row[:2] for row in rows] == [("visits/1.csv", "loaded"), ("visits/2.csv", "failed")]
    assert "is not a valid integer" in rows[1][2]


def test_a_mended_file_is_loaded_though_it_failed_before(shop: Shop):
    file = shop.write("visits.csv", HEADER + "b,home,x\n")
    with pytest.raises(SourceError):
        shop.load(STRICT)
    before = file.stat().st_mtime
    file.write_text(HEADER + "b,home,1\n")
    os.utime(file, (before, before))
    assert statuses(shop.load(STRICT)) == ["loaded"]


def test_a_table_that_never_had_a_file_is_an_error_and_later_only_a_warning(shop: Shop, caplog):
    loader = shop.loader()
    with pytest.raises(SourceError, match=r"no file for the table `visits`.*visits\.csv"):
        load_table(loader, VISITS, [])
    shop.write("visits.csv", HEADER)
    shop.load()
    assert load_table(loader, VISITS, []) == []
    assert "no file for the table visits" in caplog.text


def grow_before(shop: Shop, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Let the file grow just before a step of its load."""
    module, _, name = step.partition(".")
    module = {"history": load_log, "raw_table": raw_table}[module]
    original = getattr(module, name)

    def grown(*arguments, **named):
        with (shop.folder / "visits.csv").open("a") as file:
            file.write("b,home,5\n")
        return original(*arguments, **named)

    monkeypatch.setattr(module, name, grown)


def test_a_file_that_grows_while_it_is_loaded_is_left_for_the_next_run(
    shop: Shop, monkeypatch, caplog
):
    shop.write("visits.csv", HEADER + "a,home,5\n")
    with monkeypatch.context() as patch:
        grow_before(shop, patch, "raw_table.finish")
        assert statuses(shop.load()) == ["left"]
    assert "visits.csv is still being written" in caplog.text
    assert shop.rows("select count(*) from ops.load") == [(0,)]
    assert shop.rows("select to_regclass('raw.visits')") == [(None,)]
    shop.touch("visits.csv")
    assert statuses(shop.load()) == ["loaded"]
    assert len(shop.visits()) == 2


def test_a_half_written_file_is_no_error_if_it_grew_meanwhile(shop: Shop, monkeypatch):
    shop.write("visits.csv", HEADER + 'a,"hom')
    grow_before(shop, monkeypatch, "history.next_load_id")
    assert statuses(shop.load()) == ["left"]


def test_a_file_that_is_left_stops_the_drops_after_it(shop: Shop):
    shop.write("visits/2.csv", HEADER)
    gone = SourceFile("visits/1.csv", 1, None)
    there = shop.loader().landing.look("visits/2.csv")
    assert statuses(load_table(shop.loader(), VISITS, [gone, there])) == ["left"]


def test_a_lost_connection_is_passed_on_and_leaves_nothing(shop: Shop, monkeypatch):
    shop.write("visits.csv", HEADER + "a,home,5\n")

    def dying(cursor, *arguments, **named):
        shop.warehouse.run("select pg_terminate_backend(%s)", [cursor.connection.get_backend_pid()])
        cursor.execute("select 1")

    with monkeypatch.context() as patch:
        patch.setattr(load_log, "record", dying)
        with pytest.raises((psycopg2.OperationalError, psycopg2.InterfaceError)):
            shop.load()
    assert shop.rows("select to_regclass('raw.visits')") == [(None,)]
    assert shop.rows("select count(*) from ops.load") == [(0,)]
    assert statuses(shop.load()) == ["loaded"]


def test_two_loads_at_once_equal_one(shop: Shop):
    for number in range(3):
        rows = "".join(f"{number}-{i},home,{i}\n" for i in range(200))
        shop.write(f"visits/{number}.csv", HEADER + rows)
    loader = shop.loader()
    start = threading.Barrier(3)
    outcomes: list[list[str]] = []

    def run() -> None:
        files = find_files(loader.landing, ["visits"]).of("visits")
        start.wait()
        outcomes.append(statuses(load_table(loader, VISITS, files)))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 3
    loaded = [sum(outcome[place] == "loaded" for outcome in outcomes) for place in range(3)]
    assert loaded == [1, 1, 1]
    assert shop.rows("select count(*) from raw.visits") == [(600,)]
    assert shop.rows("select count(*) from ops.load") == [(3,)]


def test_a_load_waits_for_another_one_of_the_same_table_before_it_takes_its_id(shop: Shop):
    shop.write("visits.csv", HEADER + "a,home,5\n")
    shop.load()
    shop.write("visits.csv", HEADER + "a,home,6\n")
    with connection.transaction("loader") as cursor:
        cursor.execute("lock table raw.visits in share row exclusive mode")
        cursor.execute("select last_value from ops.load_load_id_seq")
        before = cursor.fetchone()
        other = threading.Thread(target=partial(shop.load, VISITS))
        other.start()
        other.join(0.3)
        assert other.is_alive()
        cursor.execute("select last_value from ops.load_load_id_seq")
        assert cursor.fetchone() == before
    other.join()
    assert shop.visits() == [("a", "home", 6)]


def test_what_is_not_read_is_warned_of_once(shop: Shop, caplog):
    shop.write("visits/1.csv", HEADER + "a,home,5\n")
    shop.write("visits/2.zip", b"PK")
    for _ in range(2):
        shop.load()
    told = "visits/2.zip is not read. Unpack it, or pack it as .csv.gz"
    assert [message.startswith(told) for message in warnings(shop)] == [True]
    assert caplog.text.count(told) == 1
    shop.write("visits/3.zip", b"PK")
    shop.load()
    assert len(warnings(shop)) == 2


def warnings(shop: Shop) -> list[str]:
    query = "select message from ops.load_warning where kind = 'unread_file' order by warning_id"
    return [message for (message,) in shop.rows(query)]


def test_a_table_of_which_nothing_can_be_read_fails_though_it_was_loaded_before(shop: Shop):
    shop.write("visits/1.csv", HEADER + "a,home,5\n")
    shop.load()
    (shop.folder / "visits/1.csv").rename(shop.folder / "visits/1.csv.zip")
    shop.write("other.csv", "a\n")
    loader = shop.loader()
    found = find_files(loader.landing, ["visits", "other"])
    with pytest.raises(SourceError, match=r"`visits`.* that can be read.*1\.csv\.zip is not read"):
        load_table(loader, VISITS, found.of("visits"), found.strays["visits"])
    assert len(warnings(shop)) == 1


def test_a_file_that_is_still_coming_is_no_reason_to_fail(shop: Shop):
    shop.write("visits/1.csv", HEADER + "a,home,5\n")
    shop.load()
    (shop.folder / "visits/1.csv").rename(shop.folder / "visits/2.csv.part")
    shop.write("other.csv", "a\n")
    loader = shop.loader()
    found = find_files(loader.landing, ["visits", "other"])
    assert load_table(loader, VISITS, found.of("visits"), found.strays["visits"]) == []


def test_a_dangling_link_fails_its_table_at_its_place(shop: Shop):
    shop.write("visits/1.csv", HEADER + "a,home,5\n")
    (shop.folder / "visits/2.csv").symlink_to("/nowhere/2.csv")
    with pytest.raises(SourceError, match=r"^visits/2\.csv is a link to /nowhere/2\.csv, which is"):
        shop.load()
    assert shop.visits() == [("a", "home", 5)]
    assert shop.rows("select source_file, status from ops.load order by 1") == [
        ("visits/1.csv", "loaded"),
        ("visits/2.csv", "failed"),
    ]


def test_a_file_whose_name_is_no_utf_8_is_loaded_once_and_shown_printable(shop: Shop, caplog):
    shop.write("visits/1.csv", HEADER + "a,home,5\n")
    shop.write("visits/x.csv", HEADER + "b,home,wrong\nc,home,5\n")
    folder = os.fsencode(shop.folder / "visits")
    os.rename(folder + b"/x.csv", folder + b"/jan\xe9\n.csv")
    with caplog.at_level(logging.INFO, "elt.loading"):
        assert statuses(shop.load()) == ["loaded", "loaded"]
    shown = "visits/jan\\xe9\\u000a.csv"
    assert f"{shown} into raw.visits: loaded" in caplog.text
    assert shop.rows("select source_file from ops.quarantine") == [(shown,)]
    assert statuses(shop.load()) == ["skipped", "skipped"]
    shop.warehouse.run("delete from ops.load where source_file <> 'visits/1.csv'")
    with pytest.raises(SourceError, match=re.escape(f"{shown}, line 2")):
        shop.load(STRICT)


def test_a_pipe_does_not_hold_up_the_files_beside_it(shop: Shop):
    shop.write("visits/1.csv", HEADER + "a,home,5\n")
    os.mkfifo(shop.folder / "visits/2.csv")
    shop.write("visits/3.csv", HEADER + "b,home,5\n")
    assert statuses(shop.load()) == ["loaded", "loaded"]
    assert warnings(shop)[0].startswith("visits/2.csv is a named pipe, and not read")


def test_a_file_that_becomes_a_pipe_is_refused_without_waiting(shop: Shop):
    file = shop.write("visits/1.csv", HEADER + "a,home,5\n")
    loader = shop.loader()
    files = find_files(loader.landing, ["visits"]).of("visits")
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(SourceError, match=r"^visits/1\.csv is a named pipe, not a file"):
        load_table(loader, VISITS, files)


def test_a_file_that_is_replaced_while_it_is_read_is_left_for_the_next_run(shop: Shop, monkeypatch):
    file = shop.write("visits.csv", HEADER + "a,home,5\n")
    other = shop.write("other", HEADER + "b,shop,6\n")
    shutil.copystat(file, other)
    with monkeypatch.context() as patch:
        copy = StagingTable.copy

        def replacing(*arguments, **named):
            os.replace(other, file)
            return copy(*arguments, **named)

        patch.setattr(StagingTable, "copy", replacing)
        assert statuses(shop.load()) == ["left"]
    assert statuses(shop.load()) == ["loaded"]
    assert shop.visits() == [("b", "shop", 6)]


def test_statements_of_a_load_do_not_grow_with_the_number_of_files(shop: Shop, monkeypatch):
    """What is known is read once, and then of one path each; skipped files cost no statement."""
    reads: list[tuple] = []
    read_known = load_log.read_known

    def counting(*arguments):
        reads.append(arguments[1:])
        return read_known(*arguments)

    monkeypatch.setattr(load_log, "read_known", counting)
    for number in range(12):
        shop.write(f"visits/{number}.csv", f"{HEADER}{number},home,5\n")
    shop.load()
    assert reads == [("visits",), *(("visits", f"visits/{number}.csv") for number in range(12))]
    reads.clear()
    shop.load()
    assert reads == [("visits",)]
