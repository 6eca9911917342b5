"""A quote that is closed by chance, rows further on: one text by its quotes, and told."""

from __future__ import annotations

import gzip
from dataclasses import replace

import pytest

from elt.loading.contract import Column, Table

from .conftest import VISITS, Shop

HEADER = "visit_id,page,seconds\n"
NOTES = Table(
    "notes",
    (
        Column("note_id", "text"),
        Column("written_by", "text", is_personal=True),
        Column("words", "text"),
        Column("stars", "integer"),
    ),
    primary_key=("note_id",),
    load="delta",
    max_bad_share=1,
)


def told(shop: Shop) -> list[str]:
    query = "select message from ops.load_warning where kind = 'swallowed_rows'"
    return [message for (message,) in shop.rows(query)]


def many(count: int) -> str:
    return "".join(f"m{number},home,1\n" for number in range(count))


@pytest.mark.parametrize("rows", [0, 1, 300], ids=["neighbours", "one between", "many between"])
@pytest.mark.parametrize("earlier", [True, False], ids=["merge", "first load"])
def test_rows_between_two_quotes_are_told(shop: Shop, rows, earlier):
    if earlier:
        shop.write("visits/1.csv", f"{HEADER}z,home,1\n")
    shop.write("visits/2.csv", f'{HEADER}a,"6 inch,1\n{many(rows)}b,7 inch",2\nc,home,3\n')
    shop.load()
    assert [visit for visit, _, _ in shop.visits() if visit != "z"] == ["a", "c"]
    (message,) = told(shop)
    assert message.startswith(f"visits/2.csv, lines 2 to {rows + 3}: the value of page reads like")
    assert "inch" not in message
    shop.touch("visits/2.csv")
    shop.load()
    assert len(told(shop)) == 1


@pytest.mark.parametrize(
    "broken",
    ['"a,home,1\nb",home,2\n', 'a,",1\nb,home,2\nc,",3\n', 'a,"home,1\r\nb,home,2\r\nc,d",3\n'],
    ids=["in the first column", "alone", "other line ends inside"],
)
@pytest.mark.parametrize("bad", ["", "d,home,five\n"], ids=["clean", "with a bad row"])
@pytest.mark.parametrize("delimiter", [",", ";", "^", "\t"], ids=repr)
def test_they_are_told_in_any_file(shop: Shop, broken, bad, delimiter):
    content = (HEADER + broken + bad + "e,home,4\n").replace(",", delimiter)
    shop.write("visits.csv.gz", gzip.compress(content.encode()))
    shop.load(replace(VISITS, delimiter=delimiter, max_bad_share=1))
    assert len(told(shop)) == 1


def test_several_are_counted_and_no_name_is_shown(shop: Shop):
    rows = 'n1,"Ottoline,fine,5\nn2,Marcus",fine,5\nn3,"Ida,fine,5\nn4,Rose",fine,5\n'
    shop.write("notes.csv", f"note_id,written_by,words,stars\n{rows}")
    shop.load(NOTES)
    (message,) = told(shop)
    assert message.startswith("notes.csv, lines 2 to 3: the value of written_by reads like rows")
    assert message.endswith("So do values of 1 more rows.")
    assert not any(name in message for name in ("Ottoline", "Marcus", "Ida", "Rose"))


@pytest.mark.parametrize(
    "words",
    ["one line, with a comma, or two", "two\nlines", "a, b\nc, d, e, f\ng", "\n", "one,\n\ntwo,"],
)
def test_a_text_over_several_lines_is_no_row(shop: Shop, words):
    shop.write("notes.csv", f'note_id,written_by,words,stars\nn1,Ida,"{words}",5\nn2,Ida,x,4\n')
    shop.load(NOTES)
    assert shop.rows("select words from raw.notes where note_id = 'n1'") == [(words,)]
    assert told(shop) == []
