"""Tables and progress: for a person at a terminal, and for what a command is piped into."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

import pytest

from elt.cli.terminal import print_table, working

COLUMNS = ("test", "by", "rows")
ROWS = [
    ("[red]unique[/red] :smile: " + "x" * 100, None, 12345),
    ("odd\x1b[31m\nkey", "Zoë 日本", -3),
]
# what makes rich believe in a terminal, or in another width
LURES = {"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1", "COLUMNS": "20", "TERM": "xterm-256color"}


def at_a_terminal(code: str, columns: int) -> str:
    """Run code with a terminal of so many columns for its output, and return what it got."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environ = {k: v for k, v in os.environ.items() if k not in {*LURES, "NO_COLOR", "LINES"}}
    environ["TERM"] = "xterm-256color"
    with open(ours, "rb", buffering=0) as terminal:
        with subprocess.Popen(
            [sys.executable, "-c", code], stdout=theirs, stderr=theirs, env=environ
        ) as process:
            os.close(theirs)
            shown = b""
            while part := _read(terminal):
                shown += part
        assert process.returncode == 0, shown
    return shown.decode().replace("\r\n", "\n")


def _read(terminal) -> bytes:
    try:
        return terminal.read(4096)
    except OSError:
        # its other end was closed: Linux says so by an error
        return b""


@pytest.mark.parametrize("environ", [{}, LURES], ids=["as it is", "lured"])
def test_what_is_piped_is_plain_and_a_row_is_a_whole_line(monkeypatch, capsys, environ):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    print_table(COLUMNS, ROWS, numbers=["rows"])
    wide = "[red]unique[/red] :smile: " + "x" * 100
    assert capsys.readouterr().out == (
        f"{'test':<126}  by         rows\n"
        f"{wide}            12345\n"
        # what takes two places of a terminal counts two
        f"{'odd·[31m·key':<126}  Zoë 日本     -3\n"
    )


def test_a_table_without_rows_is_its_heads(capsys):
    print_table(("test", "rows"), [], numbers=["rows"])
    assert capsys.readouterr().out == "test  rows\n"


def test_a_terminal_has_bold_heads_and_lines_of_its_width():
    shown = at_a_terminal(
        "from elt.cli.terminal import print_table;"
        "print_table(('test', 'rows'), [('a table of many words', 12)], numbers=['rows'])",
        columns=18,
    )
    assert shown == (
        "\x1b[1mtest        \x1b[0m\x1b[1m  \x1b[0m\x1b[1mrows\x1b[0m\n"
        "a table of      12\n"
        "many words\n"
    )  # fmt: skip


def test_work_in_progress_is_shown_on_a_terminal_and_gone_afterwards():
    shown = at_a_terminal(
        "from elt.cli.terminal import working\nwith working('Asking [b]'): pass\nprint('Done.')",
        columns=80,
    )
    assert "Asking [b]" in shown
    assert "0:00:00" in shown
    last = shown.rpartition("0:00:00")[2]
    # the line is erased, the cursor shown again, and what follows is printed in its place
    assert "\x1b[2K" in last
    assert "\x1b[?25h" in last
    assert last.endswith("Done.\n")


@pytest.mark.parametrize("environ", [{}, LURES], ids=["as it is", "lured"])
def test_work_in_progress_is_not_piped(monkeypatch, capsys, environ):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with working("Asking"):
        pass
    assert capsys.readouterr() == ("", "")
