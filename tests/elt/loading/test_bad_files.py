"""Any file at all, on the newest and the oldest Postgres, with Python's csv module as the judge."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from elt.errors import SourceError
from elt.loading.contract import DATA_TYPES, Column, Table

from .conftest import VISITS, Shop, empty

THINGS = Table(
    "things",
    (
        Column("id", "integer"),
        Column("note", "text"),
        Column("amount", "numeric"),
        Column("at", "timestamptz"),
    ),
    primary_key=("id",),
    load="delta",
    max_bad_share=1,
)
WIDTH = len(THINGS.columns)
bounded = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
EDGES = {
    "text": ["x", "é€😀", "a" * 10_000, "\\N", "NULL", "'", "\t"],
    "smallint": ["0", "-32768", "32767", "32768", " 7 ", "1.5", "x"],
    "integer": ["2147483647", "2147483648", "-2147483648", "+5", "0x10", "1e3", "--1"],
    "bigint": ["9223372036854775807", "9223372036854775808", "007"],
    "numeric": ["1.10", "-0", "1e400", "NaN", "Infinity", "1e200000", ".", "1,5", "$5"],
    "boolean": ["t", "TRUE", "yes", "on", "0", "2", "oui"],
    "date": ["2021-02-28", "2021-02-30", "0001-01-01", "4713-01-01 BC", "infinity", "31/12/2021"],
    "time": ["23:59:59.999999", "24:00:00", "24:00:01", "7pm", "noon"],
    "timestamptz": ["2021-02-10T06:00:00Z", "2021-02-10 06:00:00+14", "1e9", "-infinity", "2021"],
    "real": ["1e38", "1e39", "1e-46", "nan", "1.5f"],
    "double precision": ["1e308", "1e309", "-0.0", "inf", "12,5"],
    "jsonb": ['{"a": [1, null]}', "{", '"\\u0000"', "1", "[" * 20_000, "nul"],
    "uuid": ["5c357e7e-2b8d-4a59-ae41-816f8e5f45d6", "{5c357e7e2b8d4a59ae41816f8e5f45d6}", "5c35"],
}
# the server takes them, but nobody exports them
NO_VALUES = {"infinity", "-infinity", "Infinity", "NaN", "nan", "inf", "4713-01-01 BC"}


@pytest.mark.parametrize("data_type", sorted(DATA_TYPES))
def test_edge_values_of_every_type_arrive_or_are_quarantined_as_the_server_judges(
    any_shop: Shop, data_type
):
    values = EDGES[data_type]
    table = Table(
        "edges",
        (Column("id", "integer"), Column("value", data_type)),
        ("id",),
        "delta",
        max_bad_share=1,
    )
    file = io.StringIO()
    csv.writer(file).writerows([("id", "value"), *enumerate(values)])
    any_shop.write("edges.csv", file.getvalue())
    (result,) = any_shop.load(table)
    arrived = dict(any_shop.rows("select id, value::text from raw.edges"))
    bad = [key["id"] for (key,) in any_shop.rows("select row_key from ops.quarantine order by 1")]
    # so deep that even asking whether it is valid is an error
    is_valid = [
        value != "[" * 20_000
        and value not in NO_VALUES
        and any_shop.warehouse.run("select pg_input_is_valid(%s, %s)", [value, data_type])[0][0]
        for value in values
    ]
    assert sorted(arrived) == [place for place, valid in enumerate(is_valid) if valid]
    assert sorted(map(int, bad)) == [place for place, valid in enumerate(is_valid) if not valid]
    for place, text in arrived.items():
        query = f"select cast(%s as {data_type})::text"
        assert any_shop.warehouse.run(query, [values[place]]) == [(text,)]
    assert result.rows_read == result.rows_inserted + result.rows_quarantined == len(values)


@dataclass(frozen=True)
class Row:
    """A row as it is written: its fields, which of them are quoted, and what is broken about it."""

    fields: tuple[str, ...]
    is_quoted: tuple[bool, ...]
    is_latin: bool

    def raw(self) -> bytes:
        cells = [
            '"' + field.replace('"', '""') + '"'
            if always or any(character in field for character in '",\r\n')
            else field
            for field, always in zip(self.fields, self.is_quoted, strict=False)
        ]
        row = ",".join(cells).encode()
        if not self.is_latin:
            return row
        # within the quotes: text after a closing one is another fault, and ends the record there
        is_quoted = row.endswith(b'"')
        return row.removesuffix(b'"') + b"\xe9" + b'"' * is_quoted


notes = st.text(
    st.one_of(
        st.sampled_from(list("\",\n\r\\. 'N;\t\0")),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=10,
) | st.sampled_from(["\n\\.\n", "x" * 100_000, "a,b\n1,2,3,4\n"])
ids = st.sampled_from([*map(str, range(12)), "", "x", "99999999999"])
amounts = st.sampled_from(["1.50", "", "-0", "NaN", "1,5", "x"])
instants = st.sampled_from(["2021-02-10T06:00:00Z", "", "2021-02-30", "noon"])
rows_of_file = st.lists(
    st.builds(
        Row,
        st.tuples(ids, notes, amounts, instants)
        | st.tuples(ids, notes, amounts)
        | st.tuples(ids, notes, amounts, instants, notes)
        | st.tuples(st.just("")),
        st.tuples(*[st.booleans()] * 5),
        st.just(False) | st.just(False) | st.booleans(),
    ),
    max_size=10,
)


def judged(raw: bytes, is_old: bool) -> list[str] | None:
    """Return the fields of a row as Python reads it, or None if no server could take it."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return None
    if "\0" in text or (is_old and re.search(r"(\A|[\r\n])\\\.([\r\n]|\Z)", text)):
        return None
    (fields,) = csv.reader(io.StringIO(text, newline="")) if text else ([],)
    if len(fields) != WIDTH or not re.fullmatch(r"\d{1,9}", fields[0]):
        return None
    if fields[2] in ("1,5", "x", "NaN") or fields[3] in ("2021-02-30", "noon"):
        return None
    return fields


@bounded
@given(
    rows=rows_of_file,
    end=st.sampled_from(["\n", "\r\n"]),
    has_last_end=st.booleans(),
    has_bom=st.booleans(),
    is_first=st.booleans(),
)
def test_every_row_of_any_file_arrives_or_is_quarantined(
    any_shop: Shop, rows, end, has_last_end, has_bom, is_first
):
    empty(any_shop.warehouse)
    for old in any_shop.folder.glob("*/*.csv"):
        old.unlink()
    if not is_first:
        any_shop.write("things/1.csv", "id,note,amount,at\n77,,,\n")
    lines = [row.raw() for row in rows]
    if lines and not lines[-1]:
        has_last_end = True  # or there is no such line
    content = end.encode().join([b"id,note,amount,at", *lines])
    content += end.encode() if has_last_end else b""
    any_shop.write("things/2.csv", (b"\xef\xbb\xbf" if has_bom else b"") + content)

    (version,) = any_shop.rows("select current_setting('server_version_num')::int")[0]
    line = 2
    winners: dict[int, tuple[int, list[str]]] = {}
    bad: list[tuple[int, str]] = []
    for raw in lines:
        fields = judged(raw, version < 180000)
        text = raw.decode("utf-8", "backslashreplace").replace("\0", "\\x00")
        if fields is None:
            bad.append((line, text))
        else:
            if lost := winners.get(int(fields[0])):
                bad.append((lost[0], lost[2]))
            winners[int(fields[0])] = (line, fields, text)
        line += raw.count(b"\n") + 1

    result = any_shop.load(THINGS)[-1]

    arrived = any_shop.rows("select id, note, amount::text, at is null from raw.things order by id")
    assert [row for row in arrived if row[0] != 77] == [
        (key, fields[1] or None, "0" if fields[2] == "-0" else fields[2] or None, not fields[3])
        for key, (_, fields, _) in sorted(winners.items())
    ]
    found = any_shop.rows(
        "select line_number, row_text, reason from ops.quarantine order by line_number"
    )
    assert [row[:2] for row in found] == sorted(bad)
    assert all(reason for _, _, reason in found)
    assert result.rows_read == len(lines)
    assert result.rows_quarantined == len(bad)
    assert result.rows_read == (
        result.rows_inserted + result.rows_updated + result.rows_unchanged + result.rows_quarantined
    )


names = st.sampled_from(["visit_id", "page", "seconds", "colour", " page ", "Page", "", "x\ny"])


@bounded
@given(header=st.lists(names | st.text(max_size=5), max_size=6), row=st.text(max_size=20))
def test_any_header_is_either_understood_or_refused_in_words(any_shop: Shop, header, row):
    empty(any_shop.warehouse)
    file = io.StringIO(newline="")
    # Python leaves a name with "\r" without quotes, and that would be two lines
    quoting = csv.QUOTE_ALL if "\r" in "".join(header) else csv.QUOTE_MINIMAL
    csv.writer(file, lineterminator="\n", quoting=quoting).writerow(header)
    content = (file.getvalue() + row).encode("utf-8", "surrogatepass")
    any_shop.write("visits.csv", content)
    stripped = [name.strip() for name in header if name.strip()]
    is_clear = "visit_id" in stripped and len(stripped) == len(set(stripped))
    refusal = ""
    try:
        any_shop.load(VISITS)
    except SourceError as error:
        refusal = str(error)
    ((status, told),) = any_shop.rows("select status, coalesce(error, '') from ops.load")
    assert told == refusal
    assert status == "failed" if refusal else is_clear and status == "loaded"
    assert refusal.startswith("visits.csv") or not refusal
