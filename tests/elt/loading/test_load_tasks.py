from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from elt.airflow import load_tasks
from elt.errors import SourceError
from elt.loading.sources_yaml import declared_tables

from .conftest import Shop

ROWS = {
    "addresses": 150,
    "events": 3553,
    "order_items": 862,
    "orders": 361,
    "products": 30,
    "promos": 6,
    "users": 130,
}


def set_source(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    source = {"conn_type": "generic", "extra": json.dumps({"path": str(folder)})}
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_SOURCE", json.dumps(source))


def load_all(run_id: str) -> dict[str, dict]:
    return {table: load_tasks.load_table(table, run_id=run_id) for table in declared_tables()}


def test_the_real_data_arrives_whole_and_a_second_load_does_nothing(
    shop: Shop, real_data: Path, monkeypatch
):
    set_source(monkeypatch, real_data)
    assert load_tasks.check_source() == real_data.as_uri()
    first = load_all("first")
    assert {table: summary["rows_inserted"] for table, summary in first.items()} == ROWS
    for table, rows in ROWS.items():
        assert shop.rows(f"select count(*) from raw.{table}") == [(rows,)]
    zeros = "select count(*) from raw.addresses where zipcode like '0%' and length(zipcode) = 5"
    assert shop.rows(zeros) == [(6,)]
    assert shop.rows("select count(*) from raw.orders where delivered_at is null") == [(56,)]
    # CRLF must not stick to the last column
    assert shop.rows("select count(*) from raw.users where address_id ~ '\\s'") == [(0,)]

    second = load_all("second")
    for summary in second.values():
        assert summary["files"] == {"loaded": 0, "unchanged": 0, "skipped": 1, "left": 0}
        assert summary["last_load_id"] is None
    assert shop.rows("select count(*) from ops.load") == [(7,)]
    json.dumps([first, second])


def test_the_real_data_exported_again_changes_no_row(
    shop: Shop, real_data: Path, monkeypatch, tmp_path
):
    folder = tmp_path / "export"
    shutil.copytree(real_data, folder)
    set_source(monkeypatch, folder)
    monkeypatch.setenv("GREENERY_SETTLE_SECONDS", "0")
    load_all("first")
    for file in folder.glob("*.csv"):
        file.chmod(0o644)
        # the other kind of line end: new bytes, the same rows
        content = file.read_bytes()
        is_crlf = b"\r\n" in content
        old, new = (b"\r\n", b"\n") if is_crlf else (b"\n", b"\r\n")
        file.write_bytes(content.replace(old, new))
    second = load_all("second")
    assert {table: summary["rows_unchanged"] for table, summary in second.items()} == ROWS
    for summary in second.values():
        changed = ("rows_inserted", "rows_updated", "rows_deleted")
        assert [summary[name] for name in changed] == [0, 0, 0]
    assert shop.rows("select count(*) from raw.change_log") == [(0,)]


def test_an_undeclared_file_stops_the_check_and_the_load(shop: Shop, real_data, monkeypatch):
    shop.write("customers.csv", "a\n")
    set_source(monkeypatch, shop.folder)
    with pytest.raises(SourceError, match=r"customers\.csv"):
        load_tasks.check_source()
    with pytest.raises(SourceError, match=r"customers\.csv"):
        load_tasks.load_table("users", run_id="run")


def test_a_shrunk_snapshot_can_be_confirmed_by_the_table_name(shop: Shop, monkeypatch):
    set_source(monkeypatch, shop.folder)
    shop.write("promos.csv", "promo_id,discount,status\nA,1,active\nB,1,active\nC,1,active\n")
    load_tasks.load_table("promos", run_id="1")
    shop.write("promos.csv", "promo_id,discount,status\nA,1,active\n")
    with pytest.raises(SourceError, match="confirm_shrunk"):
        load_tasks.load_table("promos", run_id="2")
    assert (
        load_tasks.load_table("promos", run_id="3", confirm_shrunk=["promos"])["rows_deleted"] == 2
    )


def test_what_is_wrong_with_one_tables_files_does_not_stop_the_others(shop: Shop, monkeypatch):
    set_source(monkeypatch, shop.folder)
    shop.write("promos.csv", "promo_id,discount,status\nA,1,active\n")
    shop.write("users (1).csv", "a\n")
    (shop.folder / "orders.csv").symlink_to("nowhere")
    shop.write("notes.docx", "x")
    for _ in range(2):
        load_tasks.check_source()
    assert load_tasks.load_table("promos", run_id="1")["rows_inserted"] == 1
    with pytest.raises(SourceError, match=r"^users \(1\)\.csv .*put it into users/"):
        load_tasks.load_table("users", run_id="1")
    with pytest.raises(SourceError, match=r"^orders\.csv is a link to nowhere"):
        load_tasks.load_table("orders", run_id="1")
    assert shop.rows("select table_name, kind, detail from ops.load_warning") == [
        ("", "unread_file", "notes.docx")
    ]
