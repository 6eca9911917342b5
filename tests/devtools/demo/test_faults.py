"""Each kind of fault does what it says, to many rows of one file, and can be mended."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from devtools.demo.__main__ import main
from devtools.demo.faults import KINDS, damaged
from devtools.demo.generate import mend, plant_fault, write_landing
from devtools.demo.settings import DemoError, DemoSettings, Fault, days_until, read_note
from tests.devtools.demo.judge import Shop, broken_rules, fingerprint, rows

SETTINGS = DemoSettings(date(2026, 3, 1), seed=5, users=60, sessions_per_day=30)
DAYS = days_until(SETTINGS, date(2026, 3, 3))


@pytest.fixture
def folder(shop_database, tmp_path) -> Path:
    write_landing(shop_database, tmp_path, SETTINGS, DAYS)
    return tmp_path


def planted(shop_database, folder: Path, kind: str) -> tuple[list[dict], list[dict]]:
    """Return the rows of the file before and after the fault; no other file changes."""
    file = folder / KINDS[kind].table / f"{DAYS[-1]}.csv"
    before, files = rows(file), fingerprint(folder)
    assert plant_fault(shop_database, folder, SETTINGS, DAYS[-1], kind) == file
    changed = {name for name, value in fingerprint(folder).items() if files[name] != value}
    assert changed == {str(file.relative_to(folder))}
    return before, rows(file)


def test_null_key_empties_one_order_id_in_five(shop_database, folder):
    before, after = planted(shop_database, folder, "null_key")
    empty = [row for row in after if row["order_id"] == ""]
    assert len(after) == len(before)
    assert len(empty) == -(-len(before) // 5) > 2


def test_duplicate_order_repeats_orders_with_another_total(shop_database, folder):
    before, after = planted(shop_database, folder, "duplicate_order")
    twice = [key for key, count in Counter(row["order_id"] for row in after).items() if count == 2]
    assert len(twice) == len(after) - len(before) > 2
    assert len({(row["order_id"], row["order_total"]) for row in after}) == len(after)


def test_orphan_item_names_products_that_do_not_exist(shop_database, folder):
    before, after = planted(shop_database, folder, "orphan_item")
    products = {row["product_id"] for row in rows(folder / "products" / f"{DAYS[-1]}.csv")}
    orphans = [row for row in after if row["product_id"] not in products]
    assert len(after) == len(before)
    assert len(orphans) == -(-len(before) // 5) > 2
    assert {len(row["product_id"]) for row in orphans} == {36}


def test_orphan_order_names_users_that_do_not_exist(shop_database, folder):
    before, after = planted(shop_database, folder, "orphan_order")
    users = {row["user_id"] for row in rows(folder / "users" / f"{DAYS[-1]}.csv")}
    assert sum(row["user_id"] not in users for row in after) == -(-len(before) // 5) > 2


def test_negative_quantity_goes_below_zero(shop_database, folder):
    before, after = planted(shop_database, folder, "negative_quantity")
    assert sum(int(row["quantity"]) < 0 for row in after) == -(-len(before) // 5) > 2


def test_unknown_status_teleports_orders(shop_database, folder):
    before, after = planted(shop_database, folder, "unknown_status")
    assert sum(row["status"] == "teleported" for row in after) == -(-len(before) // 5) > 2


def test_missing_column_takes_order_id_from_header_and_rows(shop_database, folder):
    before, after = planted(shop_database, folder, "missing_column")
    assert after == [
        {column: value for column, value in row.items() if column != "order_id"} for row in before
    ]


def test_garbage_line_puts_lines_that_are_no_rows_among_the_events(shop_database, folder):
    before, after = planted(shop_database, folder, "garbage_line")
    broken = [row for row in after if None in row.values()]
    assert len(after) - len(before) == len(broken) > len(before) / 6
    assert [row for row in after if row not in broken] == before


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_is_noted_survives_the_daily_call_and_is_mended_whole(shop_database, folder, kind):
    whole = fingerprint(folder)
    file = plant_fault(shop_database, folder, SETTINGS, DAYS[-1], kind)
    broken = fingerprint(folder)
    assert broken != whole
    assert read_note(folder).fault == Fault(kind, DAYS[-1])

    write_landing(shop_database, folder, SETTINGS, DAYS)
    assert fingerprint(folder) == broken

    assert mend(shop_database, folder, SETTINGS) == [file]
    assert fingerprint(folder) == whole
    assert read_note(folder).fault is None
    assert mend(shop_database, folder, SETTINGS) == []


@pytest.mark.parametrize(
    "kind", ["null_key", "duplicate_order", "orphan_item", "orphan_order", "negative_quantity"]
)
def test_the_judge_of_the_rules_sees_the_fault(shop_database, folder, kind):
    assert broken_rules(Shop.read(folder), DAYS[-1]) == []
    plant_fault(shop_database, folder, SETTINGS, DAYS[-1], kind)
    assert len(broken_rules(Shop.read(folder), DAYS[-1])) > 0


def test_a_second_fault_mends_the_first(shop_database, folder):
    whole = fingerprint(folder)
    plant_fault(shop_database, folder, SETTINGS, DAYS[0], "garbage_line")
    file = plant_fault(shop_database, folder, SETTINGS, DAYS[1], "null_key")

    changed = {name for name, value in fingerprint(folder).items() if whole[name] != value}
    assert changed == {str(file.relative_to(folder))}


def test_a_compressed_drop_can_be_broken_and_mended(shop_database, tmp_path):
    write_landing(shop_database, tmp_path, SETTINGS, DAYS, compress=True)
    whole = fingerprint(tmp_path)
    file = plant_fault(shop_database, tmp_path, SETTINGS, DAYS[1], "unknown_status")
    assert "teleported" in {row["status"] for row in rows(file)}

    mend(shop_database, tmp_path, SETTINGS)
    assert fingerprint(tmp_path) == whole


def test_what_is_not_there_cannot_be_broken(shop_database, folder):
    with pytest.raises(DemoError, match="no drop of 2026-03-04"):
        plant_fault(shop_database, folder, SETTINGS, date(2026, 3, 4), "null_key")
    with pytest.raises(DemoError, match="no fault `rain`"):
        plant_fault(shop_database, folder, SETTINGS, DAYS[0], "rain")


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"missing_column", "garbage_line"}))
def test_a_file_without_rows_stays_as_it_is(kind):
    assert list(damaged(kind, ["order_id,user_id\n"])) == ["order_id,user_id\n"]


# --- the command


@pytest.fixture
def command(server, tmp_path, monkeypatch):
    monkeypatch.setenv("GREENERY_DEMO_DATABASE_URL", server.url("analyst"))

    def run(*arguments: str, today: date = date(2026, 3, 4)) -> int:
        small = ("--out", str(tmp_path / "shop"), "--users", "20", "--days", "3")
        return main([*small, *arguments], today=today)

    return run


def test_the_command_ends_yesterday_and_adds_a_drop_a_day_later(command, tmp_path):
    assert command() == 0
    first = fingerprint(tmp_path / "shop")
    assert {name[-14:-4] for name in first} == {"2026-03-01", "2026-03-02", "2026-03-03"}

    assert command(today=date(2026, 3, 5)) == 0
    added = fingerprint(tmp_path / "shop").items() - first.items()
    assert {name[-14:-4] for name, _ in added} == {"2026-03-04"}
    assert len(added) == 7


def test_the_command_breaks_the_last_drop_and_mends_it_when_called_again(command, tmp_path, capsys):
    command()
    whole = fingerprint(tmp_path / "shop")
    assert command("--break", "unknown_status") == 0
    assert "This stops the dbt test of the known statuses" in capsys.readouterr().out
    assert fingerprint(tmp_path / "shop") != whole

    assert command() == 0
    assert "Mended" in capsys.readouterr().out
    assert fingerprint(tmp_path / "shop") == whole


def test_the_command_goes_on_with_the_shop_of_the_folder(command, tmp_path):
    assert command("--seed", "9", "--sessions-per-day", "4") == 0
    made_from = read_note(tmp_path / "shop").settings
    assert (made_from.seed, made_from.sessions_per_day) == (9, 4)

    assert command("--days", "90", "--overwrite", today=date(2026, 3, 5)) == 0
    assert read_note(tmp_path / "shop").settings == made_from
    assert len(fingerprint(tmp_path / "shop")) == 7 * 4


def test_the_command_refuses_another_shop_in_one_sentence(command, capsys):
    command()
    assert command("--seed", "2") == 1
    assert "holds another demo shop: seed 1 instead of 2" in capsys.readouterr().err


def test_help_says_of_every_kind_what_it_stops(command, capsys):
    with pytest.raises(SystemExit):
        command("--help")
    text = capsys.readouterr().out
    assert all(f"  {kind} " in text and fault.stops in text for kind, fault in KINDS.items())
