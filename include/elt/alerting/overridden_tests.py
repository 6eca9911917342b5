"""Tests that fail and that an operator lets through: they stay in the report. Pure."""

from __future__ import annotations

from elt.alerting.failure import Failure
from elt.alerting.messages import phrases
from elt.alerting.run_facts import Facts
from elt.transform.lineage import Lineage
from elt.transform.overrides import would_fail


def overridden(facts: Facts, lineage: Lineage) -> list[Failure]:
    """Return the tests of a run that would have failed, but for an override."""
    tasks = {result.unique_id: (task, result) for task, _, result in facts.results}
    found = []
    for one in facts.overrides:
        node = lineage.nodes.get(one.unique_id)
        if node is None or not would_fail(node, one.failures):
            continue
        task, result = tasks[one.unique_id]
        found.append(
            Failure(
                "test",
                one.unique_id,
                f"{phrases.failed_test(one.unique_id, node, one.failures)}; {one.in_words}",
                task,
                unique_id=one.unique_id,
                owner=result.owner or phrases.owner_of(one.unique_id, lineage.nodes),
                tags=result.tags,
                failures=abs(one.failures or 0),
                seen_at=result.finished_at,
            )
        )
    return found
