from __future__ import annotations

import pytest

from include.local.told import wait_until_told

OPEN = """
insert into ops.incident
    (fingerprint, first_run_id, kind, sentence, first_seen, last_seen, run_ids, state)
values ('f', 'run 1', 'test', 'it failed', now(), now(), '{run 1}', 'open')
"""
TOLD = "insert into ops.run_told (run_id, dag_id, state) values (%s, 'greenery_elt', %s)"
PENDING = """
insert into ops.notification (notification_key, run_id, payload, state)
values ('k', 'run 1', '{}', 'pending')
"""


def told(warehouse, state):
    return wait_until_told(warehouse, "run 1", state, seconds=0.1)


def test_a_good_run_with_nothing_to_mend_is_not_waited_for(warehouse):
    assert told(warehouse, "success")


@pytest.mark.parametrize("state", ["success", "failed"])
def test_a_run_is_waited_for_until_slack_has_its_end(warehouse, state):
    warehouse.run(OPEN)
    warehouse.run(TOLD, ("run 1", "running"))
    assert not told(warehouse, state)
    warehouse.run("update ops.run_told set state = %s", (state,))
    warehouse.run(PENDING)
    assert not told(warehouse, state)
    warehouse.run("update ops.notification set state = 'sent'")
    assert told(warehouse, state)
