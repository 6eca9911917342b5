"""What is typed after `make` arrives as it was typed, and nothing in it is run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from devtools.local import __main__, commands, variables
from tests.support.installation import ROOT

HOSTILE = {
    "dollar": "costs $5",
    "two dollars": "costs $$5 and $$(x)",
    "function of make": "$(shell touch {mark})",
    "command of the shell": "`touch {mark}` $(touch {mark}) ; touch {mark} & touch {mark}",
    "quotes": "it's \"so\" 'touch {mark}'",
    "percent and hash": "100 % of #1 \\ %s %(x)s",
    "option": "--help",
    "newline": "first\ntouch {mark}",
    # make itself drops those before it
    "blanks": "two  blanks  ",
}
# what each target hands on, in the words of the program behind it
TARGETS = {
    "run": ("CONFIRM_SHRUNK", "SLACK", "SOURCE"),
    "up": ("SLACK", "SOURCE"),
    "scenario": ("NAME", "PICTURES"),
    "replay-quarantine": ("TABLE",),
    "forget": ("USER_ID",),
    "report": ("TO", "OPEN"),
    "rollback": ("REASON", "BY"),
    "release": ("REASON", "BY"),
    "override": ("TEST", "REASON", "BY", "UNTIL", "DAYS", "END"),
    "rebuild": ("DAY", "MODEL", "KEY", "YES"),
    "ci-changed": ("AGAINST", "SAMPLE"),
    "psql": ("LOGIN",),
    "test-slow": ("WORKERS", "GREENERY_DATA"),
}
SHOW = f"""#!{sys.executable}
import json, os, sys
print(json.dumps([sys.argv[1:], dict(os.environ)]))
"""


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A Makefile whose Python shows what it was called with."""
    folder = tmp_path / "it's 100 % of $HOME"
    bin_folder = folder / ".venv/bin"
    bin_folder.mkdir(parents=True)
    (folder / "Makefile").write_text((ROOT / "Makefile").read_text())
    for name in ("requirements.txt", "requirements-dev.txt", "constraints.txt", "overrides.txt"):
        (folder / name).touch()
    for name in ("s3-test", "s3", "browser-test"):
        (folder / f"requirements-{name}.txt").touch()
    for mark in ("set-up", "set-up-s3", "set-up-browser"):
        (folder / ".venv" / mark).touch()
    (bin_folder / "python").write_text(SHOW)
    (bin_folder / "python").chmod(0o755)
    return folder


def make(checkout: Path, *arguments: str, **environment: str) -> list[list]:
    """Return the arguments and the environment of each program that make has called."""
    environ = {"PATH": os.environ["PATH"], **environment}
    done = subprocess.run(
        ["make", *arguments], cwd=checkout, env=environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("by_environment", [False, True], ids=["argument", "environment"])
def test_every_variable_arrives_as_it_was_typed(checkout, tmp_path, text, by_environment):
    mark = tmp_path / "was-run"
    value = text.replace("{mark}", str(mark))
    given = dict.fromkeys(set().union(*TARGETS.values()), value)
    typed = [] if by_environment else [f"{name}={value}" for name in given]
    calls = make(checkout, *TARGETS, *typed, **(given if by_environment else {}))
    assert len(calls) == len(TARGETS)
    for target, (arguments, environ) in zip(TARGETS, calls, strict=True):
        assert {name: environ.get(name) for name in given} == given, target
        # the list of processes is for everybody to read
        assert target == "test-slow" or value not in arguments
    assert not mark.exists()


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_value_stays_one_argument_of_its_command(text):
    given = variables.arguments("override", {"REASON": text, "TEST": "a", "END": "1", "DAYS": ""})
    assert given == ["--end", "--test=a", f"--reason={text}"]


@pytest.mark.parametrize("text", [*HOSTILE.values(), "--help"], ids=[*HOSTILE, "an option"])
@pytest.mark.parametrize(
    ("command", "names"),
    {
        "override": {"TEST": "test", "REASON": "reason"},
        "forget": {"USER_ID": "person_id"},
        "scenario": {"NAME": "name"},
    }.items(),
)
def test_what_was_typed_reaches_the_command_as_it_is(monkeypatch, command, names, text):
    called = []
    local = commands.greenery.commands[command]
    monkeypatch.setattr(local, "callback", lambda *_, **given: called.append(given))
    for name in names:
        monkeypatch.setenv(name, text)
    assert __main__.main([command]) == 0
    assert {name: called[0][name] for name in names.values()} == dict.fromkeys(names.values(), text)


def test_several_tables_may_be_confirmed_and_each_is_one_argument():
    given = variables.arguments("run", {"CONFIRM_SHRUNK": "users; touch x", "SLACK": "local"})
    shrunk = [f"--confirm-shrunk={word}" for word in ("users;", "touch", "x")]
    assert given == [*shrunk, "--slack=local"]


def test_args_are_words_as_a_shell_reads_them_and_nothing_in_them_is_run(tmp_path):
    mark = tmp_path / "was-run"
    (tmp_path / "show.py").write_text("import sys, os; print(sys.argv[1:], 'ARGS' in os.environ)")
    text = f"-c 'select $1' \"a b\" $(touch {mark}) `touch {mark}` ; $HOME"
    called = with_args(text, tmp_path)
    expected = ["first", "-c", "select $1", "a b", "$(touch", f"{mark})", "`touch", f"{mark}`"]
    assert called.stdout.strip() == f"{[*expected, ';', '$HOME']} False"
    assert not mark.exists()
    assert with_args("it's", tmp_path).stderr == "ARGS can't be read: no closing quotation.\n"


def with_args(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "devtools.local.with_args", "show", "first"]
    environ = {**os.environ, "ARGS": text, "PYTHONPATH": f"{ROOT / 'include'}{os.pathsep}{folder}"}
    return subprocess.run(command, env=environ, cwd=folder, capture_output=True, text=True)


def test_backup_and_restore_take_a_folder_of_any_name(checkout):
    script = checkout / "include/elt/docker/backup.sh"
    script.parent.mkdir(parents=True)
    script.write_text('printf "%s\\n" "$@"\n')
    for target, name in (("backup", "TO"), ("restore", "FROM")):
        for folder in ("a b/it's $5", "$(touch was-run)", "`touch was-run`"):
            done = subprocess.run(
                ["make", "--no-print-directory", target, f"{name}={folder}"],
                cwd=checkout,
                capture_output=True,
                text=True,
            )
            assert done.stdout.splitlines()[1] == folder, done.stderr
    assert not (checkout / "was-run").exists()
    nothing = subprocess.run(["make", "restore"], cwd=checkout, capture_output=True, text=True)
    assert "Name the backup: make restore FROM=folder" in nothing.stderr
