from __future__ import annotations

from datetime import UTC, datetime

import pytest

from elt.transform import overrides
from elt.transform.lineage import Lineage
from elt.transform.overrides import Override, OverrideError, end_of, would_fail
from elt.warehouse.connection import transaction

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "until"),
    [
        ({}, datetime(2026, 11, 29, 12, tzinfo=UTC)),
        ({"days": "3"}, datetime(2026, 11, 25, 12, tzinfo=UTC)),
        ({"days": 30}, datetime(2026, 12, 22, 12, tzinfo=UTC)),
        ({"day": "2026-11-22"}, datetime(2026, 11, 23, tzinfo=UTC)),
        ({"day": "2026-12-22"}, datetime(2026, 12, 23, tzinfo=UTC)),
    ],
)
def test_it_ends_after_the_last_day_or_after_some_days(given, until):
    assert end_of(NOW, **given) == until


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"day": "2026-11-21"}, "within 30 days"),
        ({"day": "2026-12-24"}, "within 30 days"),
        ({"days": 31}, "within 30 days"),
        ({"days": "-1"}, "within 30 days"),
        ({"days": "1e99"}, "no number of days"),
        ({"days": "soon"}, "soon is no number of days"),
        ({"day": "30.11.2026"}, r"30\.11\.2026 is no date such as"),
    ],
)
def test_an_end_that_cannot_be_is_refused(given, says):
    with pytest.raises(OverrideError, match=says):
        end_of(NOW, **given)


def node(name: str, **config) -> dict:
    return {"name": name, "resource_type": "test", "config": config, "depends_on": {"nodes": []}}


LINEAGE = Lineage(
    {
        "sources": {},
        "nodes": {
            "test.greenery.unique_orders.1": node("unique_orders", severity="ERROR"),
            "test.greenery.odd_orders.2": node("odd_orders", severity="WARN"),
        },
    }
)


def test_a_test_is_known_by_its_name_and_close_ones_are_named():
    assert overrides.find_test(LINEAGE, "unique_orders") == "test.greenery.unique_orders.1"
    with pytest.raises(OverrideError, match=r"no test `unique_order`\. Did you mean unique_orders"):
        overrides.find_test(LINEAGE, "unique_order")
    with pytest.raises(OverrideError, match="`odd_orders` only warns"):
        overrides.find_test(LINEAGE, "odd_orders")


@pytest.mark.parametrize(
    ("config", "failures", "expected"),
    [
        ({}, 3, True),
        ({}, 0, False),
        ({"error_if": ">0"}, -3, False),
        ({"error_if": ">0"}, 3, True),
        ({"error_if": "> 10"}, 10, False),
        ({"severity": "warn"}, 3, False),
        ({"error_if": "between 1 and 5"}, 3, True),
        ({}, None, False),
    ],
)
def test_whether_a_test_that_warns_would_fail_without_an_override(config, failures, expected):
    assert would_fail({"config": config}, failures) is expected


def let_through(test: str, until: datetime, reason: str = "known") -> Override:
    with transaction("loader") as cursor:
        return overrides.let_through(cursor, test, reason, until, "ada")


def test_the_last_word_on_a_test_counts(warehouse):
    let_through("test.a", datetime(2999, 1, 1, tzinfo=UTC))
    let_through("test.a", datetime(2998, 1, 1, tzinfo=UTC), "better known.")
    let_through("test.b", datetime(2000, 1, 1, tzinfo=UTC))
    with transaction("loader") as cursor:
        (one,) = overrides.active(cursor)
        assert one.description == "let through until 1 Jan 2998 00:00 UTC by ada: better known"
        assert overrides.end(cursor, "test.a", "bob")
        assert not overrides.end(cursor, "test.a", "bob")
        assert not overrides.end(cursor, "test.b", "bob")
        assert overrides.active(cursor) == []
    assert len(warehouse.run("select * from ops.override where ended_by = 'bob'")) == 2


def test_without_a_reason_nothing_is_let_through(warehouse):
    with pytest.raises(OverrideError, match="Say why"):
        let_through("test.a", datetime(2999, 1, 1, tzinfo=UTC), " ")
    assert warehouse.run("select * from ops.override") == []


def test_an_override_counts_for_the_results_while_it_was_in_force(warehouse):
    warehouse.run(
        "insert into ops.override (unique_id, reason, made_at, until, ended_at) values"
        " ('test.early', 'r', '2026-11-01', '2026-11-30', '2026-11-21'),"
        " ('test.late', 'r', '2026-11-23', '2026-11-30', null),"
        " ('test.past', 'r', '2026-11-01', '2026-11-22 00:00Z', null),"
        " ('test.now', 'r', '2026-11-01', '2026-11-30', null),"
        " ('test.mended', 'r', '2026-11-01', '2026-11-30', null);"
        "insert into ops.node_result (run_id, task_id, try_number, unique_id, kind, status,"
        " failures, finished_at) select 'run', 't', 1, unique_id, 'test',"
        " case when unique_id = 'test.mended' then 'pass' else 'warn' end, 3, '2026-11-22 12:00Z'"
        " from ops.override"
    )
    with transaction("publisher") as cursor:
        assert [one.unique_id for one in overrides.used(cursor, "run", {})] == ["test.now"]
