"""Exports that were glued together: the header stands again in the middle."""

from __future__ import annotations

from dataclasses import replace

import pytest

from elt.errors import SourceError
from elt.loading.contract import Column, Table
from elt.loading.quarantine.replay import replay

from .conftest import VISITS, Shop

PLACES = Table(
    "places",
    (Column("place_id", "text"), Column("street", "text"), Column("state", "text")),
    primary_key=("place_id",),
    load="full_snapshot",
    max_bad_share=0.5,
)
TYPED = replace(VISITS, max_bad_share=0.5)
AGAIN = "the header stands here again: are two exports glued together?"
OTHER = (
    "a second header stands here, with other columns or another order of them: two exports are "
    "glued together, part them"
)
BELOW = "stands below a second header with other columns (line 4)"


def quarantined(shop: Shop) -> list[tuple]:
    return shop.rows("select line_number, row_text, reason from ops.quarantine order by 1")


def places(shop: Shop) -> list[tuple]:
    return shop.rows("select place_id, street, state from raw.places order by 1")


@pytest.mark.parametrize("earlier", [True, False], ids=["merge", "first load"])
@pytest.mark.parametrize("bad", ["", 'x,6" street,IA\n'], ids=["clean", "with a bad row"])
@pytest.mark.parametrize(
    "header",
    [
        "place_id,street,state",
        "PLACE_ID,STREET,STATE",
        "Place ID, Street ,State",
        "\ufeffplace_id,street,state",
        '\ufeff"place_id","street","state"',
        '"place_id","street","state"',
    ],
)
def test_a_header_among_rows_of_text_is_no_row(shop: Shop, header, bad, earlier):
    if earlier:
        shop.write("places/1.csv", "place_id,street,state\na,1,OH\nb,2,OH\nc,3,OH\n")
    text = f"place_id,street,state\na,1,OH\n{header}\nb,2,OH\n{bad}c,3,OH\n"
    shop.write("places/2.csv", text)
    result = shop.load(PLACES)[-1]
    assert quarantined(shop)[0] == (3, header, AGAIN)
    assert places(shop) == [("a", "1", "OH"), ("b", "2", "OH"), ("c", "3", "OH")]
    assert result.rows_quarantined == 1 + bool(bad)
    assert result.rows_deleted == 0


@pytest.mark.parametrize("ends", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("times", [1, 2])
def test_a_header_among_typed_rows_is_told_as_such(shop: Shop, ends, times):
    part = "visit_id,page,seconds\n{0}1,home,1\n{0}2,home,2\n"
    text = "".join(part.format(letter) for letter in "abc"[: times + 1])
    shop.write("visits.csv", text.replace("\n", ends))
    shop.load(TYPED)
    lines = [4, 7][:times]
    assert quarantined(shop) == [(line, "visit_id,page,seconds", AGAIN) for line in lines]
    assert len(shop.visits()) == 2 * (times + 1)


def test_two_headers_among_text_are_told_as_headers_not_as_keys_that_are_there_twice(shop: Shop):
    header = "place_id,street,state\n"
    shop.write("places.csv", f"{header}a,1,OH\n{header}b,2,OH\n{header}c,3,OH\nd,4,OH\n")
    shop.load(PLACES)
    assert [(line, reason) for line, _, reason in quarantined(shop)] == [(3, AGAIN), (5, AGAIN)]
    assert [row[0] for row in places(shop)] == list("abcd")


def test_a_header_that_ran_into_a_line_without_its_end_is_told(shop: Shop):
    text = "place_id,street,state\na,1,OH\nb,2,OHplace_id,street,state\nc,3,OH\n"
    shop.write("places.csv", text)
    shop.load(PLACES)
    assert quarantined(shop) == [(3, "b,2,OHplace_id,street,state", AGAIN)]
    assert [row[0] for row in places(shop)] == ["a", "c"]


@pytest.mark.parametrize(
    ("table", "header", "second", "row"),
    [
        (PLACES, "place_id,street,state", "state,place_id,street", "OH,c,3"),
        (PLACES, "place_id,street,state", "place_id,state,street", "c,OH,3"),
        (PLACES, "place_id,street,state", "place_id,street,country", "c,3,US"),
        (TYPED, "visit_id,page,seconds", "page,visit_id,seconds", "home,c,3"),
    ],
)
def test_rows_below_another_header_get_into_no_wrong_column(shop: Shop, table, header, second, row):
    table = replace(table, max_bad_share=1)
    text = f"{header}\na,x,1\nb,y,2\n{second}\n{row}\n{header}\nd,z,4\n"
    shop.write(f"{table.name}.csv", text)
    (result,) = shop.load(table)
    assert quarantined(shop) == [(4, second, OTHER), (5, row, BELOW), (6, header, AGAIN)]
    key = table.primary_key[0]
    assert shop.rows(f"select {key} from raw.{table.name} order by 1") == [("a",), ("b",), ("d",)]
    assert (result.rows_read, result.rows_quarantined) == (6, 3)
    shop.rows("delete from ops.run_lease")
    (done,) = replay({table.name: table}, "again")
    assert (done.loaded, len(done.still_bad)) == (0, 3)


def test_many_rows_below_another_header_refuse_the_file(shop: Shop):
    rows = "".join(f"OH,b{i},1\n" for i in range(50))
    shop.write("places.csv", f"place_id,street,state\na,1,OH\nstate,place_id,street\n{rows}")
    with pytest.raises(SourceError, match=r"51 bad rows of 52;.* line 3: a second header stands"):
        shop.load(PLACES)


def test_a_key_that_is_called_like_a_column_is_a_row(shop: Shop):
    text = "place_id,street,state\nstate,1,OH\nplace_id,2,OH\nstreet,3,OH\n"
    shop.write("places.csv", text)
    (result,) = shop.load(PLACES)
    assert (result.rows_inserted, result.rows_quarantined) == (3, 0)


def test_a_table_of_its_key_alone(shop: Shop):
    table = Table("tags", (Column("tag", "text"),), ("tag",), "delta", max_bad_share=0.5)
    shop.write("tags.csv", "tag\na\nTAG\nb\nheritag\n")
    shop.load(table)
    assert quarantined(shop) == [(3, "TAG", AGAIN)]
    assert shop.rows("select tag from raw.tags order by 1") == [("a",), ("b",), ("heritag",)]


@pytest.mark.parametrize("table", [PLACES, TYPED], ids=["text", "typed"])
def test_stop_refuses_the_file_and_names_the_line(shop: Shop, table):
    header = ",".join(table.column_names)
    shop.write(f"{table.name}.csv", f"{header}\na,x,1\n{header}\nb,x,2\n")
    with pytest.raises(SourceError, match=r"\.csv, line 3: the header stands here again"):
        shop.load(replace(table, on_bad_row="stop"))
