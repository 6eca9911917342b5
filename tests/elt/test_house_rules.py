"""How modules are written: short, with what many parameters are, rows read by name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

INCLUDE = Path(__file__).parents[2] / "include"
ENGINE = INCLUDE / "elt"
MODULES = sorted(ENGINE.rglob("*.py"))
DEVTOOLS = sorted((INCLUDE / "devtools").rglob("*.py"))
MOST_LINES = 300
MOST_PARAMETERS = 3


def public_functions(node: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield what others may call: functions and methods of public classes, and how those begin."""
    for one in ast.iter_child_nodes(node):
        if isinstance(one, ast.ClassDef) and not one.name.startswith("_"):
            yield from public_functions(one)
        elif isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from [one] if one.name == "__init__" or not one.name.startswith("_") else []


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    given = function.args
    every = [*given.posonlyargs, *given.args, given.vararg, *given.kwonlyargs, given.kwarg]
    return [one.arg for one in every if one and one.arg not in ("self", "cls")]


def complaints(source: str) -> list[str]:
    """Return what is missing in the docstrings of a module."""
    found = []
    for function in public_functions(ast.parse(source)):
        # its docstring is the help on a command line, where each option has its own
        if any(".command" in ast.unparse(one) for one in function.decorator_list):
            continue
        known = parameters(function)
        words = ast.get_docstring(function) or ""
        section = re.search(r"^Args:\n((?:    .*\n?)+)", words, re.M)
        if len(known) > MOST_PARAMETERS and not section:
            found.append(f"{function.name} has {len(known)} parameters and no Args")
        told = re.findall(r"^    (\w+):", section[1], re.M) if section else []
        found += [f"{function.name} has no {name}" for name in told if name not in known]
    return found


@pytest.mark.parametrize("module", MODULES, ids=lambda file: str(file.relative_to(ENGINE)))
def test_a_module_is_short_and_says_what_many_parameters_are(module):
    source = module.read_text()
    assert source.count("\n") <= MOST_LINES
    assert complaints(source) == []


def test_the_tools_are_short_too():
    lines = {file.name: file.read_text().count("\n") for file in DEVTOOLS}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}


def test_rows_of_queries_are_read_by_name():
    """Not by place, but for what makes objects and values of them."""
    by_place = [
        file.relative_to(ENGINE.parent).as_posix()
        for file in ENGINE.parent.rglob("*.py")
        if re.search(r"fetchone\(\)\[|\brow\[\d", file.read_text())
    ]
    assert by_place == ["elt/warehouse/rows.py"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def f(a, b, c): '''Do.'''", []),
        ("def f(a, b, *c, d): '''Do.'''", ["f has 4 parameters and no Args"]),
        ("class A:\n def __init__(s, a, b, c): ...", ["__init__ has 4 parameters and no Args"]),
        ("class A:\n def f(self, a, b, c): ...", []),
        ("def _f(a, b, c, d): ...", []),
        ("class _A:\n def f(self, a, b, c, d): ...", []),
        ("@greenery.command()\ndef f(a, b, c, d): ...", []),
        ("def f(a, b, c, d):\n '''Do.\n\n Args:\n     a: one.\n         e: no.\n '''", []),
        ("def f(a):\n '''Do.\n\n Args:\n     a: one.\n     b: gone.\n '''", ["f has no b"]),
    ],
)  # fmt: skip
def test_what_breaks_the_rule_of_parameters_is_found(source, said):
    assert complaints(source) == said
