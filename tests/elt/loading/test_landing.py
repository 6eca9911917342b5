from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import socket
from datetime import UTC, datetime
from pathlib import Path

import fsspec
import pytest
from airflow.sdk import Connection
from airflow.sdk.io import attach

from elt.errors import FileInMotionError, RefusedFileError, SourceError
from elt.loading.files.file_names import describe_strays
from elt.loading.files.find_files import find_files, sort_by_table
from elt.loading.files.landing import SourceFile, landing_at, open_landing


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
    return {table: [file.path for file in files] for table, files in found.files.items()}


def test_the_single_file_comes_first_and_then_the_drops_in_natural_order(tmp_path):
    put(tmp_path, "a/2.csv", "a/10.csv.gz", "a.csv", "b.csv.gz")
    assert names(tmp_path, "a", "b", "c") == {
        "a": ["a.csv", "a/2.csv", "a/10.csv.gz"],
        "b": ["b.csv.gz"],
        "c": [],
    }


def strays(folder: Path, *tables: str) -> dict[str, str]:
    """Return what is said of each file that is not read, in the order in which it is said."""
    found = find_files(landing_at(str(folder)), tables)
    return dict(describe_strays([*found.others.values(), *itertools.chain(*found.strays.values())]))


def test_hidden_and_underscored_files_and_folders_are_ignored(tmp_path):
    put(tmp_path, "a.csv", ".a.csv", "_b.csv", "_old/a.csv", "a/_1.csv", "a/.x/1.csv")
    put(tmp_path, "a/_temporary/0/1.csv", "a/_SUCCESS", "a/.1.csv.crc", "a/dt=1/_SUCCESS")
    assert names(tmp_path, "a") == {"a": ["a.csv"]}
    assert strays(tmp_path, "a") == {}


def test_folders_below_a_tables_folder_are_read_at_any_depth(tmp_path):
    put(tmp_path, "a/2021/02/12.csv", "a/2021/02/9.CSV.GZ", "a/dt=2021-02-11/x=1/part-0.csv")
    put(tmp_path, "a/first.csv", "a/spark.csv/part-00000.csv")
    (tmp_path / "a/empty").mkdir()
    assert names(tmp_path, "a") == {
        "a": [
            "a/2021/02/9.CSV.GZ",
            "a/2021/02/12.csv",
            "a/dt=2021-02-11/x=1/part-0.csv",
            "a/first.csv",
            "a/spark.csv/part-00000.csv",
        ]
    }
    assert strays(tmp_path, "a") == {}


@pytest.mark.parametrize(
    ("path", "advice"),
    [
        ("a/1.zip", "Unpack it"),
        ("a/1.csv.zip", "Unpack it"),
        ("a/1.csv.bz2", "Unpack it"),
        ("a/1.tar.gz", "name it .csv.gz; else unpack"),
        ("a/dt=1/1.tgz", "Unpack it"),
        ("a/1.XLSX", "Export it as CSV"),
        ("a/1.parquet", "Export it as CSV"),
        ("a/1.json", "Export it as CSV"),
        ("a/1.tsv", "name it .csv"),
        ("a/1.TXT", "name it .csv"),
        ("a/1.csv.part", "half written"),
        ("a/1.csv.crdownload", "half written"),
        ("a/1.csv.tmp", "half written"),
        ("a/1.csv~", "half written"),
        ("a/part-00000", "If it is CSV, name it .csv"),
        ("a/1.gz", "name it .csv.gz"),
        ("a/1.csv.sha256", "Only .csv and .csv.gz are read"),
        ("a.zip", "Unpack it"),
        ("README.md", "Only .csv and .csv.gz are read"),
        ("backup/all.zip", "Unpack it"),
    ],
)
def test_whatever_else_lies_there_is_told_with_advice(tmp_path, path, advice):
    put(tmp_path, "a.csv", path)
    told = strays(tmp_path, "a")
    assert list(told) == [path]
    assert told[path].startswith(f"{path} is not read. ")
    assert advice in told[path]
    assert "underscore before its name" in told[path]


def test_many_of_a_kind_are_told_at_once(tmp_path):
    put(tmp_path, "a.csv", *(f"a/{number}.csv.md5" for number in range(40)), "a/1.zip")
    told = list(strays(tmp_path, "a").values())
    assert len(told) == 2
    assert "a/0.csv.md5 to a/39.csv.md5 (40 of this kind)" in " ".join(told)


def test_strays_at_the_top_go_with_the_table_that_they_are_named_after(tmp_path):
    put(tmp_path, "users.csv", "users_2021.xlsx", "notes.docx", "old/x.zip", "old/y.zip")
    found = find_files(landing_at(str(tmp_path)), ["users"])
    assert [stray.path for stray in found.strays["users"]] == ["users_2021.xlsx"]
    assert sorted(stray.path for stray in found.others.values()) == ["notes.docx", "old/x.zip"]


def test_links_to_folders_are_followed_and_each_folder_is_read_once(tmp_path):
    put(tmp_path, "away/2.csv", "landing/a/1.csv")
    folder = tmp_path / "landing"
    (folder / "a/self").symlink_to(folder / "a")
    (folder / "a/all").symlink_to(folder)
    (folder / "a/0-away").symlink_to(tmp_path / "away")
    (tmp_path / "away/back").symlink_to(folder)
    assert names(folder, "a") == {"a": ["a/0-away/2.csv", "a/1.csv"]}
    told = strays(folder, "a")
    assert set(told) == {"a/self", "a/all", "a/0-away/back"}
    assert all("a link to a folder that is read already" in message for message in told.values())


def special_files(folder: Path) -> None:
    os.mkfifo(folder / "pipe.csv")
    (folder / "zero.csv").symlink_to("/dev/zero")
    (folder / "tty.csv").symlink_to("/dev/tty")
    (folder / "folder.csv").mkdir()
    bound = socket.socket(socket.AF_UNIX)
    os.chdir(folder)  # the name of a socket may not be long
    bound.bind("socket.csv")
    bound.close()


def test_what_is_no_regular_file_is_told_and_never_opened(tmp_path, monkeypatch):
    put(tmp_path, "a/1.csv")
    monkeypatch.chdir(tmp_path)
    special_files(tmp_path / "a")
    assert names(tmp_path, "a") == {"a": ["a/1.csv"]}
    told = strays(tmp_path, "a")
    assert {path: message.split(",")[0] for path, message in told.items()} == {
        "a/folder.csv": "a/folder.csv is an empty folder",
        "a/pipe.csv": "a/pipe.csv is a named pipe",
        "a/socket.csv": "a/socket.csv is a socket",
        "a/tty.csv": "a/tty.csv is a device",
        "a/zero.csv": "a/zero.csv is a device",
    }


@pytest.mark.parametrize("name", ["pipe.csv", "zero.csv", "socket.csv", "folder.csv"])
def test_what_stopped_to_be_a_regular_file_is_refused_without_waiting(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    special_files(tmp_path)
    landing = landing_at(str(tmp_path))
    with pytest.raises(RefusedFileError) as looked:
        landing.look(name)
    with pytest.raises(RefusedFileError) as opened, landing.opened(SourceFile(name, 1, None)):
        pass
    for error in (looked, opened):
        assert re.match("is a (named pipe|device|socket|folder), not a file", error.value.reason)


@pytest.mark.parametrize("target", ["nowhere", "a.csv"], ids=["to nothing", "to itself"])
def test_a_dangling_link_is_named_as_what_it_is(tmp_path, target):
    put(tmp_path, "b.csv")
    (tmp_path / "a.csv").symlink_to(target)
    assert names(tmp_path, "a", "b") == {"a": ["a.csv"], "b": ["b.csv"]}
    with pytest.raises(RefusedFileError) as error:
        landing_at(str(tmp_path)).look("a.csv")
    assert error.value.reason == f"is a link to {target}, which is not there"


def test_a_dangling_link_in_place_of_a_folder_is_told(tmp_path):
    put(tmp_path, "b.csv")
    (tmp_path / "a").symlink_to("nowhere")
    assert names(tmp_path, "a", "b") == {"a": [], "b": ["b.csv"]}
    assert "a is a link to nothing" in strays(tmp_path, "a", "b")["a"]


def test_a_name_that_is_no_utf_8_is_shown_and_its_file_is_found_and_read(tmp_path):
    put(tmp_path, "a/x.csv")
    path = os.fsencode(tmp_path) + b"/a/jan\xe9.csv"
    os.rename(tmp_path / "a/x.csv", path)
    landing = landing_at(str(tmp_path))
    (file,) = find_files(landing, ["a"]).of("a")
    assert file.path == "a/jan\\xe9.csv"
    assert landing.look(file.path) == file
    with landing.opened(file) as raw:
        assert raw.read() == b"a\n1\n"


def test_a_file_that_is_replaced_by_one_that_looks_the_same_is_noticed(tmp_path):
    put(tmp_path, "a.csv", "new")
    landing = landing_at(str(tmp_path))
    file = landing.look("a.csv")
    shutil.copystat(tmp_path / "a.csv", tmp_path / "new")
    with pytest.raises(FileInMotionError), landing.opened(file):
        os.replace(tmp_path / "new", tmp_path / "a.csv")
    with landing.opened(file):
        pass
    (tmp_path / "a.csv").write_text("longer than before")
    with pytest.raises(FileInMotionError), landing.opened(file):
        raise AssertionError("it is not the file that was seen")


def test_an_extension_in_capitals_is_one_too(tmp_path):
    put(tmp_path, "a.CSV", "b/1.Csv.GZ")
    assert names(tmp_path, "a", "b") == {"a": ["a.CSV"], "b": ["b/1.Csv.GZ"]}


def test_a_file_is_known_by_size_and_time_of_change(tmp_path):
    put(tmp_path, "a.csv")
    os.utime(tmp_path / "a.csv", (1_600_000_000.25, 1_600_000_000.25))
    (file,) = find_files(landing_at(str(tmp_path)), ["a"]).of("a")
    assert file == SourceFile("a.csv", 4, datetime(2020, 9, 13, 12, 26, 40, 250000, tzinfo=UTC))


def test_a_link_has_the_time_of_its_target(tmp_path):
    put(tmp_path, "target/a.csv")
    os.utime(tmp_path / "target/a.csv", (1_600_000_000, 1_600_000_000))
    (tmp_path / "landing").mkdir()
    (tmp_path / "landing/a.csv").symlink_to(tmp_path / "target/a.csv")
    (tmp_path / "landing/b").symlink_to(tmp_path / "target")
    found = find_files(landing_at(str(tmp_path / "landing")), ["a", "b"])
    assert [file.modified_at.year for files in found.files.values() for file in files] == [
        2020,
        2020,
    ]


@pytest.mark.parametrize("path", ["customers.csv", "customers/1.csv.gz"])
def test_a_file_of_an_undeclared_table_is_an_error_that_says_what_to_do(path):
    with pytest.raises(SourceError, match=rf"^{path} .*Declare `customers` in _.*underscore"):
        sort_by_table(seen("users.csv", path), ["users"], "file:///x")


@pytest.mark.parametrize(
    "path",
    [
        *("orders (1).csv", "orders_20210210.csv", "orders-2021-02-10.csv.gz", "Orders.csv"),
        *("Orders/1.csv", "orders.csv/part-0.csv", "Copy of orders.CSV"),
    ],
)
def test_a_file_that_is_probably_a_tables_stops_that_table_and_is_told_where_to_go(path):
    found = sort_by_table(seen(path, "users.csv"), ["users", "orders"], "file:///x")
    with pytest.raises(SourceError, match=rf"^{re.escape(path)} .*put it into orders/"):
        found.of("orders")
    assert [file.path for file in found.of("users")] == ["users.csv"]


def test_two_full_files_of_one_table_are_an_error():
    with pytest.raises(SourceError, match=r"users\.csv and users\.csv\.gz"):
        sort_by_table(seen("users.csv.gz", "users.csv"), ["users"], "file:///x").of("users")


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(SourceError, match=r"file:///.*/gone does not exist"):
        find_files(landing_at(str(tmp_path / "gone")), ["a"])


def test_a_folder_that_may_not_be_read_stops_only_its_own_table(tmp_path, monkeypatch):
    put(tmp_path, "a/1.csv", "b/1.csv")
    listed = os.scandir

    def refusing(path):
        if str(path).endswith("/a"):
            raise PermissionError
        return listed(path)

    monkeypatch.setattr(os, "scandir", refusing)  # the tests may run as root
    found = find_files(landing_at(str(tmp_path)), ["a", "b"])
    assert [file.path for file in found.of("b")] == ["b/1.csv"]
    with pytest.raises(SourceError, match=r"^a is a folder that may not be read\. .*run again"):
        found.of("a")


def test_a_folder_without_a_csv_file_says_what_lies_there_instead(tmp_path):
    put(tmp_path, "a.zip")
    with pytest.raises(SourceError, match=r"holds no CSV file.*a\.zip is not read\. Unpack it"):
        find_files(landing_at(str(tmp_path)), ["a"])


def test_a_store_that_is_no_local_one_is_listed_by_folder_at_any_depth():
    memory = fsspec.filesystem("memory")
    attach("memory", conn_id="deep_bucket", fs=memory)
    for path in ("a/2021/02/9.csv", "a/2021/02/10.CSV.GZ", "a/_x/1.csv", "_b/1.csv", "a/1.zip"):
        memory.pipe_file(f"/deep/landing/{path}", b"a\n1\n")
    memory.pipe_file("/deep/landing/a/tab\t.csv", b"a\n1\n")
    landing = landing_at("memory://deep/landing", "deep_bucket")
    found = find_files(landing, ["a"])
    paths = ["a/2021/02/9.csv", "a/2021/02/10.CSV.GZ", "a/tab\\u0009.csv"]
    assert [file.path for file in found.of("a")] == paths
    assert [stray.path for stray in found.strays["a"]] == ["a/1.zip"]
    for file in found.of("a"):
        assert landing.look(file.path) == file
        with landing.opened(file) as raw:
            assert raw.read() == b"a\n1\n"


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
    (file,) = find_files(landing, ["a"]).of("a")
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
    (file,) = find_files(landing, ["a"]).of("a")
    assert (file.path, file.size) == ("a.csv", 4)
    assert landing.look("a.csv") == file


def test_a_store_that_nothing_installed_can_read_is_an_error_that_says_so():
    with pytest.raises(SourceError, match="No installed Airflow provider reads nosuch://"):
        landing_at("nosuch://bucket/landing")
