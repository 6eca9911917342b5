"""How a shop is broken and mended: each function breaks, stops where it shows, and mends."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Generator

from devtools.local import fake_slack as local_slack
from devtools.scenarios.stage import BUILD_WHOLE, ScenarioError, Stage, wait_until
from elt.shop import SHOP

KILLED = "build.fct_orders"
# longer than a failing task or run waits for Slack
RETRY_AFTER_SECONDS = 15


def bad_drop(kind: str, stage: Stage) -> Generator[None]:
    """Break the shop's last drop; mend it, and run again."""
    stage.break_drop(kind)
    stage.run_in_vain()
    yield
    stage.mend_drop()
    stage.run_well()


def late(stage: Stage) -> Generator[None]:
    """Have the last publication be 30 hours old; no run is needed to notice."""
    age = "update ops.publication set published_at = published_at - interval '30 hours'"
    stage.in_warehouse(age)
    stage.remind()
    yield
    stage.run_well()


def worker_killed(stage: Stage) -> Generator[None]:
    """Kill a task as often as it is tried, as the kernel does when memory is short."""
    run_id = stage.api.trigger(BUILD_WHOLE)
    ended = threading.Event()

    def kill() -> None:
        killed: set[int] = set()
        while not ended.wait(0.1):
            for task in stage.api.tasks(run_id):
                is_it = task["task_id"] == KILLED and task["state"] == "running"
                if is_it and task["pid"] and task["pid"] not in killed:
                    killed.add(task["pid"])
                    os.kill(task["pid"], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        for _ in stage.api.follow(run_id):
            pass
    finally:
        ended.set()
        killer.join()
    yield
    stage.run_well()


def warehouse_down(stage: Stage) -> Generator[None]:
    """Have the warehouse refuse everybody while a run begins."""
    stage.let_in(False)
    stage.run_in_vain()
    yield
    stage.let_in(True)
    stage.remind()
    stage.run_well()


def slack_down(stage: Stage) -> Generator[None]:
    """Have Slack refuse connections while a run fails. This one forgets its channel by that."""
    local_slack.stop(stage.home)
    stage.break_drop("null_key")
    stage.run_in_vain()
    if local_slack.start(stage.home) != stage.slack:
        raise ScenarioError("Another program took the fake Slack's port meanwhile.")
    stage.remind()
    yield
    stage.mend_drop()
    stage.run_well()


def slack_rate_limited(stage: Stage) -> Generator[None]:
    """Have Slack answer 429 while a run fails."""
    stage.behave("rate_limited", RETRY_AFTER_SECONDS)
    before = len(stage.messages())
    stage.break_drop("null_key")
    stage.run_in_vain()
    stage.behave("fine")

    def has_come() -> bool:
        stage.remind()
        return len(stage.messages()) > before

    wait_until(has_come)
    yield
    stage.mend_drop()
    stage.run_well()


def slow_run(stage: Stage) -> Generator[None]:
    """Hold a table that a run needs, and have the run be three hours old."""
    with stage.holding("marts_build.fct_orders"):
        run_id = stage.api.trigger(BUILD_WHOLE)
        if not wait_until(lambda: stage.is_at_work(run_id, KILLED), 300):
            raise ScenarioError(f"{KILLED} did not come to wait for the table.")
        stage.in_airflow(
            "update public.dag_run set start_date = start_date - interval '3 hours' "
            f"where dag_id = '{SHOP.dag_id}' and state = 'running'"
        )
        stage.remind()
        yield
    for _ in stage.api.follow(run_id):
        pass


def late_data(stage: Stage) -> Generator[None]:
    """Have the last orders be two days old: that warns and stops nothing, so it is published."""
    stage.forget_warnings()
    age = (
        "update ops.load set started_at = started_at {0}, finished_at = finished_at {0} "
        "where table_name = 'orders'"
    )
    stage.in_warehouse(age.format("- interval '2 days'"))
    stage.run_well()
    stage.remind()
    yield
    stage.in_warehouse(age.format("+ interval '2 days'"))


def odd_day(name: str, stage: Stage) -> Generator[None]:
    """Have the last day be another one: that may warn and stops nothing, so it is published."""
    stage.change_last_day(name)
    stage.forget_warnings()
    stage.run_well(BUILD_WHOLE)
    stage.remind()
    yield
    stage.give_back_rows()
    stage.run_well(BUILD_WHOLE)
