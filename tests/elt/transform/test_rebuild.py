from __future__ import annotations

import pytest

from elt.transform.lineage import Lineage
from elt.transform.rebuild import UnknownModelError, request_full_refresh
from elt.warehouse.connection import transaction
from tests.elt.publishing.conftest import manifest

LINEAGE = Lineage(manifest({"fct_orders": ["orders"], "dim_users": ["users"]}))


@pytest.fixture
def built(warehouse):
    warehouse.run(
        "insert into ops.model_state (model, definition_hash, version, changes_since)"
        " values ('fct_orders', 'a', 3, 1), ('dim_users', 'b', 3, 1)"
    )
    return warehouse


def ask(names: list[str]) -> list[str]:
    with transaction("loader") as cursor:
        return request_full_refresh(cursor, names, LINEAGE)


@pytest.mark.parametrize(
    ("names", "asked"),
    [
        pytest.param([], [], id="none"),
        pytest.param(["dim_users"], ["dim_users"], id="one"),
        pytest.param(["all"], ["dim_users", "fct_orders"], id="all"),
    ],
)
def test_models_asked_for_forget_their_definition_and_nothing_else(built, names, asked):
    assert ask(names) == asked
    forgotten = built.run(
        "select model from ops.model_state where definition_hash is null and version = 3 order by 1"
    )
    assert [model for (model,) in forgotten] == asked


def test_a_model_that_is_not_there_is_named(built):
    with pytest.raises(UnknownModelError, match="full_refresh names fct_odrers, and the project"):
        ask(["dim_users", "fct_odrers"])
    assert built.run("select count(definition_hash) from ops.model_state") == [(2,)]
