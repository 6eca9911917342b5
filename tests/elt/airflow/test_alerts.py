"""What a task learns of other runs from Airflow."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from airflow.sdk.api.datamodels._generated import DagRunType
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import DagRunResult

from elt.airflow import alerts
from elt.airflow.alerts import RunsFromTask
from elt.airflow.log_store import why_not_kept
from elt.reporting import morning

DUE = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("run_type", "due_at"), [(DagRunType.SCHEDULED, DUE), (DagRunType.MANUAL, None)]
)
def test_only_a_scheduled_run_was_due(monkeypatch, run_type, due_at):
    found = DagRunResult.model_construct(
        run_type=run_type, state="running", start_date=DUE, end_date=None, data_interval_end=DUE
    )
    supervisor = SimpleNamespace(send=lambda _: found)
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", supervisor, raising=False)
    assert RunsFromTask(None, "greenery_elt", "begin_run").look("a run").due_at == due_at


def test_the_numbers_of_the_morning_lead_to_the_report_in_airflow(monkeypatch):
    told = []
    monkeypatch.setattr(morning, "keep_morning", lambda *_, **more: told.append(more))
    alerts.keep_numbers(DUE, "http://localhost:8080/", None)
    assert told == [{"report_url": "http://localhost:8080/plugin/report", "manifest": None}]


def test_people_hear_of_logs_that_the_store_does_not_take(monkeypatch):
    told = []
    monkeypatch.setattr(alerts, "keep_numbers", lambda *_: None)
    monkeypatch.setattr(alerts, "reconcile", lambda *_, **more: told.append(more))
    alerts.reconcile_runs({"ti": SimpleNamespace()})
    assert told[0]["why_logs_are_lost"] is why_not_kept
