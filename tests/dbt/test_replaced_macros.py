"""Macros of dbt that the project replaces: what dbt's own looked like when ours was written.

A failure after an upgrade names the macro to look at. Read what changed in dbt's, bring ours up to
date where it matters, then put the new hash here.
"""

from __future__ import annotations

import hashlib
from typing import Any

# dbt takes a macro of the project in the place of its own of the same name; `postgres__x` stands in
# the place of `default__x` where the adapter has none
ORIGINALS = {
    "generate_schema_name": {
        "macro.dbt.generate_schema_name": "979a03c08f2bb346",
        "macro.dbt.default__generate_schema_name": "5b2ca8f0c645e456",
    },
    "get_where_subquery": {
        "macro.dbt.get_where_subquery": "2b00519834c9bf45",
        "macro.dbt.default__get_where_subquery": "e0e1dcabd25ce74c",
    },
    "postgres__create_schema": {"macro.dbt_postgres.postgres__create_schema": "ad9d4904dd2f0a44"},
    "postgres__get_test_sql": {"macro.dbt.default__get_test_sql": "3fc783e5e0fa4a3e"},
    "postgres__snapshot_merge_sql": {
        "macro.dbt_postgres.postgres__snapshot_merge_sql": "7c4e362927f1166c"
    },
    "postgres__snapshot_staging_table": {
        "macro.dbt.default__snapshot_staging_table": "6fae091f24741633"
    },
}


def _hash(macro: dict[str, Any]) -> str:
    return hashlib.sha256(macro["macro_sql"].encode()).hexdigest()[:16]


def test_every_replaced_macro_is_listed(manifest):
    ours = {
        macro["name"]
        for macro in manifest["macros"].values()
        if macro["package_name"] == "greenery"
    }
    theirs = {
        macro["name"]
        for macro in manifest["macros"].values()
        if macro["package_name"].startswith("dbt")
    }
    assert ours, "the manifest has no macro of the project"
    replaced = {
        name
        for name in ours
        if name in theirs or name.replace("postgres__", "default__", 1) in theirs
    }
    assert replaced == set(ORIGINALS)


def test_replaced_macros_of_dbt_are_as_they_were_when_ours_were_written(manifest):
    found = {
        name: {original: _hash(manifest["macros"][original]) for original in originals}
        for name, originals in ORIGINALS.items()
    }
    changed = [name for name in ORIGINALS if found[name] != ORIGINALS[name]]
    assert not changed, f"dbt's own have changed since ours were written: {changed}. Now: {found}"
