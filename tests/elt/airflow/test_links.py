"""Where the links of a dbt task lead."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from elt.airflow.pages import DocsLink, StateLink


def link(of: type, task_id: str) -> str:
    return of().get_link(None, ti_key=SimpleNamespace(task_id=task_id))


@pytest.mark.parametrize(
    ("task_id", "node"),
    [
        ("build.fct_kpis", "model/model.greenery.fct_kpis"),
        ("build.stg_greenery__orders", "model/model.greenery.stg_greenery__orders"),
        ("build.orders_history", "snapshot/snapshot.greenery.orders_history"),
        ("fct_kpis", "model/model.greenery.fct_kpis"),
    ],
)
def test_a_task_leads_to_its_node_in_the_documentation(task_id, node):
    # no slash before it: Airflow is not always at the root of its host
    assert link(DocsLink, task_id) == f"plugin/dbt-docs/elt/docs.html#!/{node}"


def test_a_task_leads_to_its_time_and_its_tests():
    row = "plugin/data-state/elt/state.html#state-builds-fct_kpis"
    assert link(StateLink, "build.fct_kpis") == row
