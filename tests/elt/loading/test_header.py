"""Headers as they really come: in other case, with blanks, below a line of sep=, misspelt."""

from __future__ import annotations

import gzip
import logging
from dataclasses import replace

import pytest

from elt.errors import SourceError

from .conftest import PEOPLE, VISITS, Shop

LOOSE = replace(VISITS, max_bad_share=1)


def warnings(shop: Shop) -> list[tuple]:
    return shop.rows("select kind, detail from ops.load_warning order by warning_id")


@pytest.mark.parametrize(
    "header",
    ["VISIT_ID,Page,Seconds", "visit_id, page ,\tseconds", 'Visit ID," PAGE","Seconds "'],
)
@pytest.mark.parametrize("bad", ["", "b,home,x\n"], ids=["clean", "with a bad row"])
def test_case_and_blanks_of_a_header_do_not_matter_and_are_told_once(
    shop: Shop, header, bad, caplog
):
    for number in range(2):
        shop.write(f"visits/{number}.csv", f"{header}\na{number},home,{number}\n{bad}")
    with caplog.at_level(logging.WARNING, "elt.loading"):
        shop.load(LOOSE)
    assert shop.visits() == [("a0", "home", 0), ("a1", "home", 1)]
    kinds = [kind for kind, _ in warnings(shop)]
    assert set(kinds) == {"loose_column"}
    told = [r.getMessage() for r in caplog.records if "is loaded: names" in r.getMessage().lower()]
    assert len(told) == len(kinds)
    assert told[0].startswith("visits/0.csv calls the column ")
    columns = shop.rows("select distinct source_columns from ops.load")
    assert columns == [(["visit_id", "page", "seconds"],)]
    if bad:
        keys = shop.rows("select row_key, column_name from ops.quarantine")
        assert keys == [({"visit_id": "b"}, "seconds")] * 2


def test_the_message_of_a_refused_value_knows_the_column_too(shop: Shop):
    shop.write("visits.csv", "Visit_ID,Page,SECONDS\na,home,five\n")
    with pytest.raises(SourceError, match=r"line 2, column seconds: the value .* is not"):
        shop.load(replace(VISITS, on_bad_row="stop"))


@pytest.mark.parametrize("header", ["visit_id,page,Page", "visit_id,Page, page,seconds"])
def test_two_names_for_one_column_are_refused(shop: Shop, header):
    shop.write("visits.csv", f"{header}\n")
    with pytest.raises(SourceError, match=r"the column `page` twice.*case and blanks alone"):
        shop.load()


def test_a_near_miss_is_asked_about(shop: Shop, caplog):
    shop.write("visits.csv", "visit_id,page,secondes,colour\na,home,5,red\n")
    with caplog.at_level(logging.WARNING, "elt.loading"):
        shop.load()
    assert "does not: secondes. Did you mean `seconds`?" in caplog.text
    assert "does not: colour. It is ignored" in caplog.text


def test_a_near_miss_of_the_key_is_asked_about_without_the_files_own_words(shop: Shop):
    shop.write("visits.csv", "page,visitid,seconds\n")
    asked = r"key\. Did you mean `visit_id` by column 2\? Noth"
    with pytest.raises(SourceError, match=asked) as caught:
        shop.load()
    assert "visitid" not in str(caught.value)


@pytest.mark.parametrize(
    ("above", "line"),
    [("Visits of February\n", 2), ("\n\n", 3), ('# made by hand\n"a, b",2\n\n', 4)],
    ids=["title", "blank", "notes"],
)
def test_lines_above_the_header_are_told(shop: Shop, above, line):
    shop.write("visits.csv", above + "visit_id,page,seconds\na,home,5\n")
    with pytest.raises(SourceError, match=f"The header stands on line {line}: take away"):
        shop.load()


@pytest.mark.parametrize("row", ["ann,home,5", "ann@example.com,x,y"])
def test_a_file_without_a_header_is_told_without_its_values(shop: Shop, row):
    shop.write("visits.csv", f"{row}\nb,home,6\n")
    with pytest.raises(SourceError, match="Is the first line a row") as caught:
        shop.load()
    assert "ann" not in str(caught.value)


SEP_LINES = ["sep=,", "SEP=,", '"sep=,"', "sep=,,,", "sep=;"]


@pytest.mark.parametrize("sep", SEP_LINES)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
def test_a_line_that_names_the_delimiter_is_skipped_and_counted(shop: Shop, sep, end):
    text = f'{sep}\nvisit_id,page,seconds\na,home,1\nb,"x\ny",x\nc,6" pot,1\n'
    shop.write("visits.csv", ("\ufeff" + text).replace("\n", end))
    shop.load(LOOSE)
    assert shop.visits() == [("a", "home", 1)]
    assert shop.rows("select line_number from ops.quarantine order by 1") == [(4,), (6,)]
    shop.write("visits.csv", text.replace('6" pot', "pot").replace("\n", end))
    with pytest.raises(SourceError, match=r"lines 4 to 5, column seconds: the value "):
        shop.load(replace(VISITS, on_bad_row="stop"))


def test_of_a_key_that_is_there_twice_both_lines_are_true_below_such_a_line(shop: Shop):
    text = "sep=,\nvisit_id,page,seconds\na,home,1\na,home,2\n"
    shop.write("visits.csv.gz", gzip.compress(text.encode()))
    shop.load(LOOSE)
    assert shop.rows("select line_number, reason from ops.quarantine") == [
        (3, "the key (visit_id) is there again on line 4, and that row is loaded")
    ]


@pytest.mark.parametrize(
    ("delimiter", "told"), [(";", '";"'), ("\t", r'"\\t"'), ("|", r'"\|"')], ids=["; ", "tab", "|"]
)
@pytest.mark.parametrize("sep", [True, False], ids=["sep", "plain"])
def test_another_delimiter_is_told_with_the_key_that_takes_it(shop: Shop, delimiter, told, sep):
    header = delimiter.join(["visit_id", "page, or screen", "seconds"])
    shop.write("visits.csv", (f"sep={delimiter}\n" if sep else "") + f"{header}\n")
    with pytest.raises(SourceError, match=f"Set `delimiter: {told}` in the contract"):
        shop.load()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("visit_id,page\n".encode("utf-16"), "set `encoding: utf-16` in the contract"),
        ("visit_id,page\n".encode("utf-16-le"), "set `encoding: utf-16-le` in the contract"),
        ("visit_id,page\n".encode("utf-16-be"), "set `encoding: utf-16-be` in the contract"),
        (b"visit_id,caf\xe9\n", "set `encoding` in the contract .*, such as cp1252"),
        (b"visit_id,page\n" + b"a,caf\xe9\n" * 9, "set `encoding` in the contract"),
    ],
)
def test_another_encoding_is_told_with_the_key_that_takes_it(shop: Shop, content, words):
    shop.write("visits.csv", content)
    with pytest.raises(SourceError, match=words):
        shop.load()


def test_the_first_line_of_a_file_without_a_header_is_nobodys_business(shop: Shop):
    shop.write("people.csv", "SEP=;\np1,plant4711lover,persn_id,2021-02-01\n")
    with pytest.raises(SourceError) as caught:
        shop.load(PEOPLE)
    assert "4711" not in str(caught.value)
    assert "persn_id" not in str(caught.value)
