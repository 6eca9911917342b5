"""The scenarios: what is broken, what should arrive, and who does it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial

from devtools.scenarios import troubles
from devtools.scenarios.stage import Stage
from elt.shop import SHOP

# the headline when the run has ended
FAILED = f"{SHOP.title} run failed:"


@dataclass(frozen=True)
class Scenario:
    """A trouble. ``play`` breaks, stops where what arrives is to be seen, and mends."""

    breaks: str
    arrives: str
    play: Callable[[Stage], Generator[None]]
    # what the message says while it is broken; nothing: no message comes
    says: tuple[str, ...]
    # what it says when it is mended
    ends: str = "Resolved after "
    # how the message's key begins; what else is told meanwhile is another story
    key: str = "alert:"


SCENARIOS = {
    "null_key": Scenario(
        "orders without an order_id",
        "one message: the load of orders is refused, nothing of the file is taken",
        partial(troubles.bad_drop, "null_key"),
        (f"{FAILED} 1 load failed", "order_id"),
    ),
    "duplicate_order": Scenario(
        "the same order twice in a file, with different totals",
        "one message: the load of orders is refused, with the first such line",
        partial(troubles.bad_drop, "duplicate_order"),
        (f"{FAILED} 1 load failed", "order_id"),
    ),
    "dropped_column": Scenario(
        "a file of orders without its column order_id",
        "one message: the load of orders is refused, and which column is missing",
        partial(troubles.bad_drop, "missing_column"),
        (f"{FAILED} 1 load failed", "order_id"),
    ),
    "unknown_status": Scenario(
        "orders with a status that nobody knows",
        "one message: which test failed and on how many rows; its SQL in the thread",
        partial(troubles.bad_drop, "unknown_status"),
        (f"{FAILED} 1 test failed", "order_status"),
    ),
    "orphan_order": Scenario(
        "orders of users that do not exist",
        "one message: the test between the two tables failed; what is not built because of it",
        partial(troubles.bad_drop, "orphan_order"),
        (f"{FAILED} 1 test failed", "user_id"),
    ),
    "worker_killed": Scenario(
        f"the process of {troubles.KILLED} is killed as often as it is tried",
        "one message: the task ended without a word, probably for lack of memory",
        troubles.worker_killed,
        (f"{FAILED} 1 task failed", troubles.KILLED, "ended without a word"),
    ),
    "warehouse_down": Scenario(
        "the warehouse takes no connections while the run begins",
        "one message without what the warehouse knows; with it once the warehouse is back",
        troubles.warehouse_down,
        ("The warehouse could not be asked",),
    ),
    "slack_down": Scenario(
        "Slack refuses connections while a run fails",
        "one message all the same, when Slack is back",
        troubles.slack_down,
        (f"{FAILED} 1 load failed", "order_id"),
    ),
    "slack_rate_limited": Scenario(
        "Slack answers 429 with a Retry-After while a run fails",
        "one message all the same, when Slack may be asked again",
        troubles.slack_rate_limited,
        (f"{FAILED} 1 load failed", "order_id"),
    ),
    "slow_run": Scenario(
        "a run waits for a table that somebody holds, longer than it may",
        "one message while the run goes on: it takes longer than it may",
        troubles.slow_run,
        ("takes longer than", "It goes on."),
    ),
    "late_data": Scenario(
        "no new orders for two days, which warns and stops nothing",
        "the day's digest of warnings; the run publishes all the same",
        troubles.late_data,
        ("orders is older than it should be",),
        # nothing turns green: tomorrow has a digest of its own
        ends="",
        key="warnings:",
    ),
    "half_day": Scenario(
        "nothing of yesterday came after two in the afternoon; what did come is right",
        "the day's digest of warnings: each number that is low, with what is usual on such a day",
        partial(troubles.odd_day, "half_day"),
        ("1 warning ", "Orders on ", "Visits on ", "usually ", "(the last "),
        ends="",
        key="warnings:",
    ),
    "broken_tracking": Scenario(
        "two of three carts of yesterday were not tracked; visits and orders are as always",
        "the day's digest of warnings: the carts, and nothing of the others",
        partial(troubles.odd_day, "broken_tracking"),
        ("1 warning ", "Add-to-carts on ", "usually "),
        ends="",
        key="warnings:",
    ),
    "promotion": Scenario(
        "nothing: yesterday had nearly twice the visits, and as many more carts and orders",
        "nothing: what everything rises by is a good day",
        partial(troubles.odd_day, "promotion"),
        (),
        ends="",
        key="warnings:",
    ),
    "late": Scenario(
        "nothing was published for 30 hours",
        "one message that says so, without any run",
        troubles.late,
        (f"{SHOP.title} is late", "Nothing was published for 30 h"),
    ),
}
