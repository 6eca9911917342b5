"""Files that are made to cost much: refused in words, or read in time linear in their bytes."""

from __future__ import annotations

import contextlib
import gzip
import io
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta

import pytest

from elt.errors import RefusedFileError, SourceError
from elt.loading.contract import Column, Table
from elt.loading.files import copy_in_chunks, csv_records, quoting, stream
from elt.loading.files import copy_in_chunks as slow
from elt.loading.files.quoting import RECORD_BYTES
from elt.loading.files.stream import CHUNK_BYTES, Stream
from elt.loading.load_context import Clock
from elt.loading.quarantine import validate_rows
from elt.loading.sources_yaml import ContractError, read_contracts

from .conftest import NOW, STRICT, VISITS, Shop

HEADER = "visit_id,page,seconds\n"
GOOD = "good1,home,1\n"
MIB = 1 << 20
LOOSE = replace(VISITS, max_bad_share=1)


class Endless(io.RawIOBase):
    """A header, and then so many bytes of one pattern, as a sparse file has them."""

    def __init__(self, start: bytes, pattern: bytes, size: int) -> None:
        self._start = start
        self._piece = pattern * (CHUNK_BYTES // len(pattern))
        self._left = size
        self.was_read = 0

    def read(self, size: int = -1, /) -> bytes:
        if self._start:
            data, self._start = self._start, b""
        else:
            data = self._piece[: min(size, self._left)]
            self._left -= len(data)
        self.was_read += len(data)
        return data


def drain(pieces: Iterable[object]) -> None:
    for _ in pieces:
        pass


def failures(shop: Shop) -> list[tuple]:
    return shop.rows("select source_file, status, error from ops.load where status = 'failed'")


def refusal(shop: Shop, table: Table = VISITS, **changes) -> str:
    """Return the words in which the one file is refused, which ``ops.load`` has too."""
    with pytest.raises(SourceError) as caught:
        shop.load(table, **changes)
    assert [row[2] for row in failures(shop)] == [str(caught.value)]
    assert shop.rows("select count(*) from ops.load where status <> 'failed'") == [(0,)]
    return str(caught.value)


@pytest.mark.parametrize("table", [VISITS, LOOSE, STRICT], ids=["usual", "loose", "stop"])
@pytest.mark.parametrize(
    "pattern", ["x", '"', '""\n', '",', ',"', "\n", ",", "\0", '"\n', "a,b,c\n"], ids=repr
)
def test_what_unpacks_to_far_more_than_it_is_is_refused_in_words(
    shop: Shop, monkeypatch, pattern, table
):
    monkeypatch.setattr(stream, "FREE_BYTES", 2 * MIB)
    data = HEADER + pattern * (6 * MIB // len(pattern))
    shop.write("visits.csv.gz", gzip.compress(data.encode(), 9))
    message = refusal(shop, table)
    assert message.startswith("visits.csv.gz unpacks to more than 200 times its size: ")
    assert "raise `max_unpacked_ratio` in the contract" in message


def test_the_contract_takes_what_is_packed_well(shop: Shop, monkeypatch):
    monkeypatch.setattr(stream, "FREE_BYTES", 2 * MIB)
    rows = "".join(f"{i:06},{'home' * 20},1\n" for i in range(40_000))
    shop.write("visits.csv.gz", gzip.compress((HEADER + rows).encode(), 9))
    assert "more than 5 times" in refusal(shop, replace(VISITS, max_unpacked_ratio=5))
    assert shop.load(replace(VISITS, max_unpacked_ratio=500))[0].rows_inserted == 40_000


def test_a_small_file_may_be_packed_as_well_as_it_can_be(shop: Shop):
    content = HEADER + GOOD + f'b,"{" " * 8 * MIB}",1\n'
    shop.write("visits.csv.gz", gzip.compress(content.encode(), 9))
    assert shop.load(replace(VISITS, change_key=()))[0].rows_inserted == 2


@pytest.mark.parametrize("table", [VISITS, LOOSE, STRICT], ids=["usual", "loose", "stop"])
@pytest.mark.parametrize("is_packed", [False, True], ids=["plain", "gz"])
@pytest.mark.parametrize(
    ("before", "row"),
    [
        ("", "b,{},1\n"),
        ("", 'b,"{}",1\n'),
        ("", 'b,"{}'),
        ("", "b,{}"),
        ('bad"row,,1\n', "b,{},1\n"),
        ("bad,row,x\n", "b,{},1\n"),
        ('bad"row,,1\n', 'b,"{}",1\n'),
    ],
)
def test_a_row_is_not_longer_than_64_mib_in_whichever_way_it_is_loaded(
    shop: Shop, monkeypatch, before, row, is_packed, table
):
    # 64 MiB in small
    for module in (quoting, csv_records):
        monkeypatch.setattr(module, "RECORD_BYTES", 3 * MIB)
    if not before.endswith("x\n"):
        content = HEADER + GOOD + before + row.format("z\n"[: 1 + ('"' in row)] * 2 * MIB)
    else:
        content = HEADER + GOOD + before + row.format("zzzz" * MIB)
    if len(content) < 3 * MIB:
        content = content.replace("z", "zz")
    name = "visits.csv.gz" if is_packed else "visits.csv"
    shop.write(name, gzip.compress(content.encode(), 1) if is_packed else content)
    message = refusal(shop, table)
    if table is not STRICT or not before:
        line = 4 if before else 3
        assert f"{name} has a row of more than 3 MiB on line {line}, " in message


def test_a_row_of_a_little_less_is_loaded(shop: Shop, monkeypatch):
    for module in (quoting, csv_records):
        monkeypatch.setattr(module, "RECORD_BYTES", 3 * MIB)
    long = f'b,"{"z" * (3 * MIB - 10)}",1\n'
    shop.write("visits.csv", HEADER + long + GOOD + long.replace("b", "c", 1))
    assert shop.load(replace(VISITS, change_key=()))[0].rows_inserted == 3


@pytest.mark.parametrize("pattern", [b"x", b'"', b"\0", b'""', b'",', b"'"], ids=repr)
@pytest.mark.parametrize("start", [b"id,a\n", b'id,a\n1,"'])
def test_a_line_of_3_gb_is_refused_after_64_mib(start, pattern):
    raw = Endless(start, pattern, 3 << 30)
    began = time.process_time()
    with pytest.raises(RefusedFileError) as direct:
        drain(iter(Stream(raw, is_packed=False, is_checked=True).read, b""))
    raw = Endless(start, pattern, 3 << 30)
    with pytest.raises(RefusedFileError) as slow:
        drain(copy_in_chunks.read_chunks(Stream(raw, is_packed=False)))
    assert raw.was_read <= RECORD_BYTES + 2 * CHUNK_BYTES
    assert "a row of more than 64 MiB on line 2" in slow.value.reason
    assert direct.value.kind in ("quotes", "long")
    assert time.process_time() - began < 30


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (HEADER[:-1] + ",x" * 100_000, "has 100,003 columns in its header (line 1); "),
        (HEADER[:-1] + "," * 99_997, "has 100,000 columns in its header (line 1); "),
        (HEADER[:-1] + "," * 1598, "has 1,601 columns in its header (line 1); "),
        (HEADER[:-1] + "," * 1597, "has 1,597 columns in its header (line 1) that its contract "),
        ("x" * 10 * MIB, "has more than 128 KiB in its header (line 1)."),
        ('"' * 10 * MIB, "has more than 128 KiB in its header (line 1)."),
        ("," * 10 * MIB, "has more than 1,600 columns in its header (line 1); "),
        ("x" * 200_000, "has more than 128 KiB in its header (line 1)."),
    ],
    ids=lambda value: value[:60],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_a_header_that_no_table_takes_is_refused_before_anything_is_made(
    shop: Shop, header, words, is_first
):
    if not is_first:
        shop.write("visits/1.csv", HEADER + GOOD)
        shop.load()
        shop.rows("delete from ops.load where status = 'failed'")
    shop.write("visits/2.csv", f"{header}\n")
    with pytest.raises(SourceError) as caught:
        shop.load()
    assert words in str(caught.value)
    assert len(str(caught.value)) < 1000
    assert [row[2] for row in failures(shop)] == [str(caught.value)]


def test_as_many_columns_as_fit_are_loaded(shop: Shop):
    header = HEADER[:-1] + "".join(f",c{i}" for i in range(1596))
    shop.write("visits.csv", f"{header}\n{GOOD[:-1]}{',' * 1596}\n" + f"b,c,x{',' * 1596}\n")
    (result,) = shop.load()
    assert (result.rows_inserted, result.rows_quarantined) == (1, 1)


def test_a_row_wider_than_a_page_is_the_files_fault(shop: Shop):
    names = [f"c{i}" for i in range(1500)]
    wide = Table(
        "wide",
        (Column("id", "text"), *(Column(name, "text") for name in names)),
        primary_key=("id",),
        load="delta",
        max_bad_share=1,
    )
    row = ",".join(["x" * 40] * 1500)
    shop.write("wide.csv", f"id,{','.join(names)}\n1,{row}\n2{',' * 1500}\n")
    (result,) = shop.load(wide)
    assert (result.rows_inserted, result.rows_quarantined) == (1, 1)


def ticking(seconds: float) -> Clock:
    """Return a clock on which each look is so many seconds later."""
    moments = (NOW + timedelta(seconds=seconds * i) for i in range(1_000_000))
    return Clock(lambda: next(moments), lambda _: None)


@pytest.mark.parametrize("bad", ["", "bad,row,x\n", 'bad"row,,1\n'])
@pytest.mark.parametrize("name", ["visits.csv", "visits.csv.gz"])
def test_a_file_that_takes_too_long_to_read_is_refused_and_says_what_to_raise(
    shop: Shop, name, bad
):
    content = (HEADER + bad + "".join(f"{i},home{i},1\n" for i in range(600_000))).encode()
    shop.write(name, gzip.compress(content, 1) if name.endswith("gz") else content)
    table = replace(VISITS, max_minutes=0.5)
    message = refusal(shop, table, clock=ticking(5))
    assert message == (
        f"{name} took more than 0.5 minutes to load, its limit. Nothing of this file was loaded. "
        "Deliver it in parts, or raise `max_minutes` in the contract (config.meta.extract in "
        "_greenery__sources.yml)."
    )
    # the next run tries it again
    assert shop.load(replace(VISITS, max_minutes=50))[0].status == "loaded"


def test_a_statement_that_takes_too_long_is_ended_by_the_server(shop: Shop):
    shop.write("visits/1.csv", HEADER + GOOD)
    shop.load()
    shop.rows(
        "create function raw.dawdle() returns trigger language plpgsql as "
        "$$ begin perform pg_catalog.pg_sleep(60); return new; end $$; "
        "create trigger dawdle before insert on raw.visits for each row "
        "execute function raw.dawdle()"
    )
    shop.write("visits/2.csv", HEADER + "b,home,1\n")
    try:
        with pytest.raises(SourceError, match=r"^visits/2\.csv took more than 0\.02 minutes"):
            shop.load(replace(VISITS, max_minutes=0.02), clock=Clock())
    finally:
        shop.rows("drop trigger dawdle on raw.visits; drop function raw.dawdle()")
    assert len(failures(shop)) == 1


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("max_unpacked_ratio: 0.5", "max_unpacked_ratio must be 1 or more, not `0.5`"),
        ("max_unpacked_ratio: many", "max_unpacked_ratio must be a number, not `many`"),
        ("max_minutes: 0", "max_minutes must be more than 0, not `0`"),
        ("max_minutes: .inf", "max_minutes must be a number, not `inf`"),
        ("max_minutes: true", "max_minutes must be a number, not `True`"),
        ("max_minutes:", "max_minutes must be a number, not `None`"),
    ],
)
def test_limits_of_a_contract_are_checked(tmp_path, line, words):
    with pytest.raises(ContractError, match=words):
        read_contracts(contract(tmp_path, line))


def test_limits_of_a_contract_are_read(tmp_path):
    (table,) = read_contracts(contract(tmp_path, "max_minutes: 10")).values()
    assert (table.max_unpacked_ratio, table.max_minutes) == (200, 10)


def contract(folder, line: str):
    path = folder / "sources.yml"
    path.write_text(
        "sources: [{name: raw, tables: [{name: t, columns: [{name: id, data_type: text}], "
        "config: {meta: {extract: {primary_key: [id], load: delta, "
        f"{line}}}}}}}}}]}}]\n"
    )
    return path


@pytest.mark.parametrize("count", [1597, 1598])
def test_a_contract_has_no_more_columns_than_a_table_can_have(tmp_path, count):
    path = contract(tmp_path, "max_minutes: 1")
    columns = ", ".join(f"{{name: c{i}, data_type: text}}" for i in range(count - 1))
    path.write_text(path.read_text().replace("data_type: text}", f"data_type: text}}, {columns}"))
    if count == 1597:
        assert len(read_contracts(path)["t"].columns) == 1597
    else:
        with pytest.raises(ContractError, match="columns are 1,598; a table can have 1,597"):
            read_contracts(path)


# name, and what makes about so many bytes
ATTACKS: dict[str, Callable[[int], str]] = {
    "quotes": lambda n: '"' * n,
    "pairs of quotes in lines": lambda n: '""\n' * (n // 3),
    "a quote on each line": lambda n: '"\n' * (n // 2),
    "delimiter and quote": lambda n: ',"' * (n // 2),
    "quote and delimiter": lambda n: '",' * (n // 2),
    "unclosed quotes": lambda n: 'a,"b,1\n' * (n // 7),
    "a quote closed at the end": lambda n: 'a,"' + "b,c,1\n" * (n // 6) + '",1\n',
    "doubled quotes in a text": lambda n: 'a,"' + '""' * (n // 2) + '\n",1\n',
    "lines and quotes in a text": lambda n: 'a,"' + '""\n' * (n // 3) + '",1\n',
    "empty lines": lambda n: "\n" * n,
    "delimiters": lambda n: "," * n,
    "a stray quote, then a text": lambda n: 'a"b,c,1\nd,"' + '""' * (n // 2),
    "carriage returns": lambda n: "a,b,1\r" * (n // 6),
}


def read_all(content: bytes) -> None:
    for read in (copy_in_chunks.read_chunks, csv_records.read_records):
        drain(read(Stream(io.BytesIO(content), is_packed=False)))
    with contextlib.suppress(RefusedFileError):
        drain(iter(Stream(io.BytesIO(content), is_packed=False, is_checked=True).read, b""))


@pytest.mark.parametrize("attack", ATTACKS)
def test_four_times_the_bytes_take_about_four_times_as_long(attack):
    took = []
    for size in (MIB // 2, 2 * MIB):
        content = (HEADER + ATTACKS[attack](size)).encode()
        began = time.process_time()
        read_all(content)
        took.append(time.process_time() - began)
    # quadratic is 16
    assert took[1] < 8 * max(took[0], 0.1)


EVERY_ROW_BAD = {
    "type": "a{},b,x\n",
    "count": "a{},b,1,1\n",
    "quotes": 'a{},b"c,1\n',
    "never closed": 'a{},"b,1\n',
    "null": "a{},\0,1\n",
    "empty key": ",b{},1\n",
    "marker": "\\.\n",
    "empty": "\n",
    "two quotes": '""\n',
}


@pytest.mark.parametrize("is_packed", [False, True], ids=["plain", "gz"])
@pytest.mark.parametrize("fault", EVERY_ROW_BAD)
def test_a_file_of_bad_rows_is_not_judged_to_its_end(shop: Shop, monkeypatch, fault, is_packed):
    # 50,000 in small
    monkeypatch.setattr(slow, "PART_RECORDS", 1000)
    judged = []
    stage = validate_rows.stage_records
    monkeypatch.setattr(
        validate_rows, "stage_records", lambda *args, **kw: judged.append(1) or stage(*args, **kw)
    )
    rows = "".join(EVERY_ROW_BAD[fault].format(i) for i in range(20_000))
    content = (HEADER + rows).encode()
    name = "visits.csv.gz" if is_packed else "visits.csv"
    shop.write(name, gzip.compress(content) if is_packed else content)
    message = refusal(shop)
    assert "has at least 1,000 bad rows" in message
    assert "The first: line 2: " in message
    assert len(judged) == 1


def test_bad_rows_that_the_contract_allows_are_all_kept(shop: Shop, monkeypatch):
    monkeypatch.setattr(slow, "PART_RECORDS", 1000)
    rows = [f"a{i:05},b,1\n" for i in range(20_000)]
    for place in range(0, 20_000, 101):
        rows[place] = f"a{place:05},b,x\n"
    shop.write("visits.csv", HEADER + "".join(rows))
    (result,) = shop.load()
    assert (result.rows_inserted, result.rows_quarantined) == (19_801, 199)
