"""What must hold for any file and for any order of files."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from unittest import mock

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from elt.loading import merge
from elt.loading.contract import Column, Table

from .conftest import Shop, empty

TEXTS = Table(
    "texts",
    (Column("place", "integer"), Column("a", "text"), Column("b", "text")),
    primary_key=("place",),
    load="delta",
)
bounded = settings(
    max_examples=30,
    deadline=None,
    # the warehouse is emptied by hand before each example
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
fields = st.text(
    st.one_of(
        st.sampled_from(list("\",\n\r\\. 'N;\t")),
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
    ),
    max_size=12,
)


def quoted(value: str, always: bool) -> str:
    if always or any(character in value for character in '",\r\n'):
        return '"' + value.replace('"', '""') + '"'
    return value


@bounded
@given(
    rows=st.lists(st.tuples(fields, st.booleans(), fields, st.booleans()), max_size=8),
    end=st.sampled_from(["\n", "\r\n"]),
    has_last_end=st.booleans(),
    has_bom=st.booleans(),
)
def test_a_file_arrives_as_python_reads_it(shop: Shop, rows, end, has_last_end, has_bom):
    empty(shop.warehouse)
    lines = ["place,a,b"]
    for place, (a, quote_a, b, quote_b) in enumerate(rows):
        lines.append(f"{place},{quoted(a, quote_a)},{quoted(b, quote_b)}")
    text = end.join(lines) + (end if has_last_end else "")
    expected = [
        (int(place), a or None, b or None)
        for place, a, b in list(csv.reader(io.StringIO(text, newline="")))[1:]
    ]
    shop.write("texts.csv", ("\ufeff" if has_bom else "") + text)
    shop.load(TEXTS)
    assert shop.rows("select place, a, b from raw.texts order by place") == expected


@dataclass
class Model:
    """The rows of a table in plain Python: key → (group, version, whether it is deleted)."""

    table: Table
    rows: dict[str, tuple[str, int, bool]] = field(default_factory=dict)
    log: list[tuple] = field(default_factory=list)

    def load(self, drop: dict[str, tuple[str, int]]) -> tuple[int, int, int, int]:
        """Apply a drop; return how many rows were inserted, updated, unchanged and deleted."""
        inserted = updated = deleted = 0
        for key, (group, version) in drop.items():
            if key not in self.rows:
                inserted += 1
                self.rows[key] = (group, version, False)
                continue
            old_group, old_version, was_deleted = self.rows[key]
            if self.table.version and version < old_version:
                group, version = old_group, old_version
            if self.rows[key] != (group, version, False):
                updated += 1
                self.rows[key] = (group, version, False)
                self.log.append(("revive" if was_deleted else "update", key, old_group, group))
        for key, (group, version, was_deleted) in self.rows.items():
            if self.table.load == "full_snapshot" and key not in drop and not was_deleted:
                deleted += 1
                self.rows[key] = (group, version, True)
                self.log.append(("delete", key, group, None))
        return inserted, updated, len(drop) - inserted - updated, deleted


def grouped(load: str, version: str | None) -> Table:
    columns = (Column("id", "text"), Column("band", "text"), Column("v", "bigint"))
    return Table("grouped", columns, ("id",), load, version, ("band",))


drops = st.dictionaries(
    st.sampled_from("abcdef"), st.tuples(st.sampled_from("xyz"), st.integers(0, 3)), max_size=6
)


@bounded
@given(
    sequence=st.lists(drops, min_size=1, max_size=5),
    load=st.sampled_from(["delta", "full_snapshot"]),
    version=st.sampled_from([None, "v"]),
    # whether a drop counts as few rows beside those that are known
    are_few=st.booleans(),
)
def test_any_sequence_of_drops_equals_the_model(shop: Shop, sequence, load, version, are_few):
    empty(shop.warehouse)
    for old in shop.folder.glob("*/*.csv"):
        old.unlink()
    table = grouped(load, version)
    model = Model(table)
    expected = []
    for number, drop in enumerate(sequence):
        lines = [f"{key},{band},{v}\n" for key, (band, v) in drop.items()]
        shop.write(f"grouped/{number}.csv", "id,band,v\n" + "".join(lines))
        expected.append((len(drop), *model.load(drop)))

    with mock.patch.object(merge, "FEW_SHARE", 0 if are_few else merge.FEW_SHARE):
        results = shop.load(table, confirm_shrunk=["grouped"])

    assert [
        (r.rows_read, r.rows_inserted, r.rows_updated, r.rows_unchanged, r.rows_deleted)
        for r in results
    ] == expected
    state = shop.rows("select id, band, v, _deleted_at is not null from raw.grouped")
    assert {key: tuple(values) for key, *values in state} == model.rows
    bands = "old_key ->> 'band', new_key ->> 'band'"
    log = shop.rows(f"select change, old_key ->> 'id', {bands} from raw.change_log")
    assert sorted(log, key=str) == sorted(model.log, key=str)
    before = shop.rows("select xmin::text, * from raw.grouped order by id")
    again = shop.load(table, confirm_shrunk=["grouped"])
    assert {result.status for result in again} == {"skipped"}
    assert shop.rows("select xmin::text, * from raw.grouped order by id") == before
