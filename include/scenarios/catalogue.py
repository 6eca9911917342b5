"""The scenarios: what is broken, what should arrive, and how it is done."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from include.local import slack as local_slack
from include.scenarios.stage import ScenarioError, Stage, wait_until

# the headline when the run has ended
FAILED = "Greenery run failed:"
KILLED = "build.fct_orders"
# longer than a failing task or run waits for Slack
RETRY_AFTER_SECONDS = 15


@dataclass(frozen=True)
class Scenario:
    """A trouble. ``play`` breaks, stops where what arrives is to be seen, and mends."""

    breaks: str
    arrives: str
    play: Callable[[Stage], Iterator[None]]
    # what the message says while it is broken
    says: tuple[str, ...]
    # what it says when it is mended
    ends: str = "Resolved after "
    # how the message's key begins; what else is told meanwhile is another story
    key: str = "alert:"


def bad_drop(kind: str, stage: Stage) -> Iterator[None]:
    """Break the shop's last drop; mend it, and run again."""
    stage.break_drop(kind)
    stage.run_in_vain()
    yield
    stage.mend_drop()
    stage.run_well()


def late(stage: Stage) -> Iterator[None]:
    """Have the last publication be 30 hours old; no run is needed to notice."""
    age = "update ops.publication set published_at = published_at - interval '30 hours'"
    stage.in_warehouse(age)
    stage.remind()
    yield
    stage.run_well()


def worker_killed(stage: Stage) -> Iterator[None]:
    """Kill a task as often as it is tried, as the kernel does when memory is short."""
    run_id = stage.api.trigger()
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


def warehouse_down(stage: Stage) -> Iterator[None]:
    """Have the warehouse refuse everybody while a run begins."""
    stage.let_in(False)
    stage.run_in_vain()
    yield
    stage.let_in(True)
    stage.remind()
    stage.run_well()


def slack_down(stage: Stage) -> Iterator[None]:
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


def slack_rate_limited(stage: Stage) -> Iterator[None]:
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


SCENARIOS = {
    "null_key": Scenario(
        "orders without an order_id",
        "one message: the load of orders is refused, nothing of the file is taken",
        partial(bad_drop, "null_key"),
        (f"{FAILED} 1 load failed", "order_id"),
    ),
    "duplicate_order": Scenario(
        "the same order twice in a file, with different totals",
        "one message: the load of orders is refused, with the first such line",
        partial(bad_drop, "duplicate_order"),
        (f"{FAILED} 1 load failed", "order_id"),
    ),
    "dropped_column": Scenario(
        "a file of orders without its column user_id",
        "one message: the load of orders is refused, and which column is missing",
        partial(bad_drop, "missing_column"),
        (f"{FAILED} 1 load failed", "user_id"),
    ),
    "unknown_status": Scenario(
        "orders with a status that nobody knows",
        "one message: which test failed and on how many rows; its SQL in the thread",
        partial(bad_drop, "unknown_status"),
        (f"{FAILED} 1 test failed", "order_status"),
    ),
    "orphan_order": Scenario(
        "orders of users that do not exist",
        "one message: the test between the two tables failed; what is not built because of it",
        partial(bad_drop, "orphan_order"),
        (f"{FAILED} 1 test failed", "user_id"),
    ),
    "worker_killed": Scenario(
        f"the process of {KILLED} is killed as often as it is tried",
        "one message: the task ended without a word, probably for lack of memory",
        worker_killed,
        (f"{FAILED} 1 task failed", KILLED, "ended without a word"),
    ),
    "warehouse_down": Scenario(
        "the warehouse takes no connections while the run begins",
        "one message without what the warehouse knows; with it once the warehouse is back",
        warehouse_down,
        ("The warehouse could not be asked",),
    ),
    "slack_down": Scenario(
        "Slack refuses connections while a run fails",
        "one message all the same, when Slack is back",
        slack_down,
        (f"{FAILED} 1 load failed", "order_id"),
    ),
    "slack_rate_limited": Scenario(
        "Slack answers 429 with a Retry-After while a run fails",
        "one message all the same, when Slack may be asked again",
        slack_rate_limited,
        (f"{FAILED} 1 load failed", "order_id"),
    ),
    "late": Scenario(
        "nothing was published for 30 hours",
        "one message that says so, without any run",
        late,
        ("Greenery is late", "Nothing was published for 30 h"),
    ),
}
