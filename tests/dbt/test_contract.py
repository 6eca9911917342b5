"""A mart whose SQL no longer gives what its contract says is refused by name, and not replaced."""

from __future__ import annotations

import pytest

from elt.alerting.messages.phrases import describe_node
from elt.alerting.redact import dbt_words
from tests.dbt.test_incremental_by_key import Small

CONFIG = "    config:\n      unique_key: person_id\n"
CONTRACT = """    columns:
      - {name: person_id, data_type: text}
      - {name: visit_count, data_type: bigint}
      - {name: seconds, data_type: bigint}
    config:
      contract: {enforced: true}
      unique_key: person_id
"""
SECONDS = "{name: seconds, data_type: %s}"


def test_a_column_of_another_type_is_named_and_nothing_is_built(warehouse, tmp_path):
    small = Small(warehouse, tmp_path)
    small.edit("models/about.yml", CONFIG, CONTRACT)
    small.load({"1": ("ann", 10)})
    small.build()
    small.edit("models/about.yml", SECONDS % "bigint", SECONDS % "text")
    small.load({"2": ("bob", 20)})
    with pytest.raises(AssertionError) as refused:
        small.build()
    (message,) = refused.value.args[0]
    said = describe_node("model.small.people", None, "error", None, dbt_words(message))
    assert "`people` could not be built" in said
    assert "enforced contract that failed" in said
    assert "seconds" in said
    assert "data type mismatch" in said
    assert small.people() == [("ann", 1, 10)]
    small.edit("models/about.yml", SECONDS % "text", SECONDS % "bigint")
    small.build()
    assert small.people() == [("ann", 1, 10), ("bob", 1, 20)]
