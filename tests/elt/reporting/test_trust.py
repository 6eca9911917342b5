"""Green, amber or red, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from elt.reporting.data_state import heat
from elt.reporting.trust import MartStatus, trust

AT = datetime(2026, 11, 20, 0, 5, tzinfo=UTC)
GOOD = MartStatus("fct_orders", AT, AT, "published", AT, None, None, None)
OTHER = replace(GOOD, mart="dim_users")


def test_a_good_publication_is_green():
    assert trust([GOOD, OTHER]).level == "green"


def test_a_failed_run_is_red_and_says_why_once():
    said = "The test of orders failed."
    failed = [replace(one, last_run_outcome="failed", reason=said) for one in (GOOD, OTHER)]
    found = trust(failed)
    assert (found.level, found.reasons) == ("red", (said,))
    assert "20 Nov 2026 00:05 UTC" in found.title


def test_a_rollback_is_amber_and_says_what_was_pinned_once():
    said = "Pinned since 20 Nov 2026 by ada: the prices are wrong."
    rolled_back = [
        replace(one, last_run_outcome="rolled back", reason=said, pinned=said)
        for one in (GOOD, OTHER)
    ]
    assert (trust(rolled_back).level, trust(rolled_back).reasons) == ("amber", (said,))
    assert trust([replace(one, last_run_outcome="held back") for one in rolled_back]).level == (
        "amber"
    )


def test_rows_in_quarantine_and_overrides_are_amber_with_the_marts_they_concern():
    found = trust([replace(GOOD, warnings="3 rows of orders are in quarantine."), OTHER])
    assert found.level == "amber"
    assert found.reasons == ("3 rows of orders are in quarantine. (fct_orders)",)


def test_nothing_published_is_red():
    never = replace(GOOD, published_at=None, last_run_outcome="failed", reason="No file.")
    assert trust([]).level == trust([never]).level == "red"
    assert trust([never]).reasons == ("No file.",)


def test_the_heat_map_has_all_tests_in_one_line_and_those_that_did_not_always_pass():
    def result(name: str, day: int, status: str, failures: int | None = 0) -> dict:
        unique_id = f"test.shop.{name}.0a1b"
        return {"unique_id": unique_id, "day": AT.date().replace(day=day)} | {
            "status": status,
            "failures": failures,
        }

    found = heat(
        [
            result("is_good", 19, "pass"),
            result("is_good", 20, "pass"),
            result("breaks", 20, "fail", 12),
            result("warns", 19, "warn", -2),
            result("warns", 20, "pass"),
        ]
    )
    assert [day.day for day in found.days] == [19, 20]
    assert found.rows == (
        ("all tests", (("odd", "2 tests, 1 warned"), ("bad", "1 of 3 failed"))),
        ("breaks", (None, ("bad", "failed 12"))),
        ("warns", (("odd", "warned 2"), ("good", "passed"))),
    )
    assert heat([]).days == ()
