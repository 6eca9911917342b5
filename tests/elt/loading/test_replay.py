"""A quarantined row goes in once it fits, once, and never over a newer one."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from elt.errors import SourceError
from elt.loading.contract import Column, Table
from elt.loading.quarantine import replay_batch
from elt.loading.quarantine.replay import Replayed, in_words, replay
from elt.warehouse import lease
from elt.warehouse.connection import transaction

from .conftest import PEOPLE, VISITS, Shop

HEADER = "visit_id,page,seconds\n"
PEOPLE_HEADER = "person_id,email,age,updated_at\n"
# few rows are no reason to refuse a file here
LOOSE = replace(VISITS, max_bad_share=1)
LOOSE_PEOPLE = replace(PEOPLE, max_bad_share=1)


@pytest.fixture(autouse=True)
def _free_lease(shop: Shop):
    shop.rows("delete from ops.run_lease")


def again_all(*tables: Table, only: str = "", run_id: str = "again") -> list[Replayed]:
    return replay({table.name: table for table in tables or (LOOSE,)}, run_id, only)


def mend(shop: Shop, old: str, new: str) -> None:
    shop.rows(
        f"update ops.quarantine set row_text = replace(row_text, '{old}', '{new}')"
        " where resolved_at is null"
    )


def waiting(shop: Shop) -> list[tuple]:
    return shop.rows(
        "select row_text, reason, resolution from ops.quarantine order by quarantine_id"
    )


def test_a_mended_row_goes_in_once(shop: Shop):
    shop.write("visits.csv", HEADER + "a,home,1\nb,home,many\n")
    shop.load(LOOSE)
    mend(shop, "many", "5")
    (done,) = again_all()
    assert (done.table, done.loaded, done.still_bad) == ("visits", 1, ())
    assert shop.visits() == [("a", "home", 1), ("b", "home", 5)]
    assert shop.rows("select resolution, resolved_at is not null from ops.quarantine") == [
        ("replayed", True)
    ]
    shop.rows("update raw.visits set seconds = 6 where visit_id = 'b'")
    assert again_all() == []
    assert shop.visits()[1] == ("b", "home", 6)


def test_the_ledger_names_the_first_load_and_adds_up(shop: Shop):
    shop.write("visits.csv", HEADER + "a,home,1\nb,home,many\nc,home,few\nd,home,1\n")
    (loaded,) = shop.load(LOOSE)
    mend(shop, "many", "5")
    (done,) = again_all()
    assert shop.rows(
        "select cause, replay_of, source_file, status, run_id, rows_read, rows_inserted,"
        f" rows_quarantined, source_columns from ops.load where load_id = {done.load_id}"
    ) == [
        (
            *("replay", loaded.load_id, f"replay of load {loaded.load_id}: visits.csv", "loaded"),
            *("again", 2, 1, 1, ["visit_id", "page", "seconds"]),
        )
    ]
    assert done.load_id > loaded.load_id
    assert shop.rows("select _load_id from raw.visits where visit_id = 'b'") == [(done.load_id,)]


def test_what_is_still_bad_waits_on_with_its_new_reason(shop: Shop):
    shop.write("visits.csv", HEADER + "a,home,1\nb,home\n")
    shop.load(LOOSE)
    mend(shop, "b,home", "b,home,many")
    (done,) = again_all()
    assert done.still_bad == ("line 3: column seconds: is not a valid integer",)
    assert waiting(shop) == [("b,home,many", "column seconds: is not a valid integer", None)]
    # nothing was loaded, so there is no load
    assert done.load_id is None
    assert shop.rows("select count(*) from ops.load") == [(1,)]
    assert in_words(done).splitlines() == [
        f"visits, rows of load {done.origin_id} (visits.csv): 1 still bad.",
        "  line 3: column seconds: is not a valid integer",
    ]


def test_a_mended_contract_is_enough(shop: Shop):
    shop.write("visits.csv", HEADER + "a,home,1\nb,home,1.5\n")
    shop.load(LOOSE)
    columns = (*VISITS.columns[:2], Column("seconds", "numeric"))
    mended = replace(LOOSE, columns=columns)
    with pytest.raises(SourceError, match="another type for column `seconds`"):
        again_all(mended)
    shop.rows("alter table raw.visits alter column seconds type numeric")
    assert again_all(mended)[0].loaded == 1
    assert [float(seconds) for *_, seconds in shop.visits()] == [1, 1.5]


def test_a_row_that_came_later_is_not_overwritten(shop: Shop):
    # its key can't be read, so no load knows that it is made pointless
    shop.write("visits/1.csv", HEADER + 'a,home,1\n"b,old,2\n')
    shop.load(LOOSE)
    shop.write("visits/2.csv", HEADER + "b,new,3\n")
    shop.load(LOOSE)
    mend(shop, '"', "")
    (done,) = again_all()
    assert (done.loaded, done.superseded) == (0, 1)
    assert shop.visits()[1] == ("b", "new", 3)
    assert waiting(shop)[0][2] == "superseded"
    # it was read and it changed nothing
    assert shop.rows(
        f"select status, rows_read, rows_unchanged from ops.load where load_id = {done.load_id}"
    ) == [("unchanged", 1, 1)]


def test_a_later_delivery_of_the_same_key_closes_a_row_even_if_raw_stays_as_it_was(shop: Shop):
    shop.write("visits/1.csv", HEADER + "a,home,1\n")
    shop.load(LOOSE)
    shop.write("visits/2.csv", HEADER + "a,home,many\nb,home,many\n")
    shop.load(LOOSE)
    shop.write("visits/3.csv", HEADER + "a,home,1\n")
    (*_, last) = shop.load(LOOSE)
    assert last.rows_unchanged == 1
    assert [(text, how) for text, _, how in waiting(shop)] == [
        ("a,home,many", "superseded"),
        ("b,home,many", None),
    ]


def test_a_row_that_was_deleted_since_does_not_come_back(shop: Shop):
    table = replace(LOOSE_PEOPLE, version=None)
    shop.write("people/1.csv", PEOPLE_HEADER + '1,a@example.com,1,2021-01-01\n2,"x,y\n')
    shop.load(table)
    shop.write("people/2.csv", PEOPLE_HEADER + "1,a@example.com,1,2021-01-01\n2,,,\n")
    shop.load(table)
    shop.write("people/3.csv", PEOPLE_HEADER + "1,a@example.com,1,2021-01-01\n")
    shop.load(table)
    shop.rows("update ops.quarantine set resolved_at = null, resolution = null")
    mend(shop, '2,"x,y', "2,b@example.com,2,2021-01-01")
    assert again_all(table)[0].superseded == 1
    assert shop.rows("select _deleted_at is not null from raw.people where person_id = '2'") == [
        (True,)
    ]


@pytest.mark.parametrize(
    ("waits", "in_raw", "stays"),
    [
        pytest.param("2021-01-03", "2021-01-02", "waiting", id="newer"),
        pytest.param("2021-01-01", "2021-01-02", "loaded", id="older"),
        pytest.param("2021-01-02", "2021-01-02", "loaded", id="equal, so the load decides"),
        pytest.param("", "2021-01-02", "loaded", id="without a version"),
        pytest.param("2021-01-01", "", "waiting", id="nothing to compare with"),
    ],
)
def test_the_version_decides_whatever_came_later(shop: Shop, waits, in_raw, stays):
    shop.write("people/1.csv", PEOPLE_HEADER + f'1,"waiting,1,{waits}\n')
    table = replace(LOOSE_PEOPLE, load="delta")
    shop.load(table)
    shop.write("people/2.csv", PEOPLE_HEADER + f"1,loaded,1,{in_raw}\n")
    shop.load(table)
    mend(shop, '"', "")
    again_all(table)
    assert shop.rows("select email from raw.people") == [(stays,)]
    resolution = "superseded" if stays == "loaded" else "replayed"
    assert shop.rows("select resolution from ops.quarantine") == [(resolution,)]


def test_of_rows_that_wait_the_newest_load_wins_whenever_it_was_mended(shop: Shop):
    shop.write("visits/1.csv", HEADER + '"a,first,1\n')
    shop.load(LOOSE)
    shop.write("visits/2.csv", HEADER + '"a,second,2\n')
    shop.load(LOOSE)
    shop.rows(
        "update ops.quarantine set row_text = 'a,first,1' where load_id = 1"
        " or source_file = 'visits/1.csv'"
    )
    assert [done.loaded for done in again_all()] == [1, 0]
    assert shop.visits() == [("a", "first", 1)]
    # the load that brought it is the latest by number, but what it brought is old
    mend(shop, '"', "")
    assert [done.loaded for done in again_all()] == [1]
    assert shop.visits() == [("a", "second", 2)]


def test_of_rows_with_one_key_in_a_load_the_last_line_wins(shop: Shop):
    shop.write("visits.csv", HEADER + "a,first,x\na,second,x\nb,only,x\n")
    shop.load(LOOSE)
    mend(shop, ",x", ",1")
    (done,) = again_all()
    assert (done.loaded, done.superseded) == (2, 1)
    assert shop.visits() == [("a", "second", 1), ("b", "only", 1)]
    assert [how for *_, how in waiting(shop)] == ["superseded", "replayed", "replayed"]


def test_a_row_that_lost_its_key_in_its_file_is_never_tried(shop: Shop):
    shop.write("visits.csv", HEADER + "a,first,1\na,second,2\n")
    shop.load(LOOSE)
    assert again_all() == []
    assert shop.visits() == [("a", "second", 2)]


def test_a_key_too_long_stays_in_quarantine(shop: Shop):
    key = "".join(hashlib.sha256(b"%d" % i).hexdigest() for i in range(100))
    shop.write("visits.csv", HEADER + f"a,home,1\n{key},home,2\n")
    shop.load(LOOSE)
    (done,) = again_all()
    assert done.still_bad == ("line 3: the key is longer than an index can hold",)


def test_text_that_was_not_utf8_must_be_mended_too(shop: Shop):
    shop.write("visits.csv", HEADER.encode() + b"a,caf\xe9,1\n")
    shop.load(LOOSE)
    (reason,) = again_all()[0].still_bad
    assert reason.startswith("line 2: the text is not UTF-8, or holds a zero byte")
    mend(shop, "\\xe9", "é")
    again_all()
    assert shop.visits() == [("a", "café", 1)]


def test_rows_of_forgotten_people_are_wiped_instead(shop: Shop):
    shop.write("people.csv", PEOPLE_HEADER + "1,a@example.com,old,2021-01-01\n2,,2,2021-01-01\n")
    shop.load(LOOSE_PEOPLE)
    mend(shop, "old", "80")
    shop.rows(
        "insert into ops.erased values ('people', 'person_id',"
        f" '{hashlib.sha256(b'1').hexdigest()}')"
    )
    (done,) = again_all(LOOSE_PEOPLE)
    assert (done.loaded, done.erased) == (0, 1)
    assert shop.rows("select person_id from raw.people") == [("2",)]
    assert shop.rows("select row_text, row_key, resolution from ops.quarantine") == [
        ("", None, "erased")
    ]


def test_a_few_rows_of_a_snapshot_delete_nobody(shop: Shop):
    rows = "".join(f"{i},,1,2021-01-01\n" for i in range(9))
    shop.write("people.csv", PEOPLE_HEADER + rows + "9,,old,2021-01-01\n")
    shop.load(LOOSE_PEOPLE)
    mend(shop, "old", "80")
    again_all(LOOSE_PEOPLE)
    assert shop.rows("select count(*), count(_deleted_at) from raw.people") == [(10, 0)]


def test_a_changed_row_is_in_the_change_log(shop: Shop):
    shop.write("visits/1.csv", HEADER + "a,home,1\n")
    shop.load(LOOSE)
    shop.write("visits/2.csv", HEADER + "a,shop,x\n")
    shop.load(LOOSE)
    mend(shop, ",x", ",2")
    (done,) = again_all()
    assert shop.rows("select load_id, change, old_key, new_key from raw.change_log") == [
        (
            *(done.load_id, "update"),
            *({"page": "home", "visit_id": "a"}, {"page": "shop", "visit_id": "a"}),
        )
    ]


def test_only_the_table_that_was_asked_for_is_tried(shop: Shop):
    file = shop.write("visits.csv", HEADER + "a,home,x\n")
    shop.load(LOOSE)
    file.unlink()
    shop.write("people.csv", PEOPLE_HEADER + "1,,x,2021-01-01\n")
    shop.load(LOOSE_PEOPLE)
    mend(shop, ",x", ",1")
    assert [done.table for done in again_all(LOOSE, LOOSE_PEOPLE, only="people")] == ["people"]
    assert shop.visits() == []
    with pytest.raises(SourceError, match=r"no table `nothing`\. There are: people, visits\."):
        again_all(LOOSE, LOOSE_PEOPLE, only="nothing")


def test_a_contract_with_a_new_column_is_a_matter_of_the_daily_run(shop: Shop):
    """It reads all files again for the new column; a replay that added it would prevent that."""
    shop.write("visits.csv", HEADER + "a,home,x\n")
    shop.load(LOOSE)
    wider = replace(LOOSE, columns=(*VISITS.columns, Column("device", "text")))
    with pytest.raises(SourceError, match="Start a daily run"):
        again_all(wider)


def test_a_replay_is_whole_or_not_at_all(shop: Shop, monkeypatch):
    shop.write("visits.csv", HEADER + "a,home,x\n")
    shop.load(LOOSE)
    mend(shop, ",x", ",1")
    before = waiting(shop)

    def dies(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(replay_batch.Batch, "settle", dies)
        with pytest.raises(KeyboardInterrupt):
            again_all()
    assert (shop.visits(), waiting(shop)) == ([], before)
    assert shop.rows("select count(*) from ops.load") == [(1,)]
    assert again_all()[0].loaded == 1


def test_a_run_at_work_and_a_replay_exclude_each_other_in_words(shop: Shop):
    shop.write("visits.csv", HEADER + "a,home,x\n")
    shop.load(LOOSE)
    with transaction("loader") as cursor:
        lease.take(cursor, "the daily run")
    with pytest.raises(lease.LeaseHeldError, match="The run the daily run has been at work"):
        again_all()
    with transaction("loader") as cursor:
        lease.release(cursor, "the daily run")
    with lease.held("a replay"):
        with transaction("loader") as cursor:
            with pytest.raises(lease.LeaseHeldError, match="The run a replay has been at work"):
                lease.take(cursor, "the daily run")
        with pytest.raises(lease.LeaseHeldError, match="The run a replay has been at work"):
            again_all(run_id="another replay")
    assert len(again_all()) == 1
    # and what the daily run did before is not gone on with afterwards
    with pytest.raises(lease.LeaseLostError), lease.loading("the daily run"):
        pass
