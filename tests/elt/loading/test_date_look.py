"""The quick look at the dates of a file finds what a careful one finds, however the file is cut."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elt.errors import RefusedFileError
from elt.loading.contract import Column, Table
from elt.loading.files.date_look import DateLook, Watched

TABLE = Table(
    "visits",
    (Column("day", "date"), Column("note", "text"), Column("at", "timestamptz")),
    primary_key=("note",),
    load="delta",
)
NAMES = ["day", "note", "at"]
DAYS = ["", "2021-02-11", "2020-12-31"]
INSTANTS = ["", "2021-02-11 13:15", "2021-02-11T01:15:00Z"]
ODD = ["today", "11-Feb-21", "2021-02-11 IST", "01-02-03", "now"]
NOTES = [
    "",
    "fern",
    "a, b",
    'Tub 6" clay',
    "two\nlines",
    "two\r\nlines",
    "today",
    "11-Feb-21,",
    ",,",
]
ENDS = st.sampled_from(["\n", "\r\n", "\r"])


def written(rows: Iterable[Sequence[str]], end: str, *, is_quoted: bool) -> bytes:
    """Write CSV by RFC 4180; Python's writer leaves a line end of the other kind without quotes."""

    def field(value: str) -> str:
        if is_quoted or re.search('[",\r\n]', value):
            return '"' + value.replace('"', '""') + '"'
        return value

    return "".join(",".join(map(field, row)) + end for row in rows).encode()


def is_refused(data: bytes, size: int) -> bool:
    """Read a file piece by piece, as COPY does."""
    source = io.BytesIO(data)
    watched = Watched(source, DateLook(TABLE, NAMES))
    with contextlib.suppress(RefusedFileError):
        while watched.read(size):
            pass
    assert watched.error is None or watched.error.kind == "form"
    return watched.error is not None


@given(
    rows=st.lists(st.tuples(*map(st.sampled_from, (DAYS, NOTES, INSTANTS))).map(list), max_size=20),
    odd=st.none() | st.tuples(st.integers(0, 19), st.sampled_from([0, 2]), st.sampled_from(ODD)),
    end=ENDS,
    is_quoted=st.booleans(),
    is_cut_short=st.booleans(),
    size=st.integers(8, 200),
)
def test_one_odd_date_is_found_wherever_it_stands(rows, odd, end, is_quoted, is_cut_short, size):
    if odd and odd[0] < len(rows):
        row, place, value = odd
        rows[row][place] = value
    else:
        odd = None
    data = written([NAMES, *rows], end, is_quoted=is_quoted)
    # the first piece holds the header, as a MiB does
    size = max(size, len(",".join(NAMES)) + 20)
    assert is_refused(data.removesuffix(end.encode()) if is_cut_short else data, size) is bool(odd)


@pytest.mark.parametrize("size", range(20, 60))
def test_a_row_is_looked_at_whole_wherever_a_piece_of_the_file_ends(size):
    odd = [("2021-02-11", "two\nlines and more", "today")]
    data = written([NAMES, *odd], "\n", is_quoted=False)
    assert is_refused(data, size)


@pytest.mark.parametrize("null_text", ["", "\\N", "1970-01-01", "01-Jan-70"])
@pytest.mark.parametrize("value", ["2021-02-11", "02-Jan-70", "11-Feb-21"])
def test_what_stands_for_no_value_is_no_odd_one(null_text, value):
    look = DateLook(replace(TABLE, null_text=null_text), NAMES)
    none = written([(null_text, "x", null_text)] * 2, "\n", is_quoted=False)
    assert not look.is_odd(none, b"\n")
    rows = none + written([(value, "x", "")], "\n", is_quoted=False)
    assert look.is_odd(rows, b"\n") is (value != "2021-02-11")


def test_rows_of_another_length_are_left_to_the_server():
    look = DateLook(TABLE, NAMES)
    assert not look.is_odd(b"today\n2021-02-11,x,\n1,2,now,4\n", b"\n")
    assert look.is_odd(b"today\n2021-02-11,x,now\n1,2,3,4\n", b"\n")


def test_a_table_without_dates_is_not_looked_at():
    bare = replace(TABLE, columns=(Column("note", "text"),))
    assert not DateLook(bare, ["note"])
    assert not DateLook(bare, ["note"]).is_odd(b"today\n", b"\n")
