"""What is to be built anew, of a day or of a key, and what that costs. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from elt.errors import FinalError
from elt.loading.contract import INSTANTS, Table, resolve_references
from elt.transform.lineage import Lineage
from elt.warehouse.rows import rows_as, value_or_none

COST = sql.SQL(
    """
    with touched (key) as materialized ({touched})
    select
        {model} as model,
        (select count(*) from touched) as keys,
        count(*) as rows,
        (select greatest(reltuples, 0)::bigint from pg_class where oid = {name}::regclass) as "of"
    from {relation}
    where {key} in (select key from touched)
    """
)


class RebuildError(FinalError):
    """Nothing was marked; the message says why."""


@dataclass(frozen=True)
class Plan:
    """What is to be marked: rows of ``raw`` by table, and keys of models (in their type's text).

    ``without_day`` are tables of which nobody knows on which day a row of theirs happened.
    """

    words: str
    rows: Mapping[str, sql.Composable]
    keys: Mapping[str, str]
    without_day: tuple[str, ...] = ()


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

    Rows belong to the day that their contract's ``day`` tells, or to the day of the row whose key
    they bear. What comes as a full snapshot mostly has no day.

    Args:
        cursor: of a transaction as the role transformer.
        lineage: of the project.
        tables: the contracts of all source tables, by name.
        day: as 2026-11-20.
        timezone: the business's, as an IANA name such as Europe/Berlin.

    Raises:
        RebuildError: if that is no date, or no contract tells a day.
    """
    try:
        on = date.fromisoformat(day)
    except ValueError:
        raise RebuildError(f"{day} is no date such as 2026-11-20. Nothing was done.") from None
    if not any(day_column(table) for table in tables.values()):
        raise RebuildError(
            "No source table says on which day a row of it happened, so nothing of a day can be "
            "found. Name the column in its contract: config.meta.extract.day. Nothing was done."
        )
    cursor.execute("select relname from pg_class where relnamespace = 'raw'::regnamespace")
    loaded = {name for (name,) in cursor}
    tables = {name: table for name, table in tables.items() if name in loaded}
    rows = {
        table.name: _happened_on(table, on, timezone)
        for table in tables.values()
        if day_column(table)
    }
    _add_children(tables, rows)
    without = [t.name for t in tables.values() if t.load == "delta" and t.name not in rows]
    keys = {
        model: on.isoformat()
        for model in built_by_key(lineage)
        if _key_type(cursor, lineage, model) == "date"
    }
    return Plan(f"the day {on:%-d %b %Y}", rows, keys, tuple(without))


def day_column(table: Table) -> str | None:
    """Return the column that says on which day a row happened, None if there is no telling.

    That is the contract's ``day``; else, of a delta, the cursor if it is an instant, or the only
    instant that the table has beside its version.
    """
    if table.day or table.load != "delta":
        return table.day
    instants = [
        column.name
        for column in table.columns
        if column.data_type in INSTANTS and column.name != table.version
    ]
    if table.cursor in instants:
        return table.cursor
    return instants[0] if len(instants) == 1 else None


def _happened_on(table: Table, on: date, timezone: str) -> sql.Composable:
    column = table.column(day_column(table) or "")
    assert column is not None
    name = sql.SQL("old.{}").format(sql.Identifier(column.name))
    if column.data_type != "date":
        name = sql.SQL("cast({} at time zone {} as date)").format(name, sql.Literal(timezone))
    return sql.SQL("{} = {}").format(name, sql.Literal(on.isoformat()))


def _add_children(tables: Mapping[str, Table], rows: dict[str, sql.Composable]) -> None:
    """Add the rows of deltas that bear the key of a row that has a day, near and far."""
    found = True
    while found:
        found = False
        for name, held in resolve_references(tables).items():
            if name in rows or tables[name].load != "delta":
                continue
            for column, parent in held.items():
                if parent.name in rows and parent.load == "delta":
                    rows[name] = sql.SQL(
                        "old.{column} in (select old.{key} from {parent} as old where {condition})"
                    ).format(
                        column=sql.Identifier(column),
                        key=sql.Identifier(parent.primary_key[0]),
                        parent=sql.Identifier("raw", parent.name),
                        condition=rows[parent.name],
                    )
                    found = True
                    break


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
        key_queries = [
            _keys_of_rows(lineage, build, entry, plan)
            for entry in build["depends_on_changes_of"]
            if entry.get("source") in plan.rows
        ]
        if model in plan.keys:
            key_queries.append(sql.SQL("select {}").format(sql.Literal(plan.keys[model])))
        if data_type is None or not key_queries:
            continue
        try:
            cursor.execute(
                COST.format(
                    touched=sql.SQL(" union ").join(
                        sql.SQL("select cast(key as {}) from ({}) as told (key)").format(
                            sql.SQL(data_type), keys
                        )
                        for keys in key_queries
                    ),
                    relation=_relation(lineage, model),
                    name=sql.Literal(_relation(lineage, model).as_string(cursor)),
                    key=sql.Identifier(build["key"]),
                    model=sql.Literal(model),
                )
            )
        except psycopg2.DataError:
            raise RebuildError(
                f"This is no {build['key']} of {model}: it must be a valid {data_type}. "
                "Nothing was done."
            ) from None
        found += rows_as(cursor, Cost)
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
        sql.Identifier(entry.get("through_key", build["key"])),
        _relation(lineage, entry["through"]),
        column,
        rows,
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
    return value_or_none(cursor, str)
