"""What is to be built anew, of a day or of a key, and what that costs. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from include.extract.contracts import Table
from include.transform.lineage import Lineage

COST = sql.SQL(
    """
    with touched (key) as materialized ({touched})
    select
        (select count(*) from touched),
        count(*),
        (select greatest(reltuples, 0)::bigint from pg_class where oid = {name}::regclass)
    from {relation}
    where {key} in (select key from touched)
    """
)
# when a row of a delta happened
INSTANT = "created_at"


class RebuildError(Exception):
    """Nothing was marked; the message says why."""


@dataclass(frozen=True)
class Plan:
    """What is to be marked: rows of ``raw`` by table, and keys of models (in their type's text)."""

    words: str
    rows: Mapping[str, sql.Composable]
    keys: Mapping[str, str]


@dataclass(frozen=True)
class Cost:
    """What a model will build: ``keys``, with ``rows`` of ``of`` (as the statistics know it)."""

    model: str
    keys: int
    rows: int
    of: int


def plan_day(
    cursor: Cursor, lineage: Lineage, tables: Mapping[str, Table], day: str, timezone: str
) -> Plan:
    """Plan for what belongs to a day of the business: its rows, and models that have it as key.

    Rows of a delta belong to the day of their ``created_at``, or to the day of the row whose key
    they bear. What comes as a full snapshot has no day.

    Raises:
        RebuildError: if that is no date.
    """
    try:
        on = date.fromisoformat(day)
    except ValueError:
        raise RebuildError(f"{day} is no date such as 2026-11-20. Nothing was done.") from None
    cursor.execute("select relname from pg_class where relnamespace = 'raw'::regnamespace")
    loaded = {name for (name,) in cursor}
    deltas = [t for t in tables.values() if t.load == "delta" and t.name in loaded]
    rows = {
        table.name: sql.SQL("cast(old.{} at time zone {} as date) = {}").format(
            sql.Identifier(INSTANT), sql.Literal(timezone), sql.Literal(on.isoformat())
        )
        for table in deltas
        if table.column(INSTANT)
    }
    for table in deltas:
        for parent in deltas:
            key = parent.primary_key[0]
            if table.name not in rows and parent.name in rows and table.column(key):
                rows[table.name] = sql.SQL(
                    "old.{key} in (select old.{key} from {parent} as old where {condition})"
                ).format(
                    key=sql.Identifier(key),
                    parent=sql.Identifier("raw", parent.name),
                    condition=rows[parent.name],
                )
    keys = {
        model: on.isoformat()
        for model in built_by_key(lineage)
        if _key_type(cursor, lineage, model) == "date"
    }
    return Plan(f"the day {on:%-d %b %Y}", rows, keys)


def plan_key(lineage: Lineage, model: str, key: str) -> Plan:
    """Plan for one key of one model.

    Raises:
        RebuildError: if the project has no such model, or one that no key is built of.
    """
    if model not in {lineage.nodes[one]["name"] for one in lineage.of_type("model")}:
        raise RebuildError(f"The project has no model `{model}`. Nothing was done.")
    if model not in built_by_key(lineage):
        raise RebuildError(f"`{model}` is worked out whole by each run. Nothing was done.")
    column = built_by_key(lineage)[model]["key"]
    return Plan(f"one {column} of {model}", {}, {model: key})


def cost(cursor: Cursor, lineage: Lineage, plan: Plan) -> list[Cost]:
    """Return what each model will have to build that is touched by a plan at once.

    Args:
        cursor: of a transaction as the role transformer.

    Raises:
        RebuildError: if a key can't be one of its model.
    """
    found = []
    for model, build in built_by_key(lineage).items():
        data_type = _key_type(cursor, lineage, model)
        touching = [
            _keys_of_rows(lineage, build, entry, plan)
            for entry in build["touched_by"]
            if entry.get("source") in plan.rows
        ]
        if model in plan.keys:
            touching.append(sql.SQL("select {}").format(sql.Literal(plan.keys[model])))
        if data_type is None or not touching:
            continue
        try:
            cursor.execute(
                COST.format(
                    touched=sql.SQL(" union ").join(
                        sql.SQL("select cast(key as {}) from ({}) as told (key)").format(
                            sql.SQL(data_type), keys
                        )
                        for keys in touching
                    ),
                    relation=_relation(lineage, model),
                    name=sql.Literal(_relation(lineage, model).as_string(cursor)),
                    key=sql.Identifier(build["key"]),
                )
            )
        except psycopg2.DataError:
            raise RebuildError(
                f"This is no {build['key']} of {model}: it must be a valid {data_type}. "
                "Nothing was done."
            ) from None
        found.append(Cost(model, *cursor.fetchone()))
    return sorted(found, key=lambda one: (-one.rows, one.model))


def _keys_of_rows(
    lineage: Lineage, build: Mapping[str, Any], entry: Mapping[str, Any], plan: Plan
) -> sql.Composable:
    column = sql.Identifier(entry.get("column", build["key"]))
    rows = sql.SQL("select old.{} from {} as old where {}").format(
        column, sql.Identifier("raw", entry["source"]), plan.rows[entry["source"]]
    )
    if "through" not in entry:
        return rows
    return sql.SQL("select {} from {} where {} in ({})").format(
        sql.Identifier(build["key"]), _relation(lineage, entry["through"]), column, rows
    )


def built_by_key(lineage: Lineage) -> dict[str, dict[str, Any]]:
    """Return ``meta.build`` of the models of which single keys are built, by name."""
    builds = {
        model: (lineage.nodes[unique_id]["config"].get("meta") or {}).get("build")
        for model, unique_id in lineage.built_by_changes.items()
    }
    return {model: build for model, build in builds.items() if build}


def _relation(lineage: Lineage, model: str) -> sql.Identifier:
    (node,) = (
        lineage.nodes[one]
        for one in lineage.of_type("model")
        if lineage.nodes[one]["name"] == model
    )
    return sql.Identifier(node["config"]["schema"], node["alias"])


def _key_type(cursor: Cursor, lineage: Lineage, model: str) -> str | None:
    """Return the type of a model's key; None: it was never built."""
    cursor.execute(
        "select format_type(atttypid, atttypmod) from pg_attribute "
        "where attrelid = to_regclass(%s) and attname = %s",
        (_relation(lineage, model).as_string(cursor), built_by_key(lineage)[model]["key"]),
    )
    row = cursor.fetchone()
    return row[0] if row else None
