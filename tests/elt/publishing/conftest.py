"""A small build of two marts, ready to be published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from psycopg2.extras import Json

from elt.publishing.publish import close_run, publish
from elt.transform.lineage import Lineage
from elt.warehouse import lease
from elt.warehouse.connection import transaction


def manifest(marts: dict[str, list[str]]) -> dict[str, Any]:
    """Return a manifest of marts, each resting on source tables and having one test."""
    sources = {
        f"source.greenery.greenery.{table}": {
            "name": table,
            "resource_type": "source",
            "schema": "raw",
        }
        for tables in marts.values()
        for table in tables
    }
    nodes: dict[str, Any] = {}
    for mart, tables in marts.items():
        nodes[f"model.greenery.{mart}"] = {
            "name": mart,
            "alias": mart,
            "resource_type": "model",
            "config": {"schema": "marts_build", "materialized": "incremental_by_key"},
            "depends_on": {"nodes": [f"source.greenery.greenery.{table}" for table in tables]},
        }
        nodes[f"test.greenery.unique_{mart}"] = {
            "name": f"unique_{mart}",
            "resource_type": "test",
            "config": {"schema": "dbt_test__audit"},
            "attached_node": f"model.greenery.{mart}",
            "depends_on": {"nodes": [f"model.greenery.{mart}"]},
        }
    return {"sources": sources, "nodes": nodes}


@dataclass
class Shop:
    """A warehouse whose build is written by hand."""

    warehouse: Any
    lineage: Lineage

    def build(self, statement: str) -> None:
        """Change the build, as dbt would."""
        self.warehouse.run(f"set role transformer; {statement}")

    def built(self, mart: str, *, version: int, changes_since: int, changed: list[dict]) -> None:
        """Note a build, as dbt would: what it changed, and since when all changes are told."""
        self.warehouse.run(
            "set role transformer; insert into ops.model_state"
            " (model, relation_oid, version, changes_since)"
            " values (%(mart)s, to_regclass('marts_build.' || %(mart)s), %(version)s, %(since)s)"
            " on conflict (model) do update set relation_oid = excluded.relation_oid,"
            " version = excluded.version, changes_since = excluded.changes_since;"
            "insert into ops.model_change select %(mart)s, %(version)s, key"
            " from jsonb_array_elements(%(changed)s) as key",
            {"mart": mart, "version": version, "since": changes_since, "changed": Json(changed)},
        )

    def begin(self, run_id: str = "run 1", *, good: bool = True) -> None:
        """Begin a run and note the results of all its nodes."""
        with transaction("loader") as cursor:
            lease.take(cursor, run_id)
            lease.freeze_horizon(cursor, run_id)
        with transaction("loader") as cursor:
            for unique_id in self.lineage.of_type("model", "snapshot", "test"):
                cursor.execute(
                    "insert into ops.node_result"
                    " (run_id, task_id, try_number, unique_id, kind, status)"
                    " values (%s, 'a task', 1, %s, 'test', %s)",
                    (run_id, unique_id, "pass" if good else "fail"),
                )

    def publish(self, run_id: str = "run 1"):
        return publish(run_id, self.lineage)

    def close(self, run_id: str = "run 1") -> None:
        close_run(run_id, self.lineage.marts)

    def read(self, table: str) -> list[tuple]:
        return self.warehouse.run(f"select * from {table} order by 1")


@pytest.fixture
def shop(warehouse) -> Shop:
    shop = Shop(
        warehouse, Lineage(manifest({"fct_orders": ["orders", "users"], "dim_users": ["users"]}))
    )
    shop.build(
        """
        create table marts_build.fct_orders (order_id text primary key, total_usd numeric(12, 2));
        create table marts_build.dim_users (user_id text primary key, state text);
        comment on table marts_build.dim_users is 'One row per user.';
        comment on column marts_build.dim_users.state is 'Where the user lives.';
        insert into marts_build.fct_orders values ('a', 1), ('b', 2), ('c', null);
        insert into marts_build.dim_users values ('u', 'Ohio');
        """
    )
    for table in ("orders", "users"):
        warehouse.run(
            "insert into ops.load"
            " (table_name, source_file, file_size, started_at, finished_at, status)"
            " values (%s, 'a', 1, now(), now(), 'loaded')",
            (table,),
        )
    return shop
