"""The command ``greenery`` where no checkout is: in a container."""

from __future__ import annotations

import subprocess
import sys

import pytest

from elt.alerting import acknowledge
from elt.cli.commands import greenery
from elt.publishing import rollback
from elt.reporting import write
from elt.warehouse import migrate as migrations
from elt.warehouse.migrate import MigrationError


def test_help_needs_neither_airflow_nor_a_warehouse():
    show = (
        "import sys; from elt.cli.commands import greenery; status = greenery.run(['--help']); "
        "sys.exit(status or any(m.partition('.')[0] in ('airflow', 'dbt') for m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name in ("rollback", "release", "override", "ack", "rebuild", "forget", "metric"):
        assert f"  {name} " in done.stdout


def test_what_the_engine_refuses_is_one_sentence(monkeypatch, capsys):
    def refuse() -> None:
        raise MigrationError("Mend it so.")

    monkeypatch.setattr(migrations, "migrate", refuse)
    assert greenery.run(["release", "--by", "ada"]) == 1
    assert capsys.readouterr() == ("", "Mend it so.\n")


def test_a_fault_of_the_engine_is_shown_whole(monkeypatch):
    def fail() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(migrations, "migrate", fail)
    with pytest.raises(ZeroDivisionError):
        greenery.run(["release", "--by", "ada"])


@pytest.mark.parametrize("words", [["rollback"], ["release"], ["ack", "12"]])
def test_the_report_says_at_once_what_was_decided(monkeypatch, words):
    done = []
    monkeypatch.setattr(migrations, "migrate", lambda: None)
    monkeypatch.setattr(rollback, "roll_back", lambda *_: done.append("decided"))
    monkeypatch.setattr(rollback, "release", lambda *_: done.append("decided"))
    monkeypatch.setattr(acknowledge, "acknowledge", lambda *_: done.append("decided"))
    monkeypatch.setattr(acknowledge, "tell", lambda: "")
    monkeypatch.setattr(write, "refresh_report", lambda: done.append("written"))
    assert greenery.run([*words, "--by", "ada"]) == 0
    assert done == ["decided", "written"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["roll"], "No such command 'roll'"),
        (["rollback", "now"], "unexpected extra argument (now)"),
        (["override", "--days", "1", "--end"], "Say one of --until, --days and --end."),
        (["forget"], "Say whom"),
    ],
)
def test_what_is_not_understood_is_said_and_nothing_done(monkeypatch, capsys, given, said):
    monkeypatch.setattr(migrations, "migrate", lambda: pytest.fail("the warehouse was asked"))
    assert greenery.run(given) == 2
    assert said in capsys.readouterr().err
