from __future__ import annotations

import pytest

from elt.transform.change_log import prune
from elt.warehouse.connection import transaction

MODELS = ["fct_events", "fct_orders"]


@pytest.fixture
def logged(warehouse):
    warehouse.run(
        "insert into raw.change_log (load_id, table_name, change, old_key)"
        " select id, name, 'update', '{}'"
        " from generate_series(1, 5) as id, (values ('events'), ('promos')) as tables (name)"
    )
    warehouse.run(
        "insert into ops.model_watermark (model, source, position) values"
        " ('fct_events', 'raw.events', 3), ('fct_orders', 'raw.events', 4),"
        " ('taken_out', 'raw.events', 1), ('fct_events', 'raw.orders', 9)"
    )
    return warehouse


def pruned() -> int:
    with transaction("loader") as cursor:
        return prune(cursor, MODELS)


def left(warehouse) -> dict[str, list[int]]:
    rows = warehouse.run(
        "select table_name, array_agg(load_id order by load_id) from raw.change_log group by 1"
    )
    return dict(rows)


def test_what_every_model_has_read_goes_and_what_nobody_reads_too(logged):
    assert pruned() == 3 + 5
    assert left(logged) == {"events": [4, 5]}


def test_it_is_said_up_to_where_the_log_is_gone(logged):
    pruned()
    assert logged.run("select model, changes_since from ops.model_state order by 1") == [
        ("raw.events", 3),
        ("raw.promos", 5),
    ]


def test_pruning_again_takes_nothing_back(logged):
    pruned()
    assert pruned() == 0
    logged.run("update ops.model_watermark set position = 1 where model = 'fct_events'")
    assert pruned() == 0
    assert dict(logged.run("select model, changes_since from ops.model_state"))["raw.events"] == 3
