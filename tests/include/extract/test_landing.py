from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import fsspec
import pytest
from airflow.sdk import Connection
from airflow.sdk.io import attach

from include.extract.errors import SourceError
from include.extract.landing import SourceFile, find_files, landing_at, open_landing, sort_by_table


def source(extra: dict) -> Connection:
    return Connection(conn_id="greenery_source", conn_type="generic", extra=json.dumps(extra))


def seen(*paths: str) -> list[SourceFile]:
    return [SourceFile(path, 1, None) for path in paths]


def put(folder: Path, *paths: str) -> None:
    for path in paths:
        (folder / path).parent.mkdir(exist_ok=True, parents=True)
        (folder / path).write_text("a\n1\n")


def names(folder: Path, *tables: str) -> dict[str, list[str]]:
    found = find_files(landing_at(str(folder)), tables)
    return {table: [file.path for file in files] for table, files in found.items()}


def test_the_single_file_comes_first_and_then_the_drops_by_name(tmp_path):
    put(tmp_path, "a/2.csv", "a/10.csv.gz", "a.csv", "b.csv.gz")
    assert names(tmp_path, "a", "b", "c") == {
        "a": ["a.csv", "a/10.csv.gz", "a/2.csv"],
        "b": ["b.csv.gz"],
        "c": [],
    }


def test_hidden_underscored_and_other_files_are_ignored(tmp_path):
    put(tmp_path, "a.csv", ".a.csv", "_b.csv", "README.md", "_old/a.csv", "a/_1.csv", "a/1.txt")
    assert names(tmp_path, "a") == {"a": ["a.csv"]}


def test_an_extension_in_capitals_is_one_too(tmp_path):
    put(tmp_path, "a.CSV", "b/1.Csv.GZ")
    assert names(tmp_path, "a", "b") == {"a": ["a.CSV"], "b": ["b/1.Csv.GZ"]}


def test_a_file_is_known_by_size_and_time_of_change(tmp_path):
    put(tmp_path, "a.csv")
    os.utime(tmp_path / "a.csv", (1_600_000_000.25, 1_600_000_000.25))
    (file,) = find_files(landing_at(str(tmp_path)), ["a"])["a"]
    assert file == SourceFile("a.csv", 4, datetime(2020, 9, 13, 12, 26, 40, 250000, tzinfo=UTC))


def test_a_link_has_the_time_of_its_target(tmp_path):
    put(tmp_path, "target/a.csv")
    os.utime(tmp_path / "target/a.csv", (1_600_000_000, 1_600_000_000))
    (tmp_path / "landing").mkdir()
    (tmp_path / "landing/a.csv").symlink_to(tmp_path / "target/a.csv")
    (tmp_path / "landing/b").symlink_to(tmp_path / "target")
    found = find_files(landing_at(str(tmp_path / "landing")), ["a", "b"])
    assert [file.modified_at.year for files in found.values() for file in files] == [2020, 2020]


@pytest.mark.parametrize("path", ["customers.csv", "customers/1.csv.gz"])
def test_a_file_of_an_undeclared_table_is_an_error_that_says_what_to_do(path):
    with pytest.raises(SourceError, match=rf"^{path} .*Declare `customers` in _.*underscore"):
        sort_by_table(seen("users.csv", path), ["users"], "file:///x")


def test_two_full_files_of_one_table_are_an_error():
    with pytest.raises(SourceError, match=r"users\.csv and users\.csv\.gz"):
        sort_by_table(seen("users.csv.gz", "users.csv"), ["users"], "file:///x")


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(SourceError, match=r"file:///.*/gone does not exist"):
        find_files(landing_at(str(tmp_path / "gone")), ["a"])


def test_a_folder_without_a_csv_file_is_an_error(tmp_path):
    with pytest.raises(SourceError, match="holds no CSV file"):
        find_files(landing_at(str(tmp_path)), ["a"])


def test_the_connection_names_the_folder_and_its_url_is_the_shops_identity(tmp_path):
    put(tmp_path, "sub/a.csv")
    same = [f"{tmp_path}/sub", f"{tmp_path}/sub/", f"file://{tmp_path}/sub", f"{tmp_path}/x/../sub"]
    assert {open_landing(source({"path": path})).url for path in same} == {f"file://{tmp_path}/sub"}


def test_a_folder_may_have_blanks_and_signs_in_its_name(tmp_path):
    put(tmp_path, "day 1 #%20é/a.csv")
    landing = landing_at(str(tmp_path / "day 1 #%20é"))
    (file,) = find_files(landing, ["a"])["a"]
    assert landing.look("a.csv") == file


def test_a_connection_without_a_path_says_what_is_missing():
    with pytest.raises(SourceError, match="Set `path` in its extra"):
        open_landing(source({}))


def test_any_store_will_do_and_credentials_are_no_part_of_the_url():
    memory = fsspec.filesystem("memory")
    attach("memory", conn_id="shop_bucket", fs=memory)
    memory.pipe_file("/shop/landing/a.csv", b"a\n1\n")
    landing = open_landing(source({"path": "memory://shop/landing/", "conn_id": "shop_bucket"}))
    assert "shop_bucket" not in landing.url
    assert open_landing(source({"path": "memory://shop_bucket@/shop/landing"})).url == landing.url
    (file,) = find_files(landing, ["a"])["a"]
    assert (file.path, file.size) == ("a.csv", 4)
    assert landing.look("a.csv") == file


def test_a_store_that_nothing_installed_can_read_is_an_error_that_says_so():
    with pytest.raises(SourceError, match="No installed Airflow provider reads nosuch://"):
        landing_at("nosuch://bucket/landing")
