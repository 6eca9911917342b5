"""The task of the report: skipped in words where it can't be written, and never a failed one."""

from __future__ import annotations

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from elt.airflow import run_tasks
from elt.reporting import write
from elt.reporting.folder import VARIABLE
from elt.reporting.questions import ReportError
from elt.transform.project import BrokenProjectError

run = run_tasks.write_report.function


def test_the_report_is_written_where_the_variable_says(warehouse, monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "report"))
    assert run() == str(tmp_path / "report" / "index.html")
    assert "Nothing is published yet" in (tmp_path / "report" / "index.html").read_text()


@pytest.mark.parametrize("error", [BrokenProjectError("Mend it so."), ZeroDivisionError("x")])
def test_without_the_documentation_the_report_is_there(
    warehouse, monkeypatch, tmp_path, caplog, error
):
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.setattr(write, "write_docs", fail)
    assert run() == str(tmp_path / "index.html")
    assert "The documentation was not written: " in caplog.text
    assert str(error) in caplog.text


def test_without_a_folder_none_is_written(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(AirflowSkipException, match="GREENERY_REPORT names no folder"):
        run()


@pytest.mark.parametrize(
    ("error", "said"),
    [(ReportError("Mend it so."), "Mend it so."), (ZeroDivisionError("x"), "x")],
    ids=["foreseen", "a fault of ours"],
)
def test_what_goes_wrong_is_told_and_fails_nothing(monkeypatch, tmp_path, caplog, error, said):
    def fail(*_, **__) -> None:
        raise error

    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.setattr(write, "write_report", fail)
    with pytest.raises(AirflowSkipException, match=said):
        run()
    assert "The report was not written" in caplog.text
    # nor does it what an operator has decided
    write.refresh_report()


@pytest.mark.parametrize(
    ("executors", "named"),
    [("CeleryExecutor,LocalExecutor", "LocalExecutor"), ("LocalExecutor", None), ("Other", None)],
)
def test_it_is_written_beside_the_scheduler_where_workers_are_elsewhere(
    monkeypatch, executors, named
):
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", executors)
    assert run_tasks.executor_with_the_report() == named
