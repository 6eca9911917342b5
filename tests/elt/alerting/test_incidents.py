from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from elt.alerting import incidents
from elt.alerting.report import LOST_LOGS, Failure, Report
from elt.alerting.run_facts import Facts, NodeResult, RunContext

START = datetime(2026, 11, 21, 7, tzinfo=UTC)
HOUR = timedelta(hours=1)


def failure(key="test.a", at=START, **more):
    return Failure("test", key, f"{key} is bad", "t", seen_at=at, **more)


def report(run_id, *failures, at=START, state="failed", passed=(), passed_at=None):
    results = tuple(
        ("t", 1, NodeResult(key, "test", "pass", 0, None, 0, finished_at=passed_at or at))
        for key in passed
    )
    return Report(
        RunContext("d", run_id, state=state), at, failures, (), (), Facts(results=results)
    )


def known_after(*reports):
    """Return what is known after reports were looked at in turn."""
    known: dict = {}
    for one in reports:
        run_id = one.run.run_id
        seen = [i for i in known.values() if i.is_open or run_id in i.run_ids]
        known |= {(i.fingerprint, i.first_run_id): i for i in incidents.after(one, seen)}
    return list(known.values())


def test_a_failure_opens_an_incident_and_looking_again_changes_nothing():
    (incident,) = known_after(report("1", failure(owner="core", tags=("daily",))))
    assert incident.is_new("1")
    assert (incident.owner, incident.tags, incident.first_seen) == ("core", ("daily",), START)
    assert incidents.after(report("1", failure(owner="core", tags=("daily",))), [incident]) == []


def test_a_later_run_goes_on_with_it_and_counts_once_however_often_it_fails():
    again = report("2", failure(at=START + HOUR))
    (incident,) = known_after(report("1", failure()), again, again)
    assert incident.run_ids == ("1", "2")
    assert not incident.is_new("2")
    assert (incident.first_seen, incident.last_seen) == (START, START + HOUR)


def test_a_good_result_resolves_it():
    good = report("2", state="running", passed=["test.a"], passed_at=START + HOUR)
    (incident,) = known_after(report("1", failure()), good)
    assert (incident.resolved_at, incident.resolved_run_id) == (START + HOUR, "2")


def test_what_a_run_did_not_come_to_stays_open():
    (incident, _) = known_after(report("1", failure()), report("2", failure("test.b")))
    assert incident.is_open
    assert incident.run_ids == ("1",)


def test_a_good_run_resolves_everything_even_what_is_tested_no_more():
    good = report("2", at=START + HOUR, state="success")
    assert not any(
        i.is_open for i in known_after(report("1", failure(), failure("test.gone")), good)
    )


def test_what_fails_again_later_is_a_new_incident():
    good = report("2", at=START + HOUR, state="success")
    bad = report("3", failure(at=START + 2 * HOUR))
    first, second = known_after(report("1", failure()), good, bad)
    assert not first.is_open
    assert second.is_new("3")


def test_a_run_that_is_told_late_reopens_nothing():
    first = report("1", failure())
    second = report("2", failure(at=START + HOUR))
    good = report("3", at=START + 2 * HOUR, state="success")
    known = known_after(first, second, good)
    for late in (first, second):
        seen = [i for i in known if late.run.run_id in i.run_ids]
        assert incidents.after(late, seen) == []


def test_a_run_that_was_mended_and_fails_again_goes_on_with_its_own_incident():
    mended = report("1", at=START + HOUR, state="success")
    again = report("1", failure(at=START + 2 * HOUR))
    (incident,) = known_after(report("1", failure()), mended, again)
    assert incident.is_open
    assert incident.run_ids == ("1",)


def test_an_older_sentence_does_not_replace_a_newer_one():
    newer = report("2", replace(failure(at=START + HOUR), sentence="13 rows"))
    (incident,) = known_after(newer, report("1", failure()))
    assert incident.sentence == "13 rows"
    assert incident.first_seen == START


def test_a_run_told_late_does_not_resolve_what_failed_since():
    found = report("2", failure(at=START + HOUR))

    def success(run_id, started_at):
        late = report(run_id, state="success", at=START + 2 * HOUR)
        return replace(late, run=replace(late.run, started_at=started_at))

    before, after = success("1", START), success("3", START + HOUR + HOUR / 2)
    assert known_after(found, before)[0].is_open
    assert known_after(found, after)[0].resolved_run_id == "3"
    # cleared, it was well in the end
    assert known_after(found, success("2", START))[0].resolved_run_id == "2"
    # what is late ends with a publication, whenever its run began
    late = replace(found, failures=(Failure("late", "late:begin", "late", seen_at=START + HOUR),))
    assert not known_after(late, before)[0].is_open


def test_that_logs_are_lost_is_mended_by_no_run():
    lost = report("logs", Failure("logs", LOST_LOGS, "full", seen_at=START))
    good = report("1", at=START + HOUR, state="success")
    (incident,) = known_after(lost, good)
    assert incident.is_open
    kept = RunContext("d", "logs", states={LOST_LOGS: "success"}, is_run=False)
    assert not known_after(lost, good, replace(good, run=kept))[0].is_open
