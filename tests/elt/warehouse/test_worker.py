"""Of many workers one may be left behind: with an older image, or a clock that nobody sets."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta

import pytest

from elt.airflow.run_tasks import final
from elt.warehouse import lease, worker
from elt.warehouse.connection import transaction
from elt.warehouse.migrate import OlderCodeError, migrate


@pytest.fixture
def newer(warehouse):
    """A run that was begun by code which has brought the warehouse further than this one."""
    with transaction("loader") as cursor:
        lease.take(cursor, "a run")
    warehouse.run("insert into ops.migration (name, sha256) values ('9999_next.sql', '')")


@pytest.mark.parametrize(
    ("role", "does"),
    [
        ("loader", lambda *_: final(migrate)()),
        ("loader", lease.hold),
        ("loader", lease.renew),
        ("publisher", lease.renew),
    ],
    ids=["begins", "loads", "builds", "publishes"],
)
def test_a_worker_with_older_code_does_nothing_and_leaves_its_task_to_others(newer, role, does):
    with (
        pytest.raises(OlderCodeError, match="9999_next") as refused,
        transaction(role) as cursor,
    ):
        does(cursor, "a run")
    assert socket.gethostname() in str(refused.value)


@pytest.mark.parametrize(("minutes", "said"), [(5, "seconds ahead of"), (-5, "seconds behind")])
def test_a_clock_that_nobody_sets_is_told(warehouse, caplog, minutes, said):
    with transaction("loader") as cursor:
        worker.check(cursor, datetime.now(UTC) + timedelta(minutes=minutes))
        assert said in caplog.text
        caplog.clear()
        worker.check(cursor)
    assert caplog.text == ""
