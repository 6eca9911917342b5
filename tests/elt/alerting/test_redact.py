from __future__ import annotations

import pytest

from elt.alerting import redact

HEADER = "Database Error in model fct_orders (models/marts/core/fct_orders.sql)"


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        pytest.param(
            'duplicate key value violates unique constraint "users_pkey"\n'
            "  DETAIL:  Key (email)=(jane@example.com) already exists.",
            'duplicate key value violates unique constraint "users_pkey"',
            id="detail",
        ),
        pytest.param(
            'invalid input syntax for type integer: "12 Jane Street"\n  LINE 3: where x = 1',
            "invalid input syntax for type integer: …",
            id="value at the end",
        ),
        pytest.param(
            'invalid input syntax for type integer: "a "quoted" Jane"',
            "invalid input syntax for type integer: …",
            id="value with quotes in it",
        ),
        pytest.param(
            'value "5551234567" is out of range for type integer',
            "value … is out of range for type integer",
            id="value within",
        ),
        pytest.param(
            'invalid value "Jane "J" Doe" for "YYYY"',
            "invalid value …",
            id="quotes within",
        ),
        pytest.param(
            'invalid byte sequence for encoding "UTF8": 0xe9 0x4a',
            "invalid byte sequence for encoding …: …",
            id="bytes",
        ),
        pytest.param(
            'column "user_id" of relation "fct_orders" contains null values',
            'column "user_id" of relation "fct_orders" contains null values',
            id="names of things stay",
        ),
        pytest.param(
            'null value in column "email" violates not-null constraint\n'
            "  DETAIL:  Failing row contains (1, Jane, Doe).\n  compiled code at target/x.sql",
            'null value in column "email" violates not-null constraint',
            id="failing row",
        ),
        pytest.param("division by zero", "division by zero", id="harmless"),
    ],
)
def test_a_database_error_keeps_no_value_of_a_row(message, kept):
    assert redact.dbt_words(f"{HEADER}\n  {message}") == f"{HEADER}\n{kept}"
    assert redact.database_words(message) == kept


def test_a_compilation_error_is_kept_whole():
    message = (
        "Compilation Error in model fct_orders\n  This model has an enforced contract that failed."
        "\n  | column_name | definition_type |\n  | user_id | TEXT |"
    )
    assert "| user_id | TEXT |" in redact.dbt_words(message)


def test_text_loses_addresses_passwords_and_what_is_too_long():
    text = "to jane.doe+shop@example.com by postgresql://greenery:s3cret@db/x\x00 " + "x" * 5000
    shown = redact.plain(text)
    assert "jane" not in shown
    assert "s3cret" not in shown
    assert "\x00" not in shown
    assert "postgresql://greenery:…@db/x" in shown
    assert len(shown) == redact.LIMIT


@pytest.mark.parametrize(
    "message",
    [
        'connection to server at "127.0.0.1", port 5432 failed: Connection refused',
        "server closed the connection unexpectedly",
        "terminating connection due to administrator command",
        "deadlock detected",
        "canceling statement due to lock timeout",
        "sorry, too many clients already",
        "the database system is in recovery mode",
        "SSL connection has been closed unexpectedly",
    ],
)
def test_a_retry_helps_against_trouble_that_passes(message):
    assert redact.retry_helps(f"{HEADER}\n  {message}")


@pytest.mark.parametrize(
    "message",
    [
        None,
        'column "x" does not exist',
        "division by zero",
        "canceling statement due to statement timeout",
        "permission denied for schema marts",
        'connection to server at "db" failed: FATAL:  password authentication failed for user "x"',
        'connection to server at "db" failed: FATAL:  database "greenery" does not exist',
    ],
)
def test_a_retry_does_not_help_against_what_is_wrong(message):
    assert not redact.retry_helps(message)
