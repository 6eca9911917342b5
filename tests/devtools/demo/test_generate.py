"""The same request gives the same bytes, a file is whole or not there, two shops do not mix."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from devtools.demo import generate
from devtools.demo.files import TABLES, drop_file, replacing
from devtools.demo.generate import plant_fault, write_landing
from devtools.demo.settings import (
    NOTE,
    DemoError,
    DemoSettings,
    claim,
    days_until,
    default_settings,
    read_note,
)
from tests.devtools.demo.conftest import LAST_DAY, SETTINGS
from tests.devtools.demo.judge import fingerprint, rows

SMALL = DemoSettings(date(2026, 3, 1), seed=3, users=20, sessions_per_day=8)
DAYS = days_until(SMALL, date(2026, 3, 14))


def test_the_same_settings_give_the_same_bytes(shop_database, landing, tmp_path):
    write_landing(shop_database, tmp_path, SETTINGS, days_until(SETTINGS, LAST_DAY))

    assert len(fingerprint(tmp_path)) == 7 * 24
    assert fingerprint(tmp_path) == fingerprint(landing)


@pytest.mark.parametrize(
    "change",
    [{"seed": 8}, {"users": 161}, {"sessions_per_day": 41}],
    ids=["seed", "users", "sessions"],
)
def test_other_settings_give_another_shop(shop_database, landing, tmp_path, change):
    other = replace(SETTINGS, **change)
    write_landing(shop_database, tmp_path, other, [SETTINGS.first_day])

    day = f"{SETTINGS.first_day}.csv"
    assert (tmp_path / "events" / day).read_bytes() != (landing / "events" / day).read_bytes()


def test_day_by_day_equals_all_at_once(shop_database, tmp_path):
    for day in DAYS:
        write_landing(shop_database, tmp_path / "daily", SMALL, [day])
    write_landing(shop_database, tmp_path / "once", SMALL, DAYS)

    assert fingerprint(tmp_path / "daily") == fingerprint(tmp_path / "once")


def test_a_day_alone_equals_the_same_day_among_others(shop_database, landing, tmp_path):
    day = LAST_DAY - timedelta(days=5)
    write_landing(shop_database, tmp_path, SETTINGS, [day])

    alone = fingerprint(tmp_path)
    assert len(alone) == 7
    assert alone.items() <= fingerprint(landing).items()


def test_the_server_s_time_zone_and_date_style_do_not_matter(shop_database, landing, tmp_path):
    with shop_database.cursor() as cursor:
        cursor.execute("set timezone to 'Pacific/Auckland'; set datestyle to 'SQL, DMY'")
    shop_database.commit()
    write_landing(shop_database, tmp_path, SETTINGS, [LAST_DAY])

    assert fingerprint(tmp_path).items() <= fingerprint(landing).items()


def test_files_that_are_there_are_kept_and_missing_ones_are_made(shop_database, tmp_path):
    write_landing(shop_database, tmp_path, SMALL, DAYS[:2])
    whole = fingerprint(tmp_path)
    kept = drop_file(tmp_path, "users", DAYS[0], compress=False)
    kept.write_text("kept")
    lost = drop_file(tmp_path, "events", DAYS[1], compress=False)
    lost.unlink()

    assert write_landing(shop_database, tmp_path, SMALL, DAYS[:2]) == [lost]
    assert kept.read_text() == "kept"
    assert write_landing(shop_database, tmp_path, SMALL, DAYS[:2]) == []
    assert len(write_landing(shop_database, tmp_path, SMALL, DAYS[:2], overwrite=True)) == 14
    assert fingerprint(tmp_path) == whole


def test_compressed_files_hold_the_same_rows_and_replace_the_plain_ones(shop_database, tmp_path):
    plain = write_landing(shop_database, tmp_path, SMALL, DAYS[:1])
    content = {file.parent.name: rows(file) for file in plain}
    assert write_landing(shop_database, tmp_path, SMALL, DAYS[:1], compress=True) == []

    packed = write_landing(shop_database, tmp_path, SMALL, DAYS[:1], compress=True, overwrite=True)
    assert {file.parent.name: rows(file) for file in packed} == content
    assert {file.suffix for file in tmp_path.glob("*/*")} == {".gz"}
    before = fingerprint(tmp_path)
    write_landing(shop_database, tmp_path, SMALL, DAYS[:1], compress=True, overwrite=True)
    assert fingerprint(tmp_path) == before


def test_nothing_is_left_in_the_database(shop_database, tmp_path):
    write_landing(shop_database, tmp_path, SMALL, DAYS[:1])
    with shop_database.cursor() as cursor:
        cursor.execute("select count(*) from pg_class where relname like 'demo\\_%'")
        assert cursor.fetchone() == (0,)
        cursor.execute("select count(*) from pg_proc where proname = 'made_id'")
        assert cursor.fetchone() == (0,)


def test_a_connection_with_work_of_its_own_is_refused(shop_database, tmp_path):
    shop_database.cursor().execute("select 1")
    with pytest.raises(DemoError, match="between transactions"):
        write_landing(shop_database, tmp_path, SMALL, DAYS[:1])


def test_a_file_that_fails_half_way_leaves_what_was_there(tmp_path):
    target = tmp_path / "orders" / "2026-03-01.csv"
    with replacing(target) as stream:
        stream.write(b"whole\n")

    def fail_half_way() -> None:
        with replacing(target) as stream:
            stream.write(b"half")
            assert [file.name[0] for file in target.parent.iterdir() if file != target] == ["."]
            raise ConnectionError

    with pytest.raises(ConnectionError):
        fail_half_way()
    assert target.read_bytes() == b"whole\n"
    assert list(target.parent.iterdir()) == [target]


def test_a_run_that_died_is_completed_by_the_next(shop_database, tmp_path, monkeypatch):
    write_landing(shop_database, tmp_path / "whole", SMALL, DAYS[:3])
    export = generate._export

    def die_at_orders(statements, settings, table, day, target):
        if (table, day) == ("orders", DAYS[1]):
            raise KeyboardInterrupt
        export(statements, settings, table, day, target)

    monkeypatch.setattr(generate, "_export", die_at_orders)
    with pytest.raises(KeyboardInterrupt):
        write_landing(shop_database, tmp_path / "died", SMALL, DAYS[:3])
    assert len(fingerprint(tmp_path / "died")) == 11

    monkeypatch.undo()
    write_landing(shop_database, tmp_path / "died", SMALL, DAYS[:3])
    assert fingerprint(tmp_path / "died") == fingerprint(tmp_path / "whole")


def test_the_folder_of_another_shop_is_refused_in_words(shop_database, tmp_path):
    write_landing(shop_database, tmp_path, SMALL, DAYS[:1])
    before = fingerprint(tmp_path)
    other = replace(SMALL, seed=4, users=21)

    with pytest.raises(DemoError, match=r"seed 3 instead of 4, users 20 instead of 21\. Ask"):
        write_landing(shop_database, tmp_path, other, DAYS[:2])
    with pytest.raises(DemoError, match="holds another demo shop"):
        plant_fault(shop_database, tmp_path, other, DAYS[0], "null_key")
    assert fingerprint(tmp_path) == before


def test_the_note_is_kept_beside_the_files_under_a_name_the_loader_passes_over(tmp_path):
    claim(tmp_path, SMALL)
    assert [file.name for file in tmp_path.iterdir()] == [NOTE]
    assert NOTE.startswith("_")
    assert read_note(tmp_path).settings == SMALL
    assert read_note(tmp_path / "elsewhere") is None


def test_a_note_that_cannot_be_read_is_named(tmp_path):
    Path(tmp_path, NOTE).write_text("{")
    with pytest.raises(DemoError, match=r"_demo\.json can't be read"):
        read_note(tmp_path)


def test_a_day_before_the_shop_opened_is_refused(shop_database, tmp_path):
    with pytest.raises(DemoError, match="no drop for 2026-02-28"):
        write_landing(shop_database, tmp_path, SMALL, [date(2026, 2, 28)])
    with pytest.raises(DemoError, match="nothing up to 2026-02-28"):
        days_until(SMALL, date(2026, 2, 28))


@pytest.mark.parametrize("size", [{"users": 4}, {"sessions_per_day": 0}], ids=["users", "visits"])
def test_a_shop_too_small_is_refused(size):
    with pytest.raises(DemoError, match="give from"):
        replace(SMALL, **size)


def test_visits_follow_the_number_of_users_unless_they_are_given():
    assert default_settings(date(2026, 3, 30), users=800).sessions_per_day == 100
    assert default_settings(date(2026, 3, 30), sessions_per_day=7).sessions_per_day == 7
    assert default_settings(date(2026, 3, 30), days=30).first_day == date(2026, 3, 1)


def test_all_seven_tables_are_written(landing):
    assert sorted(folder.name for folder in landing.iterdir() if folder.is_dir()) == sorted(TABLES)
