"""Drops in any order of arrival: the later name wins, whatever is still there."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from elt.loading.contract import Column, Table
from elt.loading.files.file_names import place
from elt.loading.quarantine.replay import replay

from .conftest import VISITS, Shop, empty

HEADER = "visit_id,page,seconds\n"
VERSIONED = replace(VISITS, version="seconds")
SNAPSHOT = replace(VISITS, load="full_snapshot")


def warnings(shop: Shop) -> list[str]:
    return [
        message
        for (message,) in shop.rows(
            "select message from ops.load_warning where kind = 'late_file' order by warning_id"
        )
    ]


def deliver(shop: Shop, path: str, *rows: str, table: Table = VISITS, keep: bool = True) -> None:
    """Put a file there and load; it may be cleared away afterwards."""
    shop.write(path, HEADER + "".join(f"{row}\n" for row in rows))
    shop.load(table, confirm_shrunk=[table.name])
    if not keep:
        (shop.folder / path).unlink()


def test_drops_are_taken_in_natural_order_across_folders(shop: Shop):
    shop.write("visits/dt=2021-02-10/part-0.csv", HEADER + "a,newest,1\n")
    shop.write("visits/dt=2021-02-9/part-10.CSV", HEADER + "a,newer,1\n")
    shop.write("visits/dt=2021-02-9/part-9.csv", HEADER + "a,old,1\n")
    assert [result.source_file for result in shop.load()] == [
        "visits/dt=2021-02-9/part-9.csv",
        "visits/dt=2021-02-9/part-10.CSV",
        "visits/dt=2021-02-10/part-0.csv",
    ]
    assert shop.visits() == [("a", "newest", 1)]
    assert {result.status for result in shop.load()} == {"skipped"}


def test_a_late_drop_leaves_alone_what_a_later_one_that_is_gone_has_brought(shop: Shop):
    deliver(shop, "visits/8.csv", "c,old,5", keep=False)
    deliver(shop, "visits/10.csv", "a,new,5", keep=False)
    deliver(shop, "visits/9.csv", "a,late,5", "b,late,5", "c,late,5")
    assert shop.visits() == [("a", "new", 5), ("b", "late", 5), ("c", "late", 5)]
    (warning,) = warnings(shop)
    assert warning.startswith("visits/9.csv comes before visits/10.csv: loaded already, and not")
    assert "left out, because these had brought newer ones: 1." in warning
    assert "Older rows of raw.visits that it replaced: 1;" in warning
    (counts,) = shop.rows(
        "select rows_read, rows_inserted, rows_updated, rows_unchanged from ops.load "
        "where source_file = 'visits/9.csv'"
    )
    assert counts == (3, 1, 1, 1)
    assert {result.status for result in shop.load()} == {"skipped"}
    shop.touch("visits/9.csv")
    shop.load()
    assert len(warnings(shop)) == 1


def test_a_late_drop_with_new_rows_only_is_no_trouble(shop: Shop):
    deliver(shop, "visits/10.csv", "a,new,5", keep=False)
    deliver(shop, "visits/9.csv", "b,late,5")
    assert len(shop.visits()) == 2
    assert warnings(shop) == []


def test_a_full_file_that_comes_first_after_its_drops_are_gone_is_late_too(shop: Shop):
    deliver(shop, "visits/1.csv", "a,new,5", keep=False)
    deliver(shop, "visits.csv", "a,late,5", "b,late,5")
    assert shop.visits() == [("a", "new", 5), ("b", "late", 5)]
    assert len(warnings(shop)) == 1


def test_a_full_file_that_is_written_anew_is_a_new_export_and_says_what_it_replaces(shop: Shop):
    deliver(shop, "visits.csv", "a,old,5")
    deliver(shop, "visits/1.csv", "a,new,5", keep=False)
    deliver(shop, "visits.csv", "a,newest,5")
    assert shop.visits() == [("a", "newest", 5)]
    (warning,) = warnings(shop)
    assert "It was written anew and counts as newer." in warning
    assert "that it has too: 1;" in warning


def test_a_full_file_written_anew_does_not_beat_drops_that_are_there(shop: Shop):
    deliver(shop, "visits.csv", "a,old,5")
    deliver(shop, "visits/1.csv", "a,new,5")
    deliver(shop, "visits.csv", "a,newest,5")
    assert shop.visits() == [("a", "new", 5)]


def test_a_new_column_does_not_bring_back_the_rows_of_the_files_that_are_left(shop: Shop):
    deliver(shop, "visits/1.csv", "a,old,5")
    deliver(shop, "visits/2.csv", "a,new,5", keep=False)
    wider = replace(VISITS, columns=(*VISITS.columns, Column("colour", "text")))
    shop.load(wider)
    assert shop.visits() == [("a", "new", 5)]
    assert len(warnings(shop)) == 1


def test_the_version_decides_and_between_equals_the_later_file(shop: Shop):
    deliver(shop, "visits/10.csv", "a,new,5", "b,new,5", "c,new,", table=VERSIONED, keep=False)
    deliver(shop, "visits/9.csv", "a,late,6", "b,late,5", "c,late,", table=VERSIONED)
    assert shop.visits() == [("a", "late", 6), ("b", "new", 5), ("c", "new", None)]


def test_a_snapshot_that_comes_late_says_nothing_about_what_there_is(shop: Shop):
    deliver(shop, "visits/8.csv", "a,old,5", "b,same,5", table=SNAPSHOT, keep=False)
    deliver(shop, "visits/10.csv", "b,same,5", "c,new,5", table=SNAPSHOT, keep=False)
    deliver(shop, "visits/9.csv", "a,late,5", "c,late,5", "d,late,5", table=SNAPSHOT)
    living = shop.rows("select visit_id, page from raw.visits where _deleted_at is null order by 1")
    assert living == [("b", "same"), ("c", "new")]
    (warning,) = warnings(shop)
    assert "A later snapshot says all that there is: nothing of it was loaded." in warning
    deliver(shop, "visits/11.csv", "e,newest,5", table=SNAPSHOT)
    assert shop.rows("select visit_id from raw.visits where _deleted_at is null") == [("e",)]
    assert {result.status for result in shop.load(SNAPSHOT)} == {"skipped"}


def test_a_full_snapshot_written_anew_counts_though_a_drop_after_it_was_taken_away(shop: Shop):
    deliver(shop, "visits.csv", "a,old,5", table=SNAPSHOT)
    deliver(shop, "visits/mistake.csv", "b,wrong,5", table=SNAPSHOT, keep=False)
    deliver(shop, "visits.csv", "a,right,5", table=SNAPSHOT)
    assert shop.rows("select visit_id, page from raw.visits where _deleted_at is null") == [
        ("a", "right")
    ]
    assert len(warnings(shop)) == 1


def test_a_snapshot_counts_again_after_its_table_was_dropped(shop: Shop):
    deliver(shop, "visits/1.csv", "a,old,5", table=SNAPSHOT)
    deliver(shop, "visits/2.csv", "a,new,5", table=SNAPSHOT)
    deliver(shop, "visits/3.csv", "a,newest,5", table=SNAPSHOT, keep=False)
    shop.warehouse.run("drop table raw.visits")
    shop.load(SNAPSHOT)
    assert shop.visits() == [("a", "new", 5)]


def by_bytes(path: str) -> tuple:
    return ("/" in path, path)


def test_files_that_byte_order_took_wrongly_once_are_put_right_if_they_are_there(
    shop: Shop, monkeypatch
):
    for number in (9, 10, 11):
        shop.write(f"visits/{number}.csv", f"{HEADER}a,{number},5\n")
    with monkeypatch.context() as before:
        for module in ("find_files", "load_order"):
            before.setattr(f"elt.loading.files.{module}.place", by_bytes)
        shop.load()
    assert shop.visits() == [("a", "9", 5)]
    assert [result.status for result in shop.load()] == ["skipped", "loaded", "loaded"]
    assert shop.visits() == [("a", "11", 5)]
    assert warnings(shop) == []


def test_files_that_byte_order_took_wrongly_once_are_named_if_they_are_gone(
    shop: Shop, monkeypatch
):
    for number in (9, 10):
        shop.write(f"visits/{number}.csv", f"{HEADER}a,{number},5\n")
    with monkeypatch.context() as before:
        for module in ("find_files", "load_order"):
            before.setattr(f"elt.loading.files.{module}.place", by_bytes)
        shop.load()
    (shop.folder / "visits/10.csv").unlink()
    shop.load()
    shop.load()
    (warning,) = warnings(shop)
    assert warning.startswith("visits/9.csv was loaded after visits/10.csv, as byte order has it.")


BAD = "a,bad,long"
GOOD = [f"{number},x,5" for number in range(200)]


def mend(shop: Shop) -> None:
    shop.warehouse.run("delete from ops.run_lease")
    shop.warehouse.run("update ops.quarantine set row_text = replace(row_text, 'long', '7')")
    replay({"visits": VISITS}, "a replay")


def test_a_late_row_that_was_mended_in_quarantine_does_not_beat_a_later_file(
    shop: Shop,
):
    deliver(shop, "visits/10.csv", "a,new,5", keep=False)
    deliver(shop, "visits/9.csv", BAD, *GOOD)
    mend(shop)
    assert shop.rows("select page from raw.visits where visit_id = 'a'") == [("new",)]


def test_a_row_in_quarantine_is_not_closed_by_a_late_one_and_wins_when_it_is_mended(
    shop: Shop,
):
    deliver(shop, "visits/10.csv", BAD, *GOOD, keep=False)
    deliver(shop, "visits/9.csv", "a,late,5")
    mend(shop)
    assert shop.rows("select page from raw.visits where visit_id = 'a'") == [("bad",)]


NAMES = ("1", "2", "9", "10", "11", "100")
files = st.dictionaries(
    st.sampled_from("abcd"), st.tuples(st.sampled_from("xyz"), st.integers(0, 2)), max_size=4
)


def in_natural_order(contents: dict[str, dict], table: Table) -> dict[str, tuple]:
    """Return the living rows as they must be in the end."""
    rows: dict[str, tuple] = {}
    for name in sorted(contents, key=lambda name: place(f"visits/{name}.csv")):
        if table.load == "full_snapshot":
            rows = {key: value for key, value in rows.items() if key in contents[name]}
        for key, (page, version) in contents[name].items():
            if not table.version or key not in rows or version >= rows[key][1]:
                rows[key] = (page, version)
    return rows


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    contents=st.dictionaries(st.sampled_from(NAMES), files, min_size=2),
    order=st.permutations(NAMES),
    cleared=st.sets(st.sampled_from(NAMES)),
    together=st.sets(st.sampled_from(NAMES)),
    table=st.sampled_from([VISITS, VERSIONED, SNAPSHOT]),
)
def test_files_in_any_order_end_as_in_natural_order_or_say_so(
    shop: Shop, contents, order, cleared, together, table
):
    """Some come with the next one, some are cleared away as soon as they were loaded."""
    empty(shop.warehouse)
    for old in shop.folder.glob("visits/*.csv"):
        old.unlink()
    for name in [name for name in order if name in contents]:
        rows = "".join(f"{key},{page},{v}\n" for key, (page, v) in contents[name].items())
        shop.write(f"visits/{name}.csv", HEADER + rows)
        if name in together:
            continue
        shop.load(table, confirm_shrunk=["visits"])
        for gone in cleared:
            (shop.folder / f"visits/{gone}.csv").unlink(missing_ok=True)
    is_there = any((shop.folder / "visits").iterdir())
    if is_there:
        shop.load(table, confirm_shrunk=["visits"])
    rows = shop.rows("select visit_id, page, seconds from raw.visits where _deleted_at is null")
    if not warnings(shop):
        assert {key: tuple(values) for key, *values in rows} == in_natural_order(contents, table)
    again = shop.load(table, confirm_shrunk=["visits"]) if is_there else []
    assert {result.status for result in again} <= {"skipped"}
