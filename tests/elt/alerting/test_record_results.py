from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import psycopg2
import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowTaskTimeout

from elt.alerting.record_results import describe_error, record_dbt_results, record_task_failure
from elt.warehouse.connection import WarehouseUnreachableError
from tests.elt.alerting.conftest import RUN_ID, task_context, write_results

TASK = "build.staging.stg_greenery__orders_model_build"
MODEL = {
    "unique_id": "model.greenery.stg_greenery__orders",
    "status": "success",
    "failures": None,
    "message": "CREATE VIEW",
    "execution_time": 0.5,
}
FAILED_TEST = {
    "unique_id": "test.greenery.not_null_stg_greenery__orders_user_id.a1",
    "status": "fail",
    "failures": 12,
    "message": "Got 12 results, configured to fail if != 0",
    "execution_time": 0.1,
}
LOST = "Database Error in model x (x.sql)\n  server closed the connection unexpectedly"
WRONG = 'Database Error in model x (x.sql)\n  column "nope" does not exist\n  LINE 2: nope'
NOWHERE = '{"conn_type": "postgres", "host": "127.0.0.1", "port": 9, "login": "greenery"}'


def kept(warehouse):
    return warehouse.run(
        "select run_id, task_id, try_number, unique_id, kind, status, failures, message, "
        "execution_seconds from ops.node_result order by try_number, unique_id"
    )


def test_every_node_of_every_try_is_kept(warehouse, tmp_path):
    warned = {**FAILED_TEST, "status": "warn"}
    project = write_results(tmp_path, MODEL, warned)
    record_dbt_results(project, task_context(TASK, 1))
    record_dbt_results(str(project), task_context(TASK, 2), more="is ignored")
    assert [row[:7] for row in kept(warehouse)] == [
        (RUN_ID, TASK, try_number, result["unique_id"], kind, result["status"], result["failures"])
        for try_number in (1, 2)
        for kind, result in (("model", MODEL), ("test", warned))
    ]
    assert kept(warehouse)[0][7:] == ("CREATE VIEW", 0.5)


def test_the_same_try_recorded_twice_is_there_once(warehouse, tmp_path):
    record_dbt_results(write_results(tmp_path, MODEL), task_context(TASK))
    record_dbt_results(write_results(tmp_path, {**MODEL, "message": "again"}), task_context(TASK))
    assert [row[7] for row in kept(warehouse)] == ["again"]


def test_freshness_is_kept_from_its_own_file(warehouse, tmp_path):
    result = {
        "unique_id": "source.greenery.greenery.orders",
        "status": "pass",
        "max_loaded_at": "2026-11-20T07:00:00Z",
        "age": 5400.0,
    }
    record_dbt_results(write_results(tmp_path, result, name="sources.json"), task_context(TASK))
    ((*row, message, _),) = (row[3:] for row in kept(warehouse))
    assert row == ["source.greenery.greenery.orders", "source", "pass", None]
    assert message == "last loaded 2026-11-20T07:00:00Z, 1.5 hours before"


def test_a_failed_data_test_is_kept_and_not_tried_again(warehouse, tmp_path):
    project = write_results(tmp_path, MODEL, FAILED_TEST)
    with pytest.raises(
        AirflowFailException,
        match=r"^`stg_greenery__orders\.user_id` must not be empty: 12 rows$",
    ):
        record_dbt_results(project, task_context(TASK))
    assert [row[5] for row in kept(warehouse)] == ["success", "fail"]


def test_a_lost_connection_is_left_to_the_retries(warehouse, tmp_path):
    project = write_results(tmp_path, {**MODEL, "status": "error", "message": LOST})
    record_dbt_results(project, task_context(TASK))
    assert [row[5] for row in kept(warehouse)] == ["error"]


def test_a_wrong_model_is_not_tried_again(warehouse, tmp_path):
    project = write_results(tmp_path, {**MODEL, "status": "error", "message": WRONG})
    with pytest.raises(AirflowFailException, match=r'column "nope" does not exist$'):
        record_dbt_results(project, task_context(TASK))
    (row,) = kept(warehouse)
    assert "LINE" not in row[7]


def test_without_results_dbt_speaks_for_itself(warehouse, tmp_path):
    record_dbt_results(tmp_path, task_context(TASK))
    assert kept(warehouse) == []


def test_broken_results_are_logged_only(warehouse, tmp_path, caplog):
    write_results(tmp_path)
    (tmp_path / "target" / "run_results.json").write_text("{")
    record_dbt_results(tmp_path, task_context(TASK))
    assert "could not be read" in caplog.text


def test_trouble_with_writing_down_hides_no_failure_of_dbt(monkeypatch, tmp_path, caplog):
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_WAREHOUSE", NOWHERE)
    with pytest.raises(AirflowFailException, match="12 rows"):
        record_dbt_results(write_results(tmp_path, FAILED_TEST), task_context(TASK))
    assert "not kept in ops.node_result: The warehouse at" in caplog.text


def test_a_good_result_that_is_not_kept_fails_the_task_to_be_tried_again(monkeypatch, tmp_path):
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_WAREHOUSE", NOWHERE)
    with pytest.raises(WarehouseUnreachableError, match="can't be reached"):
        record_dbt_results(write_results(tmp_path, MODEL), task_context(TASK))


def test_a_task_that_failed_for_good_is_kept_in_words(warehouse):
    error = WarehouseUnreachableError("The warehouse is away.")
    record_task_failure(task_context("load_orders", 3, exception=error))
    record_task_failure(task_context("load_orders", 3, exception=error))
    ((*row, log_url),) = warehouse.run(
        "select run_id, task_id, try_number, message, log_url from ops.task_failure"
    )
    assert row == [RUN_ID, "load_orders", 3, "The warehouse is away."]
    assert log_url.endswith("/tasks/load_orders?try_number=3")


@pytest.mark.parametrize(
    "context", [{}, task_context("load_orders")], ids=["empty", "no warehouse"]
)
def test_recording_a_failure_never_raises(monkeypatch, caplog, context):
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_WAREHOUSE", NOWHERE)
    caplog.set_level(logging.WARNING)
    record_task_failure(context)
    assert "is not kept in ops" in caplog.text


class UniqueViolation(psycopg2.IntegrityError):
    pass


@pytest.mark.parametrize(
    ("error", "message"),
    [
        pytest.param(None, "It ended without a word", id="killed"),
        pytest.param("told as text", "told as text", id="text"),
        pytest.param(
            WarehouseUnreachableError("The warehouse is away."), "The warehouse is away.", id="ours"
        ),
        pytest.param(AirflowFailException("12 rows"), "12 rows", id="Airflow's"),
        pytest.param(ZeroDivisionError("by zero"), "ZeroDivisionError: by zero", id="unknown"),
        pytest.param(KeyError(), "KeyError", id="unknown without text"),
        pytest.param(AirflowTaskTimeout("PID 7"), "It ran longer than it may", id="timeout"),
        pytest.param(
            UniqueViolation('duplicate key "users_pkey"\nDETAIL:  Key (email)=(j@x.io) is there.'),
            "UniqueViolation: duplicate key …",
            id="database",
        ),
    ],
)
def test_an_exception_is_told_in_words(error, message):
    assert describe_error(error).startswith(message)
    assert "j@x.io" not in describe_error(error)


@pytest.mark.parametrize(
    "error",
    [
        AirflowTaskTimeout("PID 7"),
        psycopg2.errors.QueryCanceled("canceling statement due to statement timeout"),
    ],
    ids=["by Airflow", "by the server"],
)
def test_what_took_too_long_says_how_long_and_what_lets_it_take_longer(
    warehouse, monkeypatch, error
):
    monkeypatch.setenv("GREENERY_TASK_MINUTES", "45")
    context = task_context("load_orders", exception=error)
    context["ti"].start_date = datetime.now(UTC) - timedelta(minutes=45)
    record_task_failure(context)
    ((message,),) = warehouse.run("select message from ops.task_failure")
    assert message.startswith("It ran for 45 min and was stopped")
    assert "raise GREENERY_TASK_MINUTES in Airflow's environment, now 45" in message


def test_a_long_text_is_cut():
    assert len(describe_error(ValueError("x" * 3_000_000))) < 1100


def test_a_model_that_the_server_stopped_fails_for_good_and_says_what_to_raise(warehouse, tmp_path):
    header = "Database Error in model orders (models/orders.sql)"
    message = f"{header}\n  canceling statement due to statement timeout"
    stopped = {**MODEL, "status": "error", "message": message, "execution_time": 1740.0}
    said = "statement timeout after 29 min; GREENERY_TASK_MINUTES says how long"
    with pytest.raises(AirflowFailException, match=said):
        record_dbt_results(write_results(tmp_path, stopped), task_context(TASK))
