"""What an analyst may read, and what not."""

from __future__ import annotations

import re

import psycopg2
import pytest

from elt.warehouse.connection import ALL_SCHEMAS, transaction
from tests.support.installation import ROOT


def test_the_analyst_is_granted_the_schemas_of_every_role():
    bootstrap = (ROOT / "include/elt/warehouse/bootstrap.sql").read_text()
    (listed,) = re.findall(r"where nspname in \((.*)\)", bootstrap)
    assert listed == ", ".join(f"'{schema}'" for schema in ALL_SCHEMAS)


def readable(warehouse) -> dict[str, bool]:
    """Return of each table of the run whether an analyst may read it."""
    return dict(
        warehouse.run(
            "select oid::regclass::text, has_table_privilege('analyst', oid, 'select')"
            " and has_schema_privilege('analyst', relnamespace, 'usage') from pg_class"
            " where relkind in ('r', 'v', 'm', 'p')"
            " and relnamespace::regnamespace::text = any (%s)",
            [ALL_SCHEMAS],
        )
    )


@pytest.mark.parametrize("catalog", ["pg_authid", "pg_shadow", "pg_user_mapping", "pg_statistic"])
def test_an_analyst_reads_no_secret_of_the_server(warehouse, catalog):
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        warehouse.run(f"select * from pg_catalog.{catalog}", login="analyst")


def test_an_analyst_reads_every_table_of_the_run_whoever_makes_it_and_when(warehouse):
    owners = {"raw": "loader", "ops": "loader", "marts": "publisher"}
    for schema in ALL_SCHEMAS:
        with transaction(owners.get(schema, "transformer")) as cursor:
            cursor.execute(f"create table {schema}.made_later (a int)")
            cursor.execute(f"create view {schema}.view_made_later as select 1 as a")
    found = readable(warehouse)
    assert len(found) > 30
    assert [table for table, may in found.items() if not may] == []


def test_an_analyst_may_change_and_lock_nothing_that_others_wait_for(warehouse):
    for statement in (
        "lock table ops.migration in row exclusive mode",
        "lock table ops.notification in share update exclusive mode",
        "select from ops.run_lease for update",
        "select from ops.lock for share",
        "update ops.load set error = ''",
    ):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            warehouse.run(statement, login="analyst")


def test_an_analyst_of_another_name_builds_as_well(warehouse):
    warehouse.run("create role ann login password 'ann' in role analyst")
    try:
        warehouse.run(
            "set session authorization ann; call sandbox.create_schema('dev_ann');"
            " create table dev_ann.mine as select 1 as a; drop schema dev_ann cascade"
        )
    finally:
        warehouse.run("drop role ann")
