"""What is kept of dbt's results, and what goes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from elt.publishing.old_results import ALL_RESULTS, ONE_A_DAY, RUNS_WHOLE, prune_results
from elt.publishing.unchanged import take_over_results
from elt.transform.project import PROJECT, fingerprint
from elt.warehouse import lease
from elt.warehouse.connection import transaction

from .test_unchanged import first_run, same_day

NOW = datetime(2026, 11, 20, 7, 30, tzinfo=UTC)
PASSED = ("pass", "success")
results = st.lists(
    st.tuples(
        st.sampled_from(["test.a", "model.b"]),
        st.sampled_from([*PASSED, "fail", "error", "warn", "skipped"]),
        # some at the limits, many on one day
        st.one_of(
            st.integers(0, 6).map(lambda days: timedelta(days=days)),
            st.integers(88, 96).map(lambda days: timedelta(days=days)),
            st.integers(0, 60).map(lambda minutes: timedelta(days=3, minutes=minutes)),
        ),
    ),
    max_size=30,
)


def test_what_was_taken_over_goes_after_a_few_runs_and_the_first_of_its_kind_stays(shop):
    first_run(shop)
    for run_id in (f"run {number}" for number in range(2, 10)):
        with transaction("loader") as cursor:
            lease.take(cursor, run_id)
            lease.freeze_horizon(cursor, run_id, fingerprint(PROJECT))
            at, zone = same_day(cursor)
            prune_results(cursor, run_id, at)
            assert take_over_results(cursor, run_id, at, zone)
        shop.publish(run_id)
        shop.close(run_id)
    kept = {1, *range(9 - RUNS_WHOLE, 10)}
    assert shop.warehouse.run(
        "select run_id, count(*), min(taken_from) from ops.node_result group by 1 order by 1"
    ) == [(f"run {number}", 4, None if number == 1 else "run 1") for number in sorted(kept)]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(results)
def test_what_passed_long_ago_stays_once_a_day_and_what_did_not_stays(shop, found):
    # dbt says them in the order of time
    found = sorted(found, key=lambda one: -one[2])
    with transaction("loader") as cursor:
        cursor.execute("delete from ops.node_result")
        for number, (node, status, age) in enumerate(found):
            keep(cursor, f"run {number}", node, status, NOW - age)
        prune_results(cursor, "run now", NOW)
        cursor.execute("select run_id from ops.node_result")
        kept = {int(run_id.split()[1]) for (run_id,) in cursor.fetchall()}
        # twice is once
        prune_results(cursor, "run now", NOW)
        assert cursor.rowcount == 0
    assert kept == wanted(found)


def wanted(found: list[tuple[str, str, timedelta]]) -> set[int]:
    """Return the places of the results that must stay."""
    stay, seen = set(), set()
    for number, (node, status, age) in reversed([*enumerate(found)]):
        of_day = (node, (NOW - age).date())
        if status not in PASSED or age <= ALL_RESULTS:
            stay.add(number)
            continue
        is_last = node not in seen
        if is_last or (of_day not in seen and age <= ONE_A_DAY):
            stay.add(number)
        seen |= {node, of_day}
    return stay


def test_the_results_of_the_run_at_work_stay(shop):
    with transaction("loader") as cursor:
        for minutes in (2, 1):
            at = NOW - timedelta(days=100, minutes=minutes)
            keep(cursor, "run 1", "test.a", "pass", at, task=f"task {minutes}")
        prune_results(cursor, "run 1", NOW)
        cursor.execute("select count(*) from ops.node_result")
        assert cursor.fetchone() == (2,)


def keep(cursor, run_id: str, node: str, status: str, at: datetime, task: str = "a task") -> None:
    cursor.execute(
        "insert into ops.node_result"
        " (run_id, task_id, try_number, unique_id, kind, status, finished_at)"
        " values (%s, %s, 1, %s, 'test', %s, %s)",
        (run_id, task, node, status, at),
    )
