"""Every file that can't be loaded says where it is wrong and what to do, and keeps secrets."""

from __future__ import annotations

import gzip
import os
from dataclasses import replace

import pytest

from elt.errors import SourceError

from .conftest import PEOPLE, STRICT, Shop

HEADER = "visit_id,page,seconds\n"
STRICT_PEOPLE = replace(PEOPLE, on_bad_row="stop")
END = r"Nothing of this file was loaded\. Mend it and run again\.$"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param("", r"is empty: 0 bytes, expected at least a header\.", id="zero bytes"),
        pytest.param(
            "page,seconds\na,1\n",
            r"lacks the column `visit_id` in its header \(line 1\); .* part of its key\.",
            id="no key column",
        ),
        pytest.param(
            "visit_id,page,seconds,page\n", "has the column `page` twice", id="column twice"
        ),
        pytest.param("visit_id;page;seconds\n", "parted by semicolons", id="semicolons"),
        pytest.param(
            "visit_id^page^seconds\n", r'parted by `\^`; .* "\^"`', id="another character"
        ),
        pytest.param('[{"visit_id": 1}]', "looks like JSON", id="json"),
        pytest.param("<!doctype html><html>", "looks like HTML", id="html"),
        pytest.param(b"\x89PNG\r\n\x1a\n\0\0\0", "looks like a binary file", id="binary"),
        pytest.param(gzip.compress(b"visit_id"), "looks like gzip", id="gzip without its name"),
        pytest.param(HEADER.encode("utf-16"), "looks like UTF-16", id="utf-16"),
        pytest.param(
            HEADER + "a,home,5\nb,home,five\n",
            r", line 3, column seconds: the value ••• is not a valid integer\.",
            id="type",
        ),
        pytest.param(
            HEADER + "a,home,5.5\n", r"seconds: the value '5\.5' is not a valid", id="fraction"
        ),
        pytest.param(
            # the fields have moved by one, and what stands here now is a person's
            HEADER + "a,home,686 Waxwing Pass\n",
            r"seconds: the value ••• is not",
            id="shifted",
        ),
        pytest.param(
            HEADER + "a,home,99999999999\n", r"line 2, column seconds: .* integer", id="range"
        ),
        pytest.param(
            HEADER + "a,home\n", r"line 2: has 2 fields, the header has 3\.", id="too few"
        ),
        pytest.param(
            HEADER + "a,home,x\nb,home\n", r"line 2, column seconds: the value •••", id="first one"
        ),
        pytest.param(HEADER + "a,b,c,d\n", r"line 2: has 4 fields", id="too many"),
        pytest.param(
            HEADER + "a,home,5\n\nb,home,5\n",
            r"line 3: the line is empty, expected 3 fields",
            id="empty line",
        ),
        pytest.param(
            HEADER + 'a,home,5\nb,"home,5\nc,home,6\nd,home,7\n',
            r"line 3: a quote opens here and is never closed\.",
            id="open quote",
        ),
        pytest.param(
            HEADER + 'a,5" pot,5\nb,home,5\nc,5" pot,1,\n',
            r"line 2: a quote stands inside a field that is not quoted: write it as \"\" and put",
            id="stray quotes",
        ),
        pytest.param(
            HEADER + 'a,"home,5\nb,home",5,\nc,home,1\n',
            r"lines 2 to 3: has 4 fields, the header has 3\. Is a quote missing\?",
            id="a quote moved",
        ),
        pytest.param(
            HEADER + "a,home,5\r\n", r"line 2: the line ends in another way", id="mixed line ends"
        ),
        pytest.param(
            HEADER.encode() + b"a,home,5\nb,caf\xe9,5\n",
            r"line 3: the text is not UTF-8",
            id="latin",
        ),
        pytest.param(HEADER + "a,ho\0me,5\n", r"line 2: .*zero byte", id="zero byte"),
        pytest.param(
            HEADER + "a,home,5\n,home,5\n",
            r"line 3, column visit_id: is empty, but it is part of the key",
            id="null key",
        ),
        pytest.param(
            HEADER + '"",home,5\n', r"line 2, column visit_id: is empty", id="quoted null"
        ),
        pytest.param(
            HEADER + 'a,"two\nlines",5\nb,home,5\na,shop,6\n',
            r"line 2: the key \(`visit_id`\) of this row is there and again on line 5",
            id="key twice",
        ),
    ],
)
def test_a_bad_file_is_refused_with_its_place(shop: Shop, content, words):
    shop.write("visits.csv", content)
    with pytest.raises(SourceError, match=rf"^visits\.csv.*{words}.*{END}"):
        shop.load(STRICT)
    assert shop.rows("select to_regclass('raw.visits')") == [(None,)]
    assert shop.rows("select status from ops.load") == [("failed",)]


def test_a_key_that_is_there_twice_is_found_in_a_later_file_too(shop: Shop):
    shop.write("visits/1.csv", HEADER + "a,home,5\n")
    shop.write("visits/2.csv", HEADER + "a,home,5\nb,home,5\na,home,6\n")
    with pytest.raises(SourceError, match=r"2\.csv, line 2: the key .* again on line 4"):
        shop.load(STRICT)


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("inner", ["\n", "\r\n", "\r"], ids=["lf in", "crlf in", "cr in"])
@pytest.mark.parametrize("header", ["pagex", '"pa{}ge"'], ids=["plain", "line end in header"])
def test_a_line_number_is_that_of_an_editor(shop: Shop, end, inner, header):
    extra = header.format(inner)
    rows = [
        f"visit_id,page,seconds,{extra}",
        f'a,"one{inner}two{inner}{inner}",1,',
        f'b,"{inner}",2,',
        "c,home,x,",
        f'd,"{inner}",2,',
    ]
    shop.write("visits.csv", end.join(rows) + end)
    before = end.join(rows[:3]) + end
    # a lone CR inside quotes starts no line for an editor that counts LF
    line = before.count("\n") + 1
    with pytest.raises(SourceError, match=rf"visits\.csv, line {line}, column seconds: .*•••"):
        shop.load(STRICT)


def test_a_bad_value_in_a_row_of_several_lines_names_all_of_them(shop: Shop):
    shop.write("visits.csv", HEADER + 'a,home,5\nb,"x\ny",z\n')
    with pytest.raises(SourceError, match=r"lines 3 to 4, column seconds: the value •••"):
        shop.load(STRICT)


def test_a_line_far_into_a_big_file_is_found(shop: Shop):
    rows = "".join(f'{i},"page\n{i}",{i}\n' for i in range(60_000))
    shop.write("visits.csv.gz", gzip.compress((HEADER + rows + "z,home,x\n").encode(), 1))
    with pytest.raises(SourceError, match=r"visits\.csv\.gz, line 120002, column seconds"):
        shop.load(STRICT)


@pytest.mark.parametrize("cut", [5, 40, -4], ids=["header", "middle", "checksum"])
def test_a_truncated_gz_is_refused(shop: Shop, cut):
    whole = gzip.compress(HEADER.encode() + os.urandom(300).hex().encode(), mtime=0)
    shop.write("visits.csv.gz", whole[:cut])
    with pytest.raises(SourceError, match=r"^visits\.csv\.gz is damaged or cut short.*Deliver"):
        shop.load(STRICT)
    assert shop.rows("select to_regclass('raw.visits')") == [(None,)]


def test_a_long_value_is_cut(shop: Shop):
    shop.write("visits.csv", HEADER + f"a,home,0.{'0' * 500}\n")
    with pytest.raises(SourceError, match=r"'0\.0{58}…'"):
        shop.load(STRICT)


def test_a_key_too_long_for_an_index_is_the_files_fault(shop: Shop):
    shop.write("visits.csv", HEADER + os.urandom(5000).hex() + ",home,1\n")
    with pytest.raises(SourceError, match="larger than the server can take"):
        shop.load(STRICT)


SECRET = "plant4711lover"
PEOPLE_HEADER = "person_id,email,age,updated_at\n"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(f"{PEOPLE_HEADER}a,x,{SECRET},2021-02-01\n", id="type of a personal column"),
        pytest.param(f"{PEOPLE_HEADER}a,{SECRET},1,2021-02-01,x\n", id="too many fields"),
        pytest.param(f"{PEOPLE_HEADER}a,{SECRET},1\n", id="too few fields"),
        pytest.param(f"{PEOPLE_HEADER}a,x,1,{SECRET},2021-02-01\n", id="shifted to the right"),
        pytest.param(f"{PEOPLE_HEADER}a,1,{SECRET}\n", id="shifted to the left"),
        pytest.param(f"{PEOPLE_HEADER}a,{SECRET},1,noon\n", id="neighbour"),
        pytest.param(f'{PEOPLE_HEADER}a,"{SECRET},1,2021-02-01\n', id="open quote"),
        pytest.param(f"{PEOPLE_HEADER}a,{SECRET}\0,1,2021-02-01\n", id="zero byte"),
        pytest.param(f"{PEOPLE_HEADER},{SECRET},1,2021-02-01\n", id="null key"),
        pytest.param(
            f"{PEOPLE_HEADER}a,{SECRET},1,2021-02-01\na,{SECRET},2,2021-02-01\n", id="key twice"
        ),
        pytest.param(f"a,{SECRET},1,2021-02-01\n", id="no header"),
        pytest.param(f"{SECRET},{SECRET},1,2021-02-01\n", id="no header, same value twice"),
        pytest.param(f"{SECRET}\n", id="no csv"),
    ],
)
def test_personal_data_gets_into_no_error_and_no_log(shop: Shop, caplog, content):
    shop.write("people.csv", content)
    with caplog.at_level("DEBUG"), pytest.raises(SourceError) as caught:
        shop.load(STRICT_PEOPLE)
    error: BaseException | None = caught.value
    assert str(error).startswith("people.csv")
    while error is not None:
        assert SECRET not in f"{error} {error!r} {error.args} {vars(error)}"
        assert type(error).__module__.startswith("elt.")
        error = error.__cause__ or error.__context__
    assert SECRET not in caplog.text
    assert SECRET not in str(shop.rows("select * from ops.load"))


def test_the_value_of_a_column_that_is_not_personal_is_shown(shop: Shop):
    shop.write("people.csv", f"{PEOPLE_HEADER}a,x,1,noonish\n")
    with pytest.raises(SourceError, match="column updated_at: the value ••• is not a valid"):
        shop.load(STRICT_PEOPLE)


def test_what_the_merge_itself_trips_over_is_told_without_data(shop: Shop):
    shop.write("visits/1.csv", HEADER + "a,home,1\n")
    shop.load(STRICT)
    shop.warehouse.run("alter table raw.visits add check (page <> 'shop')")
    shop.write("visits/2.csv", HEADER + "b,shop,1\n")
    with pytest.raises(SourceError, match=r"^visits/2\.csv.*Mend it") as caught:
        shop.load(STRICT)
    assert "shop" not in str(caught.value)
    assert caught.value.__context__ is None
