"""The badge of the report, as runs and an operator turn it: good, failed, undone, good again."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from pathlib import Path

from elt.alerting.run_facts import TaskFailure, keep_task_failure
from elt.publishing.rollback import release, roll_back
from elt.reporting.write import write_report
from elt.shop import SHOP
from tests.elt.publishing.conftest import shop as shop  # a fixture

BADGE = re.compile(r'class="trust (\w+)".*?<strong>. (.*?)</strong>(.*?)</section>', re.DOTALL)


def badge(to: Path) -> tuple[str, str, str]:
    """Return what the report that is written now says: level, title, and reasons as text."""
    page = write_report(to, replace(SHOP, report=None), personal=frozenset()).read_text()
    level, title, why = BADGE.search(html.unescape(page)).groups()
    return level, title, " ".join(re.sub("<[^>]*>", " ", why).split())


def test_the_badge_turns_with_a_failed_run_and_a_rollback_and_says_why(shop, tmp_path):
    shop.begin("run 1")
    shop.publish("run 1")
    shop.close("run 1")
    assert badge(tmp_path) == ("green", "Published, and no test failed", "")

    shop.begin("run 2", good=False)
    said = "`fct_orders.order_id` must be unique: 2 values more than once"
    keep_task_failure("run 2", TaskFailure("build.fct_orders", 1, said, None))
    shop.close("run 2")
    level, title, why = badge(tmp_path)
    assert level == "red"
    assert title.startswith("The last run failed: this is what was published ")
    assert why == f"The run run 2 failed: {said}"

    shop.build("update marts_build.fct_orders set total_usd = 99")
    shop.begin("run 3")
    shop.publish("run 3")
    shop.close("run 3")
    assert badge(tmp_path)[0] == "green"
    roll_back("ada", "the totals are wrong")
    level, title, why = badge(tmp_path)
    assert level == "amber"
    assert title.startswith("An older publication is shown on purpose, of ")
    assert "by ada: the totals are wrong." in why

    # released, it says so until a run has published
    release("bob")
    level, title, why = badge(tmp_path)
    assert level == "amber"
    assert why == "The pin was released; the next good run publishes."
    shop.begin("run 4")
    shop.publish("run 4")
    shop.close("run 4")
    assert badge(tmp_path)[0] == "green"
