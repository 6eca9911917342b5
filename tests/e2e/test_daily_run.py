"""The daily run through a real Airflow on the shop's real data."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from tests.support.readers import watched_by_readers

# several whole runs; a busy machine may take its time
pytestmark = pytest.mark.timeout(1500)


def manifest(installation) -> dict:
    files = sorted(
        installation.home.state.glob("cosmos/greenery_elt__build/target/manifest-*.json"),
        key=lambda file: file.stat().st_mtime,
    )
    return json.loads(files[-1].read_text())


def kpis(shop) -> dict[str, tuple]:
    rows = shop.warehouse.run("select metric, numerator, denominator from marts.fct_kpis")
    return {metric: (numerator, denominator) for metric, numerator, denominator in rows}


def test_the_real_data_gives_the_known_answers_and_again_nothing_new(installation, shop):
    first, state = shop.run()
    assert state == "success", shop.explain(first)
    known = kpis(shop)
    assert known["repeat_rate"] == (99, 124)
    assert known["conversion_rate"] == (361, 578)
    assert known["orders_per_hour"] == (361, 48)
    assert known["users"][0] == 130

    # each data test of the project ran exactly once
    ran = Counter(
        unique_id
        for (unique_id,) in shop.warehouse.run(
            "select unique_id from ops.node_result where run_id = %s and kind = 'test'", (first,)
        )
    )
    nodes = manifest(installation)["nodes"].values()
    tests = {node["unique_id"] for node in nodes if node["resource_type"] == "test"}
    assert len(tests) > 100
    assert ran == Counter(tests)

    links = "/dags/greenery_elt/dagRuns/{}/taskInstances/build.fct_kpis/links"
    assert installation.api.call("GET", links.format(first))["extra_links"] == {
        "Time and tests": "plugin/data-state/elt/state.html#state-builds-fct_kpis",
        "dbt docs": "plugin/dbt-docs/elt/docs.html#!/model/model.greenery.fct_kpis",
    }

    before = shop.marts()
    assert len(before) == 22
    announced = installation.api.pages(
        "/assets/events", "asset_events", source_run_id=first, order_by="timestamp"
    )
    as_published = {event["extra"]["mart"]: event["extra"]["inserted"] for event in announced}
    assert as_published == {mart: len(rows) for mart, rows in before.items()}
    loads = shop.warehouse.run("select count(*) from ops.load")
    # of the day on which the second run begins, though midnight has come between
    shop.warehouse.run("update ops.node_result set finished_at = now()")
    with watched_by_readers(shop.warehouse) as readers:
        second, state = shop.run()
    assert state == "success"
    readers.assert_undisturbed()
    # it found nothing to build
    states = shop.states(second)
    assert {state for task, state in states.items() if task.startswith("build.")} == {"skipped"}
    assert states["check_freshness"] == states["publish_marts"] == "success"
    assert shop.marts() == before
    assert shop.warehouse.run("select count(*) from ops.load") == loads
    assert shop.warehouse.run(
        "select rows_inserted, rows_updated, rows_deleted from ops.publication where run_id = %s",
        (second,),
    ) == [(0, 0, 0)]

    # an older run must not publish what a newer one has
    shop.api.clear(first, ["publish_marts"])
    assert shop.wait(first) == "failed"
    (reason,) = shop.warehouse.run(
        "select message from ops.task_failure where run_id = %s", (first,)
    )
    assert f"what the run {second} made after this one" in reason[0]
    assert shop.marts() == before


@pytest.mark.slow
@pytest.mark.rare
def test_building_clearing_and_publishing_again_change_nothing(shop):
    first, state = shop.run()
    assert state == "success", shop.explain(first)
    before = shop.marts()
    for tasks in (["freeze_horizon"], ["build.fct_orders"], ["publish_marts"]):
        shop.api.clear(first, tasks, downstream=tasks != ["publish_marts"])
        assert shop.wait(first) == "success", shop.explain(first)
        assert shop.states(first)["build.fct_orders"] == "success"
        assert shop.marts() == before
    # a run whose publication was cleared alone has kept the lease; the next run takes it over
    assert shop.warehouse.run("select released_at from ops.run_lease") == [(None,)]
    second, state = shop.run()
    assert state == "success", shop.explain(second)
    assert shop.marts() == before


# tests/docker tries it in the containers
@pytest.mark.slow
@pytest.mark.rare
def test_a_changed_and_a_new_model_are_in_the_next_run(installation, shop):
    marts = installation.checkout / "dbt/greenery/models/marts/core"
    model, about = marts / "dim_states.sql", marts / "_dim_states.yml"
    try:
        model.write_text(
            "select state, count(*) as user_count from {{ ref('dim_users') }} "
            "where state is not null group by 1\n"
        )
        about.write_text(
            """
models:
  - name: dim_states
    description: Where users live. One row per state.
    constraints: [{type: primary_key, columns: [state]}]
    columns:
      - name: state
        data_type: text
        data_tests: [not_null, unique]
      - name: user_count
        data_type: bigint
"""
        )
        installation.api.wait_for_dag()
        run_id, state = shop.run()
        assert state == "success", shop.explain(run_id)
        assert shop.warehouse.run("select sum(user_count) from marts.dim_states") == [(130,)]
    finally:
        model.unlink()
        about.unlink()
        installation.api.wait_for_dag()
    run_id, state = shop.run()
    assert state == "success", shop.explain(run_id)
    assert shop.warehouse.run("select to_regclass('marts.dim_states')") == [(None,)]
