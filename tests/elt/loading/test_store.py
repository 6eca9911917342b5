"""A bad row does not hold back the good ones, and none is lost."""

from __future__ import annotations

import gzip
import os
from dataclasses import replace

import pytest

from elt.errors import SourceError
from elt.loading.contract import Column, Table

from .conftest import PEOPLE, VISITS, Shop

HEADER = "visit_id,page,seconds\n"
NO_TEXT = (
    "the text is not UTF-8, or holds a zero byte "
    "(for files in another encoding, set `encoding` in the contract)"
)
GOOD = "".join(f"good{i},home,{i}\n" for i in range(3))


def quarantined(shop: Shop) -> list[tuple]:
    return shop.rows(
        "select line_number, row_text, reason, column_name from ops.quarantine "
        "order by quarantine_id"
    )


@pytest.mark.parametrize(
    ("row", "reason", "column"),
    [
        pytest.param("b,home,five", "column seconds: is not a valid integer", "seconds", id="type"),
        pytest.param(
            "b,home,99999999999", "column seconds: is not a valid integer", "seconds", id="range"
        ),
        pytest.param(
            ",home,5", "column visit_id: is empty, but it is part of the key", "visit_id", id="key"
        ),
        pytest.param(
            '"",home,x',
            "column visit_id: is empty, but it is part of the key; "
            "column seconds: is not a valid integer",
            "visit_id",
            id="two reasons",
        ),
        pytest.param("b,home", "has 2 fields, the header has 3", None, id="too few"),
        pytest.param("b,home,5,", "has 4 fields, the header has 3", None, id="too many"),
        pytest.param("", "the line is empty, expected 3 fields", None, id="empty line"),
        pytest.param('b,"home,5', "a quote opens here and is never closed", None, id="quote"),
        pytest.param(
            "b,home,5\r",
            "the line ends in another way than those before it (LF or CRLF)",
            None,
            id="line end",
        ),
        pytest.param(b"b,caf\xe9,5", NO_TEXT, None, id="latin"),
        pytest.param(b"b,h\0me,5", "the text is not UTF-8, or holds a zero byte", None, id="zero"),
        pytest.param(
            b"b,caf\xe9",
            f"{NO_TEXT}; has 2 fields, the header has 3",
            None,
            id="text and structure",
        ),
    ],
)
@pytest.mark.parametrize("earlier", ["", "known,home,1\n"], ids=["first load", "merge"])
def test_a_bad_row_is_kept_with_every_reason_and_the_rest_is_loaded(
    shop: Shop, row, reason, column, earlier
):
    if earlier:
        shop.write("visits/1.csv", HEADER + earlier)
    raw = row.encode() if isinstance(row, str) else row
    content = (HEADER + GOOD).encode() + raw + b"\n"
    shop.write("visits/2.csv", content)
    result = shop.load()[-1]
    text = raw.rstrip(b"\r").decode("utf-8", "backslashreplace").replace("\0", "\\x00")
    assert quarantined(shop) == [(5, text, reason, column)]
    assert [row[0] for row in shop.visits() if row[0] != "known"] == ["good0", "good1", "good2"]
    counts = (result.rows_read, result.rows_inserted, result.rows_quarantined)
    assert counts == (4, 3, 1)
    ledger = shop.rows(
        "select status, rows_read, rows_inserted, rows_quarantined, source_columns from ops.load "
        "order by load_id desc limit 1"
    )
    assert ledger == [("loaded", 4, 3, 1, ["visit_id", "page", "seconds"])]


def test_the_place_and_key_of_a_bad_row_are_those_of_the_file(shop: Shop):
    shop.write(
        "visits.csv", HEADER + 'a,"one\ntwo\nthree",1\nb,home,x\nc,"four\nfive",2\nd,home,3,4\n'
    )
    shop.load(replace(VISITS, max_bad_share=0.5))
    found = shop.rows(
        "select line_number, row_key, source_file, table_name, is_replayable, resolved_at, load_id "
        "from ops.quarantine order by 1"
    )
    load_id = shop.rows("select load_id from ops.load")[0][0]
    rest = ("visits.csv", "visits", True, None, load_id)
    assert found == [(5, {"visit_id": "b"}, *rest), (8, {"visit_id": "d"}, *rest)]
    assert [row[0] for row in shop.visits()] == ["a", "c"]


@pytest.mark.parametrize("name", ["visits.csv", "visits.csv.gz"])
def test_bad_rows_in_many_pieces_of_a_big_file_are_found_on_their_lines(shop: Shop, name):
    rows = [f'{i},"a page of\nsome {"length" * 20}",{i}\n' for i in range(80_000)]
    for place in (0, 1, 39_999, 79_999):
        rows[place] = f"{place},home,x\n"
    content = (HEADER + "".join(rows)).encode()
    assert len(content) > 10 << 20
    shop.write(name, gzip.compress(content, 1) if name.endswith("gz") else content)
    (result,) = shop.load()
    assert [row[0] for row in quarantined(shop)] == [2, 3, 79_998, 159_997]
    assert (result.rows_inserted, result.rows_quarantined) == (79_996, 4)
    assert shop.rows("select count(*), count(distinct visit_id) from raw.visits") == [
        (79_996, 79_996)
    ]


@pytest.mark.parametrize("earlier", ["", "known,home,1\n"], ids=["first load", "merge"])
@pytest.mark.parametrize("bad", ["", "bad,home,x\n"], ids=["alone", "with a bad row"])
def test_of_a_key_that_is_there_twice_the_last_row_wins_and_the_other_never_replays(
    shop: Shop, earlier, bad
):
    if earlier:
        shop.write("visits/1.csv", HEADER + earlier)
    lines = 'a,"one\nrow",1\n' + bad + "b,home,1\na,home,2\nb,shop,2\na,last,3\n"
    shop.write("visits/2.csv", HEADER + lines)
    result = shop.load(replace(VISITS, max_bad_share=0.9))[-1]
    assert [row for row in shop.visits() if row[0] != "known"] == [
        ("a", "last", 3),
        ("b", "shop", 2),
    ]
    after = 1 if bad else 0
    losers = shop.rows(
        "select line_number, reason, row_text from ops.quarantine where not is_replayable "
        "order by line_number"
    )
    reason = "the key (visit_id) is there again on line {}, and that row is loaded"
    assert losers == [
        (2, reason.format(7 + after), 'a,"one\nrow",1'),
        (4 + after, reason.format(6 + after), "b,home,1"),
        (5 + after, reason.format(7 + after), "a,home,2"),
    ]
    assert (result.rows_read, result.rows_quarantined) == (5 + after, 3 + after)


def test_of_a_key_that_is_there_twice_the_newest_version_wins_then_the_later_row(shop: Shop):
    header = "person_id,email,age,updated_at\n"
    shop.write(
        "people.csv",
        f"{header}a,,1,2021-02-03\na,,2,2021-02-04\na,,3,2021-02-04\na,,4,2021-02-01\na,,5,\n",
    )
    shop.load(replace(PEOPLE, max_bad_share=1))
    assert shop.rows("select age from raw.people") == [(3,)]
    assert [row[0] for row in quarantined(shop)] == [2, 3, 5, 6]


def test_a_key_too_long_for_an_index_is_kept_apart(shop: Shop):
    shop.write("visits.csv", f"{HEADER}{os.urandom(5000).hex()},home,1\nb,home,2\n")
    shop.load()
    assert shop.visits() == [("b", "home", 2)]
    ((line, _, reason, column),) = quarantined(shop)
    assert (line, column) == (2, "visit_id")
    assert reason == "the key (visit_id) is longer than an index can hold"


@pytest.mark.parametrize(
    ("rows", "bad", "share", "is_loaded"),
    [
        pytest.param(1, 1, 0.01, True, id="one is always allowed"),
        pytest.param(199, 2, 0.01, False, id="just above"),
        pytest.param(200, 2, 0.01, True, id="just allowed"),
        pytest.param(200, 1, 0, False, id="a share of 0 is none"),
        pytest.param(100, 29, 0.29, True, id="no float's error"),
        pytest.param(2, 2, 1, True, id="all"),
    ],
)
@pytest.mark.parametrize("kind", ["type", "key twice"])
def test_a_file_with_too_many_bad_rows_is_refused_as_a_whole(
    shop: Shop, rows, bad, share, is_loaded, kind
):
    if kind == "key twice":
        good = [f"{i},home,1\n" for i in range(rows - bad)] or ["0,home,1\n"]
        lines = [good[0]] * bad + good
        rows = len(lines)
        if rows == 2 and bad == 1:
            share = 0.5
    else:
        lines = [f"{i},home,x\n" for i in range(bad)]
        lines += [f"{i},home,1\n" for i in range(bad, rows)]
    shop.write("visits.csv", HEADER + "".join(lines))
    table = replace(VISITS, max_bad_share=share)
    if is_loaded:
        (result,) = shop.load(table)
        assert result.rows_quarantined == bad
        return
    with pytest.raises(
        SourceError, match=r"^visits\.csv has \d+ bad rows? of .* line 2: .*Mend it"
    ):
        shop.load(table)
    assert quarantined(shop) == []
    assert shop.rows("select to_regclass('raw.visits')") == [(None,)]
    assert shop.rows("select status from ops.load") == [("failed",)]


@pytest.mark.parametrize(
    ("doubles", "share", "words"),
    [
        pytest.param(500, 0.01, "has at least 11 bad rows of 1,000; .* allows 10 ", id="many"),
        pytest.param(50, 0.01, "has at least 4 bad rows of 100; .* allows 1 ", id="few allowed"),
        pytest.param(50, 0, "has at least 4 bad rows of 100; .* allows 0 ", id="none allowed"),
        pytest.param(3, 0.01, "has 3 bad rows of 6; .* allows 1 ", id="counted"),
        pytest.param(1, 0, "has 1 bad row of 2; .* allows 0 ", id="one"),
    ],
)
def test_where_counting_stopped_early_a_refusal_says_at_least(shop: Shop, doubles, share, words):
    rows = "".join(f"{i},home,1\n{i},home,2\n" for i in range(doubles))
    shop.write("visits.csv", HEADER + rows)
    with pytest.raises(SourceError, match=rf"^visits\.csv {words}"):
        shop.load(replace(VISITS, max_bad_share=share))


def test_a_missing_quote_that_swallowed_rows_is_not_one_bad_row(shop: Shop):
    inside = "".join(f"{i},home,1\n" for i in range(50))
    # to the letter one field, since the quote closes rightly
    shop.write("visits.csv", HEADER + 'a,"home,1\n' + inside + 'z,home,1"\nlast,home,1\n')
    with pytest.raises(SourceError, match=r"52 bad rows \(with 51 swallowed.*line 2: has 2 fields"):
        shop.load()


def test_an_unclosed_quote_swallows_no_row_after_it(shop: Shop):
    shop.write("visits.csv", HEADER + 'a,"home,1\n' + GOOD)
    (result,) = shop.load()
    assert (result.rows_read, result.rows_inserted, result.rows_quarantined) == (4, 3, 1)
    assert quarantined(shop) == [(2, 'a,"home,1', "a quote opens here and is never closed", None)]


def test_a_later_load_of_the_file_supersedes_what_was_quarantined(shop: Shop):
    shop.write("visits/1.csv", HEADER + "a,home,x\n")
    shop.write("visits/2.csv", HEADER + "b,home,x\n")
    shop.load()
    shop.write("visits/1.csv", HEADER + "a,home,y\n")
    shop.load()
    found = shop.rows(
        "select source_file, row_text, resolution from ops.quarantine order by quarantine_id"
    )
    assert found[:2] == [
        ("visits/1.csv", "a,home,x", "superseded"),
        ("visits/2.csv", "b,home,x", "superseded"),
    ]
    # the drop after the mended one was applied again
    assert found[2:] == [("visits/1.csv", "a,home,y", None), ("visits/2.csv", "b,home,x", None)]


def test_a_whole_snapshot_supersedes_all_that_was_quarantined_and_a_partial_one_deletes_nothing(
    shop: Shop,
):
    table = Table(
        "parts", (Column("id", "integer"), Column("size", "integer")), ("id",), "full_snapshot"
    )
    shop.write("parts/1.csv", "id,size\n1,1\n2,2\n3,3\n")
    shop.write("parts/2.csv", "id,size\n1,1\n3,x\n")
    results = shop.load(table)
    assert [result.rows_deleted for result in results] == [0, 0]
    assert shop.rows("select count(*) from raw.parts where _deleted_at is null") == [(3,)]
    assert shop.rows("select kind from ops.load_warning") == [("no_deletes",)]
    shop.write("parts/3.csv", "id,size\n1,1\n3,3\n")
    assert shop.load(table)[-1].rows_deleted == 1
    assert shop.rows("select resolution from ops.quarantine") == [("superseded",)]


def test_reasons_hold_no_value_and_personal_text_stays_in_the_quarantine(shop: Shop, caplog):
    secret = "plant4711lover"
    header = "person_id,email,age,updated_at\n"
    shop.write("people.csv", f"{header}a,x,{secret},2021-02-01\nb,{secret},1\n")
    with caplog.at_level("DEBUG"):
        shop.load(replace(PEOPLE, max_bad_share=1))
    assert secret not in caplog.text
    assert secret not in str(shop.rows("select reason from ops.quarantine"))
    assert secret not in str(shop.rows("select * from ops.load"))
    assert secret in str(shop.rows("select row_text from ops.quarantine"))
    shop.write("people.csv", f"{header}a,x,{secret},2021-02-01\nb,{secret},1\n")
    shop.touch("people.csv")
    with pytest.raises(SourceError) as caught:
        shop.load(replace(PEOPLE, columns=(*PEOPLE.columns, Column("more", "text"))))
    assert secret not in str(caught.value)
