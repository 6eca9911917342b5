"""What every shop's dbt project has of the product: macros, materializations, generic tests."""

from __future__ import annotations

import re
from pathlib import Path

from tests.dbt.conftest import PROJECT


def test_macro_has_a_file_and_a_comment_of_its_own():
    folders = ("macros", "materializations", "tests/generic")
    files = [file for folder in folders for file in PROJECT.glob(f"{folder}/**/*.sql")]
    assert files
    wrong = [
        str(file.relative_to(PROJECT))
        for file in files
        if not file.read_text().startswith("{#")
        or re.findall(r"{% (?:macro|materialization|test) (\w+)", file.read_text()) != [file.stem]
    ]
    assert wrong == []


def test_project_is_no_python_package():
    """A package called dbt would hide the installed one."""
    project_files: list[Path] = list(PROJECT.rglob("*.sql"))
    assert project_files
    assert list(PROJECT.parent.rglob("__init__.py")) == []
