from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from elt.loading.sources_yaml import ContractError, declared_tables, read_contracts

EXTRACT = {"primary_key": ["a"], "load": "delta", "version": "b", "change_key": ["a", "b"]}
COLUMNS = [
    {"name": "a", "data_type": "text", "config": {"meta": {"pii": True}}},
    {"name": "b", "data_type": "timestamptz"},
]


def write(folder: Path, extract: Any = EXTRACT, columns: Any = COLUMNS, **table: Any) -> Path:
    block = {"name": "things", "config": {"meta": {"extract": extract}}, "columns": columns} | table
    file = folder / "sources.yml"
    file.write_text(
        yaml.safe_dump({"sources": [{"name": "shop", "schema": "raw", "tables": [block]}]})
    )
    return file


def test_a_contract_says_columns_key_mode_version_and_what_is_personal(tmp_path):
    table = read_contracts(write(tmp_path))["things"]
    assert table.column_names == ("a", "b")
    assert [column.is_personal for column in table.columns] == [True, False]
    assert (table.primary_key, table.load, table.version) == (("a",), "delta", "b")
    assert table.change_key == ("a", "b")


def test_the_shops_own_contracts_are_read():
    tables = declared_tables()
    assert len(tables) == 7
    assert tables["order_items"].primary_key == ("order_id", "product_id")
    assert tables["users"].version == "updated_at"
    assert tables["users"].column("email").is_personal


def test_a_contract_says_what_keys_are_called_elsewhere_and_which_column_tells_the_day(tmp_path):
    said = {"references": {"b": "things"}, "key_downstream": "thing_id", "day": "b"}
    table = read_contracts(write(tmp_path, EXTRACT | said))["things"]
    assert (table.references, table.key_downstream) == ((("b", "things"),), ("thing_id",))
    assert (table.day, table.is_parent) == ("b", True)
    several = EXTRACT | {"key_downstream": ["thing_id", "part_id"]}
    table = read_contracts(write(tmp_path, several))["things"]
    assert table.key_downstream == ("thing_id", "part_id")


def test_a_column_called_like_the_key_of_one_other_table_holds_it(tmp_path):
    file = write(tmp_path)
    document = yaml.safe_load(file.read_text())
    (things,) = document["sources"][0]["tables"]
    pair = EXTRACT | {"primary_key": ["a", "b"]}
    document["sources"][0]["tables"] += [
        things | {"name": "pairs", "config": {"meta": {"extract": pair}}},
    ]
    file.write_text(yaml.safe_dump(document))
    assert [table.is_parent for table in read_contracts(file).values()] == [True, False]
    # of two tables with such a key it can't be said
    document["sources"][0]["tables"].append(things | {"name": "others"})
    file.write_text(yaml.safe_dump(document))
    assert not any(table.is_parent for table in read_contracts(file).values())


def test_a_cursor_has_an_overlap(tmp_path):
    table = read_contracts(write(tmp_path, EXTRACT | {"cursor": "b"}))["things"]
    assert (table.cursor, table.overlap) == ("b", "1 hour")
    told = EXTRACT | {"cursor": "b", "overlap": "2 days"}
    assert read_contracts(write(tmp_path, told))["things"].overlap == "2 days"
    numbered = [COLUMNS[0], {"name": "b", "data_type": "bigint"}]
    table = read_contracts(write(tmp_path, EXTRACT | {"cursor": "b"}, numbered))["things"]
    assert table.overlap == "1000"


def test_a_source_that_does_not_land_in_raw_is_none_of_the_loaders_business(tmp_path):
    file = write(tmp_path)
    document = yaml.safe_load(file.read_text())
    document["sources"].append({"name": "ops", "schema": "ops", "tables": [{"name": "load"}]})
    file.write_text(yaml.safe_dump(document))
    assert list(read_contracts(file)) == ["things"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"extract": EXTRACT | {"load": "daily"}}, "load must be", id="load mode"),
        pytest.param({"extract": EXTRACT | {"primary_key": ["c"]}}, "primary_key.*`c`", id="key"),
        pytest.param({"extract": EXTRACT | {"primary_key": []}}, "primary_key", id="no key"),
        pytest.param({"extract": EXTRACT | {"primary_key": "a"}}, "a list", id="key no list"),
        pytest.param({"extract": EXTRACT | {"date_order": "ymd"}}, "date_order.*`ymd`", id="dates"),
        pytest.param({"extract": EXTRACT | {"version": "c"}}, "version.*`c`", id="version"),
        pytest.param({"extract": EXTRACT | {"change_key": ["c"]}}, "change_key", id="change key"),
        pytest.param({"extract": EXTRACT | {"versoin": "b"}}, "versoin", id="misspelt"),
        pytest.param({"extract": EXTRACT | {"cursor": "c"}}, "cursor.*`c`", id="cursor"),
        pytest.param(
            {"extract": EXTRACT | {"cursor": "a"}}, "cursor is a `text`", id="cursor type"
        ),
        pytest.param(
            {"extract": EXTRACT | {"cursor": "b", "load": "full_snapshot"}},
            "cursor would hide the deleted rows",
            id="cursor of a snapshot",
        ),
        pytest.param(
            {"extract": EXTRACT | {"cursor": "b", "overlap": "soon"}},
            "overlap `soon`, which must look like `1 hour`",
            id="overlap",
        ),
        pytest.param(
            {"extract": EXTRACT | {"references": {"c": "things"}}},
            "references names `c`",
            id="reference",
        ),
        pytest.param(
            {"extract": EXTRACT | {"references": {"b": "nothing"}}},
            "`b` holds a key of `nothing`, which is not declared",
            id="reference to nothing",
        ),
        pytest.param(
            {"extract": EXTRACT | {"primary_key": ["a", "b"], "references": {"b": "things"}}},
            "primary key is not one column",
            id="reference to a key of two",
        ),
        pytest.param(
            {"extract": EXTRACT | {"references": ["b"]}}, "references must say", id="references"
        ),
        pytest.param(
            {"extract": EXTRACT | {"key_downstream": 'a"'}}, "key_downstream must be", id="name"
        ),
        pytest.param(
            {"extract": EXTRACT | {"primary_key": ["a", "b"], "key_downstream": "a_id"}},
            "key_downstream asks for a primary key of one",
            id="name of a key of two",
        ),
        pytest.param({"extract": EXTRACT | {"day": "c"}}, "day.*`c`", id="day"),
        pytest.param({"extract": EXTRACT | {"day": "a"}}, "`a`, which must be a", id="day type"),
        pytest.param({"extract": None}, "extract is missing", id="no block"),
        pytest.param({"columns": [{"name": "a"}]}, "`a` has no data_type", id="no type"),
        pytest.param({"columns": [COLUMNS[0]] * 2}, "`a` is declared twice", id="twice"),
        pytest.param(
            {"columns": [{"name": "a", "data_type": "numeric(12,2)"}]}, "numeric", id="type"
        ),
        pytest.param({"columns": [{"name": "_load_id", "data_type": "text"}]}, "name", id="own"),
        pytest.param({"name": 'a"; drop'}, "lower case", id="table name"),
    ],
)
def test_a_bad_contract_is_refused_by_file_table_and_key(tmp_path, changes, words):
    with pytest.raises(ContractError, match=rf"sources\.yml: table `.*`: .*{words}"):
        read_contracts(write(tmp_path, **changes))


@pytest.mark.parametrize("text", ["a: [", "", "sources: []", "just words"])
def test_a_file_without_contracts_is_refused(tmp_path, text):
    (tmp_path / "sources.yml").write_text(text)
    with pytest.raises(ContractError, match=r"sources\.yml"):
        read_contracts(tmp_path / "sources.yml")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ContractError, match=r"none\.yml can't be read"):
        read_contracts(tmp_path / "none.yml")
