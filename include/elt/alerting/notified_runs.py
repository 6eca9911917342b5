"""Which runs were told, kept by Airflow for when the warehouse is down."""

from __future__ import annotations

import json
from collections.abc import Mapping

from airflow.sdk import Variable

VARIABLE = "greenery_alert_told"
MOST_RUNS = 100


def read() -> dict[str, str]:
    """Return run id → the state in which people know it."""
    return json.loads(Variable.get(VARIABLE, default="{}"))


def keep(told: Mapping[str, str]) -> None:
    """Remember the newest runs."""
    newest = dict(sorted(told.items(), key=lambda item: age(item[0]))[-MOST_RUNS:])
    if newest != read():
        Variable.set(VARIABLE, json.dumps(newest), description="Runs that people were told of.")


def age(run_id: str) -> str:
    """Return the time in a run's id (manual__2026-…): later ids sort later."""
    return run_id.partition("__")[2]
