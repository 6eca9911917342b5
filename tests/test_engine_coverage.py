from __future__ import annotations

import os
import subprocess
import sys

from tests.support.engine_coverage import ENGINE, VARIABLE, table


def test_files_are_added_up_by_package_and_in_all():
    counts = {
        ENGINE / "errors.py": (5, 10),
        ENGINE / "loading/files/header.py": (100, 150),
        ENGINE / "loading/files/stream.py": (1000, 1050),
    }
    assert [line.split() for line in table(counts)] == [
        ["elt", "5", "of", "10", "50", "%"],
        ["elt.loading.files", "1,100", "of", "1,200", "91", "%"],
        ["all", "1,105", "of", "1,210", "91", "%"],
    ]


def test_what_a_conftest_imports_is_counted_too(tmp_path):
    (tmp_path / "conftest.py").write_text("import elt.errors\n")
    (tmp_path / "test_it.py").write_text("def test_it(): pass\n")
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.support.engine_coverage", str(tmp_path)],
        env=environment,
        cwd=ENGINE.parents[1],
        capture_output=True,
        text=True,
    )
    lines = [line.split() for line in done.stdout.splitlines()]
    (of_all,) = [line for line in lines if line[:1] == ["all"]]
    assert 0 < int(of_all[1]) < 100
    assert int(of_all[3].replace(",", "")) > 5000
