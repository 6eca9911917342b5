"""How many of the engine's lines the tests have run, by package, printed at their end.

A plugin of pytest: ``-p tests.support.engine_coverage``. Slipcover puts its probes into the
bytecode of the engine alone, as that is imported, and takes out those that were met: what the
tests run besides, dbt and Airflow, is as fast as ever.

What a test starts as a program of its own (an Airflow, dbt's own processes) is not counted.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from slipcover import Slipcover
from slipcover.importer import FileMatcher, ImportManager

ENGINE = Path(__file__).parents[2] / "include" / "elt"
VARIABLE = "GREENERY_COVERAGE_FOLDER"


class Lines:
    """Counts the lines that run in this process."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / f"{os.getpid()}.json"
        self.probes = Slipcover(source=[str(ENGINE)])
        ImportManager(self.probes, FileMatcher(sources=[ENGINE])).__enter__()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Write what was counted, before the process that started us asks for it."""
        files = self.probes.get_coverage()["files"]
        counted = {name: (f["executed_lines"], f["missing_lines"]) for name, f in files.items()}
        self.file.write_text(json.dumps(counted))


class Table:
    """Prints what all processes have counted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print it after the tests."""
        ran, known = defaultdict(set), defaultdict(set)
        for counted in self.folder.glob("*.json"):
            for name, (executed, missing) in json.loads(counted.read_text()).items():
                ran[name].update(executed)
                known[name].update(executed, missing)
        shutil.rmtree(self.folder)
        terminalreporter.section("lines of the engine that these tests have run")
        for line in table({Path(name): (len(ran[name]), len(known[name])) for name in known}):
            terminalreporter.write_line(line)


def table(counts: Mapping[Path, tuple[int, int]]) -> Iterable[str]:
    """Yield a line for each package, and one for all of them.

    Args:
        counts: file of the engine → how many of its lines ran, and how many there are.
    """
    packages: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for file, (ran, known) in counts.items():
        package = ".".join(("elt", *(ENGINE.parents[1] / file).relative_to(ENGINE).parent.parts))
        for name in (package, "all"):
            packages[name] = packages[name][0] + ran, packages[name][1] + known
    for name in (*sorted(packages.keys() - {"all"}), "all"):
        ran, known = packages[name]
        if known:
            yield f"{name:<24}{ran:>7,} of {known:>6,}  {100 * ran // known:>3} %"


def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Begin before a conftest.py imports the engine; processes of xdist come here too."""
    if VARIABLE not in os.environ:
        os.environ[VARIABLE] = tempfile.mkdtemp(prefix="greenery-coverage-")
        early_config.pluginmanager.register(Table(Path(os.environ[VARIABLE])))
    early_config.pluginmanager.register(Lines(Path(os.environ[VARIABLE])))
