"""Quotes to the letter of RFC 4180, with a parser of the test's own as the judge."""

from __future__ import annotations

import csv
import gzip
import io
import re
import time
from dataclasses import replace
from unittest import mock

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from elt.errors import SourceError
from elt.loading import staging_table
from elt.loading.contract import Column, Table
from elt.loading.files import copy_in_chunks, csv_records, stream
from elt.loading.files.quoting import Grammar, QuoteCheck
from elt.loading.quarantine.replay import replay

from .conftest import VISITS, Shop, empty

HEADER = "visit_id,page,seconds\n"
GOOD = "good1,home,1\ngood2,home,2\n"
LOOSE = replace(VISITS, max_bad_share=1)
NOTES = Table(
    "notes",
    (Column("place", "integer"), Column("a", "text"), Column("b", "text")),
    primary_key=("place",),
    load="delta",
    max_bad_share=1,
)
INSIDE = (
    'a quote stands inside a field that is not quoted: write it as "" and put the field into quotes'
)
AFTER = 'text stands after a closing quote: write a quote inside a field as ""'
BACKSLASH = 'a backslash stands before a quote: write a quote inside a field as ""'
BLANK_AFTER = "a blank stands between a closing quote and the delimiter: take it away"
NEVER = "a quote opens here and is never closed"


def quarantined(shop: Shop) -> list[tuple]:
    return shop.rows("select line_number, row_text, reason from ops.quarantine order by 1")


def strict(text: str, delimiter: str = ",") -> list[tuple[int, str, list[str] | None]]:
    """Read text by RFC 4180, letter by letter: the line, the text and the fields of each record.

    A record that breaks it has no fields, and ends with the line of the field that does.
    """
    found, start = [], 0
    while start < len(text):
        fields, at, is_right = [], start, True
        while True:
            begin = at
            if text[at : at + 1] == '"':
                value, at = "", at + 1
                while at < len(text) and (text[at] != '"' or text[at + 1 : at + 2] == '"'):
                    value += text[at]
                    at += 2 if text[at] == '"' else 1
                is_right = at < len(text)
                at += 1
            else:
                while at < len(text) and text[at] not in delimiter + '\n"':
                    at += 1
                value = text[begin:at]
            is_right = is_right and (at >= len(text) or text[at] in delimiter + "\n")
            fields.append(value)
            if not is_right or at >= len(text) or text[at] == "\n":
                break
            at += 1
        if not is_right:
            at = text.find("\n", begin) if "\n" in text[begin:] else len(text)
        line = text.count("\n", 0, start) + 1
        found.append((line, text[start:at], fields if is_right else None))
        start = at + 1
    return found


pieces = st.text(st.sampled_from(list('a1",\n\\ =')), max_size=6)
bounded = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@st.composite
def mutated(draw) -> str:
    """A file as Python writes it, with a few characters put in or taken out anywhere."""
    rows = draw(st.lists(st.tuples(pieces, pieces), min_size=1, max_size=8))
    file = io.StringIO(newline="")
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    lines = [(place, *row) for place, row in enumerate(rows)]
    csv.writer(file, lineterminator="\n", quoting=quoting).writerows(lines)
    text = file.getvalue()
    for _ in range(draw(st.integers(0, 3))):
        # mostly beside a letter: a doubled quote there is one that the server takes
        letters = [found.end() for found in re.finditer("[a1]", text)] or [0]
        place = draw(st.sampled_from(letters) | st.integers(0, len(text)))
        new = draw(st.sampled_from(['"', '""', "", '\\"', "\n", ' "']))
        text = text[:place] + new + text[place + (not new) :]
    return text


@bounded
@example(body='0,6" a,b\n1,a,b\n2,7" a,b\n3,a,b\n', size=200)
@example(body='0,a"",b\n1,"a",b\n', size=9)
@given(body=mutated(), size=st.integers(5, 200))
def test_any_file_is_read_to_the_letter_and_nothing_of_it_is_lost(shop: Shop, body, size):
    empty(shop.warehouse)
    rows, bad = {}, []
    for line, text, fields in strict(body):
        if fields is None or len(fields) != 3 or not re.fullmatch(r"\s*[0-9]+\s*", fields[0]):
            bad.append((line + 1, text))
            continue
        key = int(fields[0])
        if key in rows:
            bad.append(rows[key][:2])
        rows[key] = (line + 1, text, fields[1] or None, fields[2] or None)
    shop.write("notes.csv", "place,a,b\n" + body)
    with (
        mock.patch.object(staging_table, "CHUNK_BYTES", size),
        mock.patch.object(copy_in_chunks, "PART_BYTES", size),
        mock.patch.object(csv_records, "CHUNK_BYTES", size),
        mock.patch.object(stream, "CHUNK_BYTES", max(size, 10)),
    ):
        (result,) = shop.load(NOTES)
    arrived = shop.rows("select place, a, b from raw.notes order by place")
    assert arrived == [(key, *rows[key][2:]) for key in sorted(rows)]
    assert sorted(row[:2] for row in quarantined(shop)) == sorted(bad)
    assert result.rows_read == len(rows) + len(bad)


@settings(max_examples=300, deadline=None)
@given(
    text=st.text(st.sampled_from(list('a;"\n')), max_size=16),
    sizes=st.lists(st.integers(1, 5), min_size=1),
)
def test_the_check_and_the_cuts_agree_with_the_parser_wherever_pieces_end(text, sizes):
    data, check, is_right, place = text.encode(), QuoteCheck(b";"), True, 0
    while place < len(data):
        size = sizes[place % len(sizes)]
        is_right = check.accepts(data[place : place + size]) and is_right
        place += size
    expected = strict(text, ";")
    assert (is_right and not check.is_open) == all(fields is not None for _, _, fields in expected)
    start, cut = 0, []
    for stop, broken in Grammar(b";", b"\n").cuts(data):
        cut.append((data[start:stop].decode().removesuffix("\n"), broken < 0))
        start = stop
    assert cut == [(text, fields is not None) for _, text, fields in expected]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        pytest.param('b,Tub 6" clay,5', INSIDE, id="inch"),
        pytest.param('b,Tub 6" x 6" clay,5', INSIDE, id="two inches"),
        pytest.param('b,x""y,5', INSIDE, id="doubled but not quoted"),
        pytest.param('b,"ho"me,5', AFTER, id="text after"),
        pytest.param('b,"ho"me",5', AFTER, id="text and a quote after"),
        pytest.param('b,"The \\"big\\" fern",5', BACKSLASH, id="backslash"),
        pytest.param('b,"The \\"red, tall\\" one",5', BACKSLASH, id="backslash and a comma"),
        pytest.param('b,"\\"",5', BACKSLASH, id="backslash alone"),
        pytest.param(
            'b,="02134",5',
            'a quote after = (="…", as Excel writes it): export the plain value',
            id="excel",
        ),
        pytest.param(
            'b, "home",5',
            "a blank stands between the delimiter and a quote: take it away",
            id="blank before",
        ),
        pytest.param(
            'b,"home" ,5',
            BLANK_AFTER,
            id="blank after",
        ),
        pytest.param('b,"home,5', NEVER, id="never closed"),
        pytest.param('b,home,"', NEVER, id="at the end"),
        pytest.param('"', NEVER, id="a quote alone"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
def test_a_row_that_breaks_the_rule_waits_with_its_line_and_the_rows_after_it_load(
    shop: Shop, row, reason, end
):
    again = row.replace("b", "c", 1) if "b" in row else row
    # twice, so that the server would pair the quotes
    text = f'{HEADER}{row}\ngood1,"two\nlines",1\n{again}\ngood2,"say ""hi""",2'
    shop.write("visits.csv", text.replace("\n", end))
    (result,) = shop.load(LOOSE)
    assert quarantined(shop) == [(2, row, reason), (5, again, reason)]
    assert shop.visits() == [("good1", f"two{end}lines", 1), ("good2", 'say "hi"', 2)]
    assert (result.rows_read, result.rows_quarantined) == (4, 2)


@pytest.mark.parametrize("name", ["visits.csv", "visits.csv.gz"])
@pytest.mark.parametrize("places", [(5, 400), (5, 400, 150_000)], ids=["paired", "odd"])
def test_inch_marks_far_from_each_other_take_no_row_between_them(shop: Shop, name, places):
    rows = [f"{i:06},Tub {i} clay,{i}\n" for i in range(200_000)]
    for place in places:
        rows[place] = f'{place:06},Tub {place}" clay,{place}\n'
    content = ("\ufeff" + HEADER + "".join(rows)).encode()
    shop.write(name, gzip.compress(content, 1) if name.endswith("gz") else content)
    (result,) = shop.load()
    bad = len(places)
    assert (result.rows_inserted, result.rows_quarantined) == (200_000 - bad, bad)
    assert [row[0] for row in quarantined(shop)] == [place + 2 for place in places]
    keys = shop.rows("select row_key ->> 'visit_id' from ops.quarantine order by 1")
    assert keys == [(f"{place:06}",) for place in places]


def test_a_snapshot_with_broken_quotes_deletes_nothing(shop: Shop):
    parts = Table("parts", (Column("id", "text"), Column("name", "text")), ("id",), "full_snapshot")
    good = "".join(f"p{i},Tub {i}\n" for i in range(400))
    shop.write("parts/1.csv", "id,name\n" + good)
    broken = good.replace("Tub 5\n", 'Tub 5"\n').replace("Tub 305\n", 'Tub 305"\n')
    shop.write("parts/2.csv", "id,name\n" + broken)
    result = shop.load(parts)[-1]
    assert (result.rows_quarantined, result.rows_deleted, result.rows_unchanged) == (2, 0, 398)
    assert shop.rows("select count(*) from raw.parts where _deleted_at is null") == [(400,)]


def test_one_row_too_many_refuses_the_file_and_stop_names_the_first(shop: Shop):
    shop.write("visits.csv", HEADER + 'a,6" pot,1\n' + GOOD + 'b,5" pot,1\n')
    with pytest.raises(SourceError, match=r"2 bad rows of 4.*line 2: a quote stands inside"):
        shop.load()
    with pytest.raises(SourceError, match=r"^visits\.csv, line 2: a quote stands inside"):
        shop.load(replace(VISITS, on_bad_row="stop"))


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ('visit_id,pa"ge,seconds', r"header \(line 1\) that is not valid CSV: a quote stands ins"),
        ('"visit_id,page,seconds', r"header \(line 1\) that is not valid CSV: a quote opens here"),
    ],
)
def test_a_header_that_breaks_the_rule_is_refused(shop: Shop, header, words):
    shop.write("visits.csv", f'{header}\na,home,1\nb,"home",1\n')
    with pytest.raises(SourceError, match=words):
        shop.load()


def test_a_quoted_header_is_read(shop: Shop):
    shop.write("visits.csv", '"visit_id","page","the ""third""",seconds\na,home,,1\n')
    shop.load()
    assert shop.visits() == [("a", "home", 1)]
    assert shop.rows("select detail from ops.load_warning") == [('the "third"',)]


def test_a_mended_row_is_replayed_and_one_that_is_not_waits_on(shop: Shop):
    shop.rows("delete from ops.run_lease")
    shop.write("visits.csv", HEADER + 'a,6" pot,1\nb,"5" pot,2\n' + GOOD)
    shop.load(LOOSE)
    shop.rows("""update ops.quarantine set row_text = 'a,"6"" pot",1' where line_number = 2""")
    (done,) = replay({"visits": LOOSE}, "again")
    assert (done.loaded, done.still_bad) == (1, (f"line 3: {BLANK_AFTER}",))
    assert shop.visits()[0] == ("a", '6" pot', 1)


def test_a_forgotten_person_is_not_kept_in_a_row_with_broken_quotes(shop: Shop):
    shop.warehouse.run(
        "insert into ops.erased (table_name, column_name, value_sha256) values "
        "('visits', 'page', encode(sha256('me@example.com'), 'hex'))"
    )
    shop.write("visits.csv", HEADER + 'a,"x" me@example.com,1\nb"x",me@example.com,1\n' + GOOD)
    (result,) = shop.load(LOOSE)
    assert quarantined(shop) == []
    assert (result.rows_read, result.rows_unchanged) == (4, 2)


@pytest.mark.parametrize(
    "line", ['"', '"\n', 'a,"b\n', '""\n', '"""\n', '",\n', '"a\n""\n""\n'], ids=repr
)
def test_the_work_is_linear_in_the_bytes_of_any_file(line):
    data = (line * (1 << 21))[: 2 << 20].encode()
    began = time.process_time()
    assert sum(1 for _ in Grammar(b",", b"\n").cuts(data))
    QuoteCheck().accepts(data)
    # 1 s or less; if each line looked at all the others, hours
    assert time.process_time() - began < 30
