"""Runs of the DAG in the containers: with edited models, through kills, and failing."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from datetime import UTC, datetime

import pytest

from elt.shop import SHOP
from tests.support.waiting import wait_until

KILLED = ("dag-processor", "triggerer", "api-server", "warehouse", "metadata", "scheduler")
DIM_STATES = """
select state, count(*) as user_count from {{ ref('dim_users') }} where state is not null group by 1
"""
ABOUT_DIM_STATES = """
models:
  - name: dim_states
    description: Where users live. One row per state.
    constraints: [{type: primary_key, columns: [state]}]
    columns:
      - name: state
        data_type: text
        data_tests: [not_null, unique]
      - name: user_count
        data_type: bigint
"""


def test_an_edited_and_an_added_model_are_in_the_next_run(stack, first_marts):
    core = "dbt/greenery/models/marts/core"
    before = (stack.folder / core / "dim_users.sql").read_text()
    after = before.replace("users.first_name,", "upper(users.first_name) as first_name,")
    assert after != before
    with (
        stack.changed(f"{core}/dim_users.sql", after),
        stack.changed(f"{core}/dim_states.sql", DIM_STATES),
        stack.changed(f"{core}/_dim_states.yml", ABOUT_DIM_STATES),
    ):
        run_id = stack.run()
    assert "build.dim_states" in [task["task_id"] for task in stack.api.tasks(run_id)]
    assert stack.ask(
        "select bool_and(first_name = upper(first_name)), count(*) > 0 from marts.dim_users"
    ) == [["t", "t"]]
    assert int(stack.ask("select count(*) from marts.dim_states")[0][0]) > 5


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may kill a container's process")
def test_a_killed_container_comes_back_and_its_run_ends_right(stack, first_marts):
    died = {service: stack.inspect(service)["RestartCount"] for service in KILLED}
    run_id = stack.start_run(full_refresh=["all"])
    for service in KILLED:
        time.sleep(2)
        # `docker kill` would count as a stop by hand, after which nothing restarts
        os.kill(stack.inspect(service)["State"]["Pid"], signal.SIGKILL)
    last_kill = datetime.now(UTC)
    assert stack.wait(run_id) == "success", stack.explain(run_id)
    ended_at = stack.api.call("GET", f"/dags/{SHOP.dag_id}/dagRuns/{run_id}")["end_date"]
    assert datetime.fromisoformat(ended_at) > last_kill
    stack.up("--no-deps", *KILLED)
    for service, restarts in died.items():
        assert stack.inspect(service)["RestartCount"] > restarts
    assert stack.marts() == first_marts


@pytest.mark.rare
def test_a_failing_run_reaches_slack_and_changes_no_mart(stack, first_marts):
    before = stack.marts()
    never = "select order_id from {{ ref('fct_orders') }}\n"
    with stack.changed("dbt/greenery/tests/assert_never.sql", never):
        run_id = stack.start_run()
        assert stack.wait(run_id) == "failed"
    messages = wait_until(
        lambda: [one for one in stack.messages() if not one["thread_ts"]], "a message"
    )
    assert len(messages) == 1
    assert re.search(r"\bnever: \d+ rows", json.dumps(messages))
    assert stack.marts() == before
