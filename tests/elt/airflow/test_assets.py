"""Published marts as assets: which there are, and what their events say."""

from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace

import pytest
from airflow.sdk import Asset

from elt.airflow import assets, run_tasks
from elt.airflow.assets import describe_events, mart_assets
from elt.publishing.row_diff import RowCounts


@pytest.fixture
def published(warehouse):
    """A warehouse with two publications of one run, and one of another."""
    counts = '{"fct_orders": {"inserted": %s, "updated": 2, "deleted": 1}}'
    for publication, (run_id, inserted) in enumerate(
        [("run 1", 9), ("run 2", 7), ("run 1", 3)], start=1
    ):
        warehouse.run(
            "insert into ops.publication (publication_id, run_id, published_at, rows_inserted,"
            " rows_updated, rows_deleted, tables) overriding system value"
            " values (%s, %s, now(), 0, 0, 0, %s::jsonb)",
            (publication, run_id, counts % inserted),
        )
    warehouse.run(
        "insert into marts.data_status (mart, data_as_of, last_run_outcome, last_run_at)"
        " values ('fct_orders', '2021-02-11 06:00+00', 'published', now())"
    )
    return warehouse


def test_an_event_says_what_the_runs_last_publication_did_to_the_mart(published):
    events = defaultdict(SimpleNamespace)
    describe_events("run 1", events)
    assert {asset.name: event.extra for asset, event in events.items()} == {
        "greenery_elt.marts.fct_orders": {
            "mart": "fct_orders",
            "publication_id": 3,
            "inserted": 3,
            "updated": 2,
            "deleted": 1,
            "data_as_of": "2021-02-11T06:00:00+00:00",
        }
    }


def test_only_a_publication_is_announced(published, monkeypatch):
    events = defaultdict(SimpleNamespace)
    context = {"run_id": "run 2", "outlet_events": events}
    monkeypatch.setattr(run_tasks, "get_current_context", lambda: context)
    monkeypatch.setattr(run_tasks, "publish", lambda *_: RowCounts(1))
    run_tasks.publish_marts.function()
    ((asset, event),) = events.items()
    assert isinstance(asset, Asset)
    assert event.extra["publication_id"] == 2


@pytest.mark.parametrize(
    ("task_id", "has_assets"), [(None, True), ("publish_marts", True), ("load_orders", False)]
)
def test_a_tasks_process_makes_the_assets_only_if_it_publishes(monkeypatch, task_id, has_assets):
    monkeypatch.setattr(assets, "get_parsing_context", lambda: SimpleNamespace(task_id=task_id))
    assert bool(mart_assets("publish_marts")) == has_assets
