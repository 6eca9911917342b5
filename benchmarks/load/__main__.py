"""Measure the loader beside its peers: ``python -m benchmarks.load --help``."""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

from benchmarks.load import table
from benchmarks.load.databases import started
from benchmarks.load.files import Rows, make
from benchmarks.load.measure import Measured
from benchmarks.load.scenarios import SCENARIOS
from benchmarks.load.trial import Bench
from benchmarks.load.ways import WAYS

ROOT = Path(__file__).parents[2]


def main() -> None:
    options = _parser().parse_args()
    folder = options.folder / f"{options.scale:g}"
    folder.mkdir(parents=True, exist_ok=True)
    results = folder / "results.json"
    known = json.loads(results.read_text()) if results.exists() and not options.fresh else {}
    if not options.render:
        rows = Rows.at(options.scale)
        with started(folder / "server", keep=options.keep) as databases:
            with contextlib.closing(databases.server.connect("analyst")) as connection:
                make(folder, rows, connection)
            bench = Bench(databases, folder, rows)
            found: dict[str, list[dict]] = {}
            for number in range(1, options.repeat + 1):
                for scenario, way in _wanted(options):
                    measured = bench.measure(SCENARIOS[scenario], WAYS[way])
                    found.setdefault(f"{scenario} {way}", []).append(asdict(measured))
                    known |= found
                    results.write_text(json.dumps(known, indent=1))
                    print(number, scenario, way, _short(measured), file=sys.stderr, flush=True)
        if not options.keep:
            shutil.rmtree(folder / "work", ignore_errors=True)
    tables = _tables(known)
    print(tables)
    if options.out:
        options.out.write_text(table.put_between_marks(options.out.read_text(), tables))


def _wanted(options: argparse.Namespace) -> list[tuple[str, str]]:
    cells = []
    for scenario in options.scenario or SCENARIOS:
        for name, way in WAYS.items():
            if scenario not in way.scenarios or (options.peer and name not in options.peer):
                continue
            if way.needs.is_file():
                cells.append((scenario, name))
            else:
                print(f"{name} is not installed: `make bench-load` does it.", file=sys.stderr)
    return cells


def _short(measured: Measured) -> str:
    if measured.error:
        return f"FAILED after {measured.wall:.2f} s: {measured.error}"
    return f"{measured.wall:.2f} s, {measured.cpu:.2f} CPU s, {measured.peak_bytes / 2**20:.0f} MiB"


def _tables(known: dict[str, list[dict]]) -> str:
    parts = []
    for scenario in SCENARIOS.values():
        cells = [
            (way, [Measured(**run) for run in known[f"{scenario.name} {way.name}"]])
            for way in WAYS.values()
            if f"{scenario.name} {way.name}" in known
        ]
        if cells:
            parts.append(table.render(scenario, cells))
    return "\n\n".join(parts)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    add = parser.add_argument
    add("--scenario", action="append", choices=list(SCENARIOS), help="only this one (repeatable)")
    add("--peer", action="append", choices=list(WAYS), help="only this way (repeatable)")
    add("--repeat", type=int, default=3, help="how often (default: %(default)s)")
    add("--scale", type=float, default=1.0, help="a share of the rows (default: %(default)s)")
    add("--folder", type=Path, default=ROOT / ".local/bench-load", help="default: %(default)s")
    add("--fresh", action="store_true", help="forget the results of other calls")
    add("--render", action="store_true", help="measure nothing, print what was measured")
    add("--keep", action="store_true", help="keep server and start states for the next call")
    add("--out", type=Path, help="put the tables between the marks of this file, too")
    return parser


if __name__ == "__main__":
    main()
