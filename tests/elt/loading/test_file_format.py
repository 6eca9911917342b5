"""Files with another delimiter, in another encoding, with a text of their own for null."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import pytest

from elt.errors import SourceError
from elt.loading.contract import Column, Table, read_format
from elt.loading.quarantine.replay import replay
from elt.loading.sources_yaml import ContractError, read_contracts

from .conftest import VISITS, Shop

LOOSE = replace(VISITS, max_bad_share=1)


def quarantined(shop: Shop) -> list[tuple]:
    return shop.rows("select line_number, row_text, reason from ops.quarantine order by 1")


def replayed(shop: Shop, table: Table, old: str, new: str) -> int:
    shop.rows("delete from ops.run_lease")
    query = "update ops.quarantine set row_text = replace(row_text, %s, %s)"
    shop.warehouse.run(query, [old, new])
    (done,) = replay({table.name: table}, "again")
    return done.loaded


@pytest.mark.parametrize("delimiter", [";", "\t", "|", ":", "^", "]", " "], ids=repr)
@pytest.mark.parametrize("earlier", [True, False], ids=["merge", "first load"])
def test_another_delimiter_is_read_in_good_rows_and_bad_ones(shop: Shop, delimiter, earlier):
    table = replace(LOOSE, delimiter=delimiter)
    good = 'visit_id,page,seconds\na,"x,y",1\n'.replace(",", delimiter).replace(
        "x" + delimiter, "x,"
    )
    bad = 'b,"in , here",five\nc,6" pot,1\nd,"say ""hi""",2,\n'.replace(",", delimiter)
    if earlier:
        shop.write("visits/1.csv", good)
    shop.write("visits/2.csv", good + bad + "e,home,3\ne,home,4\n".replace(",", delimiter))
    result = shop.load(table)[-1]
    assert shop.visits() == [("a", "x,y", 1), ("e", "home", 4)]
    rows = quarantined(shop)
    assert [line for line, _, _ in rows] == [3, 4, 5, 6]
    assert rows[0][2] == "column seconds: is not a valid integer"
    assert rows[1][2].startswith("a quote stands inside a field")
    assert rows[2][2] == "has 4 fields, the header has 3"
    assert result.rows_quarantined == 4
    keys = shop.rows("select row_key ->> 'visit_id' from ops.quarantine order by line_number")
    assert [key for (key,) in keys] == ["b", "c", "d", "e"]
    assert replayed(shop, table, "five", "5") == 1
    assert shop.visits()[1] == ("b", f"in {delimiter} here", 5)


def test_a_header_again_is_seen_with_another_delimiter(shop: Shop):
    table = Table(
        *("places", (Column("place_id", "text"), Column("state", "text")), ("place_id",), "delta"),
        max_bad_share=1,
        delimiter=";",
    )
    shop.write("places.csv", "place_id;state\na;OH\nPlace_ID;State\nb;OH\n")
    shop.load(table)
    assert [line for line, _, _ in quarantined(shop)] == [3]


def test_the_contracts_delimiter_missed_is_told(shop: Shop):
    shop.write("visits.csv", "visit_id,page,seconds\n")
    words = 'parted by commas; expected semicolons. Set `delimiter: ","`'
    with pytest.raises(SourceError, match=words):
        shop.load(replace(LOOSE, delimiter=";"))


@pytest.mark.parametrize(
    "encoding", ["iso8859-1", "cp1252", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "gb18030"]
)
@pytest.mark.parametrize(("name", "end"), [("visits.csv", "\n"), ("visits.csv.gz", "\r\n")])
def test_another_encoding_is_read_in_good_rows_and_bad_ones(shop: Shop, encoding, name, end):
    table = replace(LOOSE, encoding=encoding)
    text = 'visit_id,page,seconds\na,"café, ""été""\nü",1\nb,café,fünf\nc,6" café,1\nd,ñ,4\n'
    content = text.replace("\n", end).encode(encoding)
    shop.write(name, gzip.compress(content) if name.endswith("gz") else content)
    shop.load(table)
    assert shop.visits() == [("a", f'café, "été"{end}ü', 1), ("d", "ñ", 4)]
    assert [row[:2] for row in quarantined(shop)] == [(4, "b,café,fünf"), (5, 'c,6" café,1')]
    assert replayed(shop, table, "fünf", "5") == 1
    assert shop.visits()[1] == ("b", "café", 5)
    content = text.replace('6"', "6").replace("\n", end).encode(encoding)
    shop.write(name, gzip.compress(content) if name.endswith("gz") else content)
    with pytest.raises(SourceError, match=r"line 4, column seconds: the value .* is not"):
        shop.load(replace(table, on_bad_row="stop"))


def test_a_big_file_in_another_encoding_is_cut_anywhere(shop: Shop):
    rows = "".join(f"{i:07},{'é€😀' * (i % 7)},{i}\n" for i in range(60_000))
    content = ("visit_id,page,seconds\n" + rows).encode("utf-16")
    assert len(content) > 2 << 20
    shop.write("visits.csv", content)
    shop.load(replace(LOOSE, encoding="utf-16"))
    assert shop.rows("select count(*), sum(length(page)) from raw.visits") == [
        (60_000, sum(3 * (i % 7) for i in range(60_000)))
    ]


@pytest.mark.parametrize(
    ("encoding", "bad", "shown"),
    [("cp1252", b"caf\x81", "caf\\x81"), ("euc_jp", b"caf\xc3", "caf\\xff")],
)
def test_what_is_no_text_in_its_encoding_waits_alone(shop: Shop, encoding, bad, shown):
    table = replace(LOOSE, encoding=encoding)
    shop.write("visits.csv", b"visit_id,page,seconds\na,home,1\nb," + bad + b",2\nc,home,3\n")
    shop.load(table)
    assert [row[0] for row in shop.visits()] == ["a", "c"]
    ((line, text, reason),) = quarantined(shop)
    assert (line, text) == (3, f"b,{shown},2")
    assert reason.startswith(f"the text is not {encoding}, or holds a zero byte")
    assert replayed(shop, table, "home", "home") == 0
    assert replayed(shop, table, shown, "café") == 1


@pytest.mark.parametrize("mark", ["utf-8-sig", "utf-16"])
def test_a_mark_of_another_encoding_than_the_contracts_is_refused(shop: Shop, mark):
    shop.write("visits.csv", "visit_id,page,seconds\na,é,1\n".encode(mark))
    with pytest.raises(SourceError, match=r"begins with the byte order mark of UTF-(8|16), but"):
        shop.load(replace(LOOSE, encoding="cp1252"))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
@pytest.mark.parametrize("written", ["utf-8", "cp1252", "utf-16-le"])
def test_a_wide_encoding_without_its_mark_is_refused_in_words(shop: Shop, encoding, written):
    shop.write("visits.csv", "visit_id,page,seconds\na,é,1\n".encode(written))
    said = f"does not begin as {encoding} does, but its contract says `encoding: {encoding}`"
    with pytest.raises(SourceError, match=said):
        shop.load(replace(LOOSE, encoding=encoding))
    assert shop.rows("select status from ops.load") == [("failed",)]


@pytest.mark.parametrize(
    ("content", "is_told"),
    [("a,café,1\n".encode(), True), (b"a,caf\xe9,1\n", False), (b"a,cafe,1\n", False)],
    ids=["utf-8", "cp1252", "ascii"],
)
@pytest.mark.parametrize("bad", [b"", b"b,x,x\n"], ids=["clean", "with a bad row"])
def test_a_file_in_utf_8_after_all_is_told_once(shop: Shop, content, is_told, bad):
    for number in range(2):
        shop.write(f"visits/{number}.csv", b"visit_id,page,seconds\n" + content + bad)
    shop.load(replace(LOOSE, encoding="cp1252"))
    told = shop.rows("select kind, detail from ops.load_warning")
    assert told == ([("seems_utf_8", "cp1252")] if is_told else [])


@pytest.mark.parametrize("null_text", ["NULL", "\\N", "'"])
@pytest.mark.parametrize("earlier", [True, False], ids=["merge", "first load"])
def test_a_null_text_is_null_where_it_is_not_quoted(shop: Shop, null_text, earlier):
    table = replace(LOOSE, null_text=null_text)
    if earlier:
        shop.write("visits/1.csv", "visit_id,page,seconds\nz,home,1\n")
    n = null_text
    rows = f'a,{n},{n}\nb,"{n}",1\nc,,2\nd,home,\n,home,3\n"",home,4\n{n},home,5\n'
    shop.write("visits/2.csv", "visit_id,page,seconds\n" + rows)
    shop.load(table)
    arrived = [row for row in shop.visits() if row[0] != "z"]
    assert arrived == [("a", None, None), ("b", n, 1), ("c", "", 2)]
    reasons = [reason for _, _, reason in quarantined(shop)]
    assert reasons[0] == "column seconds: is not a valid integer"
    assert set(reasons[1:]) == {"column visit_id: is empty, but it is part of the key"}
    assert len(reasons) == 4
    assert replayed(shop, table, "d,home,", f"d,{n},{n}") == 1
    assert shop.visits()[3] == ("d", None, None)


@pytest.mark.parametrize("key", ["", '""'], ids=["empty", "quoted"])
def test_an_empty_text_is_no_key_where_null_has_a_text_of_its_own(shop: Shop, key):
    table = replace(LOOSE, null_text="NULL")
    shop.write("visits.csv", f"visit_id,page,seconds\na,home,1\n{key},home,2\n")
    shop.load(table)
    assert shop.visits() == [("a", "home", 1)]
    assert [line for line, _, _ in quarantined(shop)] == [3]


CONTRACT = """
sources:
  - name: greenery
    schema: raw
    tables:
      - name: visits
        config: {{meta: {{extract: {{primary_key: [id], load: delta, {keys}}}}}}}
        columns: [{{name: id, data_type: text}}]
"""


def contract(folder: Path, keys: str) -> Table:
    path = folder / "sources.yml"
    path.write_text(CONTRACT.format(keys=keys))
    return read_contracts(path)["visits"]


def test_a_contract_says_how_its_files_are_written(tmp_path: Path):
    table = contract(tmp_path, r'delimiter: "\t", encoding: WIN1252, null_text: "\\N"')
    assert (table.delimiter, table.encoding, table.null_text) == ("\t", "cp1252", "\\N")
    table = contract(tmp_path, "on_bad_row: stop")
    assert (table.delimiter, table.encoding, table.null_text) == (",", "", "")


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ('delimiter: ";;"', "delimiter must be one character.*not `;;`"),
        ("delimiter: x", "delimiter must be one character.*not `x`"),
        ("delimiter: 0", "delimiter must be a text in quotes"),
        ("encoding: klingon", "encoding `klingon` is not known"),
        ("encoding: base64", "encoding `base64` is not known"),
        ("null_text: NULL", 'null_text must be a text in quotes, such as null_text: "NULL"'),
        ('null_text: "a,b"', "null_text must hold no delimiter"),
    ],
)
def test_a_wrong_key_is_told_with_file_table_and_key(tmp_path: Path, keys, words):
    with pytest.raises(ContractError, match=f"table `visits`.*{words}"):
        contract(tmp_path, keys)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("LATIN1", "iso8859-1"),
        ("latin9", "iso8859-15"),
        ("windows-1252", "cp1252"),
        ("UTF8", ""),
        ("utf-8", ""),
        ("SJIS", "shift_jis"),
        ("KOI8R", "koi8-r"),
        ("EUC_CN", "gb2312"),
    ],
)
def test_an_encoding_may_be_called_as_postgres_or_python_call_it(name, known):
    assert read_format({"encoding": name})["encoding"] == known
