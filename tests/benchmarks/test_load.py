"""The benchmark compares equals: whatever the way, the same rows arrive."""

from __future__ import annotations

import contextlib
import csv

import pytest

from benchmarks.load import table
from benchmarks.load.clients.timing import COLUMNS
from benchmarks.load.databases import Databases
from benchmarks.load.files import Rows, make
from benchmarks.load.measure import Measured
from benchmarks.load.scenarios import SCENARIOS, Scenario
from benchmarks.load.trial import TARGET, Bench
from benchmarks.load.ways import WAYS

ROWS = Rows.at(0.001)
CELLS = [
    pytest.param(scenario, way, id=f"{scenario}-{way}")
    for way in WAYS
    for scenario in ("first-1m", "new-50k", "changed", "from-postgres")
    if scenario in WAYS[way].scenarios
]


@pytest.fixture(scope="module")
def bench(server, tmp_path_factory) -> Bench:
    folder = tmp_path_factory.mktemp("bench")
    with contextlib.closing(server.connect("analyst")) as connection:
        make(folder, ROWS, connection)
    return Bench(Databases(server), folder, ROWS)


def rows_of_files(bench: Bench, scenario: Scenario) -> list[tuple[str | None, ...]]:
    rows = {}
    for name in (scenario.before, scenario.file):
        if name:
            with open(bench.file(name), newline="") as file:
                rows |= {row["event_id"]: row for row in csv.DictReader(file)}
    return sorted(tuple(row[name] or None for name in COLUMNS) for row in rows.values())


def rows_of_table(bench: Bench, name: str) -> list[tuple[str | None, ...]]:
    instant = """to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"""
    columns = ", ".join(instant if name == "created_at" else name for name in COLUMNS)
    return bench.databases.run(f"select {columns} from {name} order by event_id", TARGET)


@pytest.mark.slow
@pytest.mark.rare
@pytest.mark.parametrize(("scenario", "way"), CELLS)
def test_every_way_brings_the_same_rows(bench, scenario, way) -> None:
    if not WAYS[way].needs.is_file():
        pytest.skip(f"{way} is not installed: `make bench-load` does it")
    measured = bench.measure(SCENARIOS[scenario], WAYS[way])
    assert measured.error is None
    arrived = rows_of_table(bench, WAYS[way].table)
    assert len(arrived) == SCENARIOS[scenario].rows(ROWS)
    assert arrived == rows_of_files(bench, SCENARIOS[scenario])


def test_files_are_as_large_as_they_say_and_differ_where_they_should(bench) -> None:
    lines = {
        name: bench.file(name).read_text().splitlines()
        for name in ("small", "large", "new", "changed", "bad")
    }
    counts = {name: len(rows) - 1 for name, rows in lines.items()}
    assert counts == {"small": 1000, "large": 5000, "new": 50, "changed": 1000, "bad": 1000}
    assert lines["large"][:1001] == lines["small"]
    assert not set(lines["new"][1:]) & set(lines["large"])
    changed = [
        one for one, other in zip(lines["small"], lines["changed"], strict=True) if one != other
    ]
    assert len(changed) == 10
    assert sum(one != other for one, other in zip(lines["small"], lines["bad"], strict=True)) == 1


def test_a_way_that_brings_other_rows_is_told(bench) -> None:
    # the keyless table takes the same events twice
    bench.databases.copy(bench.start_state("keyless", None), TARGET)
    for _ in range(2):
        bench.load(SCENARIOS["first-1m"], WAYS["copy-keyless"], TARGET)
    assert (
        bench.verdict(SCENARIOS["first-1m"], "public.events", TARGET) == "2000 rows instead of 1000"
    )


def test_table_gives_the_median_beside_the_first_way() -> None:
    def runs(*walls: float) -> list[Measured]:
        return [Measured(wall + 1, wall, 2 * wall, 3 << 20, 1 << 20) for wall in walls]

    text = table.render(
        SCENARIOS["first-1m"],
        [
            (WAYS["copy"], runs(2.0, 9.0, 1.0)),
            (WAYS["ours"], runs(4.0)),
            (WAYS["dlt"], [Measured(1, 1, 1, 1, 1, "no such file")]),
        ],
    )
    assert r"| `psql \copy` | 2.00 | 3.00 | 4.00 | 3 | 1 | 1.00 |" in text
    assert "| **this loader** | 4.00 | 5.00 | 8.00 | 3 | 1 | 0.50 |" in text
    assert "loads nothing (1.00): no such file" in text


def test_tables_go_between_the_marks_and_nowhere_else() -> None:
    document = f"before\n{table.MARKS[0]}\nold\n{table.MARKS[1]}\nafter"
    once = table.put_between_marks(document, "new")
    assert once == f"before\n{table.MARKS[0]}\n\nnew\n\n{table.MARKS[1]}\nafter"
    assert table.put_between_marks(once, "new") == once
    with pytest.raises(ValueError, match="no lines"):
        table.put_between_marks("nothing here", "new")
