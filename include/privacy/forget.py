"""Forget a person: one transaction over every schema that may hold a row of theirs."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from include.extract.contracts import Table
from include.privacy import copies, gone, messages, quarantine, source_rows, tombstones
from include.privacy.rules import Rules, read_rules
from include.warehouse import lease
from include.warehouse.connection import connect, transaction


class UnknownPersonError(Exception):
    """There is nobody with this id; nothing was changed."""


@dataclass(frozen=True)
class Forgotten:
    """What was done. ``removed`` counts rows by table, those without any included.

    ``elsewhere`` names tables that are not the daily run's own and may hold rows of the person.
    """

    removed: Mapping[str, int]
    quarantined: int
    messages: int
    elsewhere: tuple[str, ...]
    was_known: bool

    @property
    def rows(self) -> int:
        return sum(self.removed.values())


def forget(person_id: str, tables: Mapping[str, Table], run_id: str) -> Forgotten:
    """Remove every row of a person for good and see to it that a reload brings none back.

    Safe to repeat. It holds the lease meanwhile, under ``run_id``.

    Raises:
        UnknownPersonError: if nobody has this id.
        ContractError: if the contracts do not say whose a row is.
        LeaseHeldError: if a run is at work.
    """
    rules = read_rules(tables)
    with lease.held(run_id):
        try:
            with transaction("loader") as cursor:
                lease.hold(cursor, run_id)
                forgotten = _forget(cursor, rules, person_id, run_id)
        except psycopg2.DataError:
            column = rules.root.column(rules.root.person)
            raise UnknownPersonError(
                f"This is no {column.name}: it must be a valid {column.data_type}. "
                "Nothing was changed."
            ) from None
        _vacuum(forgotten)
    return forgotten


def _forget(cursor: Cursor, rules: Rules, person_id: str, run_id: str) -> Forgotten:
    gone.prepare(cursor)
    removed, wiped = {}, 0
    gone.note(cursor, rules.root.name, rules.root.person, [person_id])
    for table in (rules.root, *rules.own):
        gone.note(cursor, table.name, table.person, [person_id])
        removed[f"raw.{table.name}"] = source_rows.remove_own(
            cursor, rules, table, person_id, run_id
        )
    personal = gone.identifying_values(cursor, rules)
    # before their parts: an order in quarantine has lines that are not
    for table in (rules.root, *rules.own):
        wiped += _wipe(cursor, rules, table, personal)
    for table in rules.parts:
        removed[f"raw.{table.name}"] = source_rows.remove_parts(cursor, rules, table, run_id)
        wiped += _wipe(cursor, rules, table, personal)
    was_known = tombstones.is_known(cursor, rules, person_id)
    if not (was_known or wiped or any(removed.values())):
        raise UnknownPersonError(
            f"Nobody has this {rules.root.person}: neither raw.{rules.root.name} nor another table "
            "nor the quarantine has a row of theirs, and nobody was forgotten by it. "
            "Nothing was changed."
        )
    for table in rules.shared:
        removed[f"raw.{table.name}"] = source_rows.remove_shared(cursor, rules, table, run_id)
        personal = gone.identifying_values(cursor, rules)
        wiped += _wipe(cursor, rules, table, personal)
    tombstones.set_up(cursor, rules)
    removed |= copies.remove(cursor, rules)
    if any(removed.values()):
        copies.build_whole_next(cursor)
    return Forgotten(
        removed,
        wiped,
        _hide(cursor, rules, personal),
        tuple(copies.elsewhere(cursor, rules)),
        was_known,
    )


def _wipe(
    cursor: Cursor, rules: Rules, table: Table, personal: Mapping[str, dict[str, set[str]]]
) -> int:
    keys = [column for column in rules.keys if column in (table.person, *table.primary_key)]
    wanted = {
        column: gone.values(cursor, rules.keys[column].name, [column])[column] for column in keys
    }
    count, found = quarantine.wipe(cursor, table, wanted | personal.get(table.name, {}))
    for column, values in found.items():
        gone.note(cursor, table.name, column, values)
    return count


def _hide(cursor: Cursor, rules: Rules, personal: Mapping[str, dict[str, set[str]]]) -> int:
    values = {
        value for columns in personal.values() for found in columns.values() for value in found
    }
    for table in rules.tables:
        columns = rules.columns_to_remember(table)
        for found in gone.values(cursor, table.name, columns).values():
            values |= found
    hidden = messages.wipe(cursor, "ops", values)
    cursor.execute("set local role publisher")
    hidden += messages.wipe(cursor, "marts", values, "data_status")
    cursor.execute("set local role loader")
    return hidden


def _vacuum(forgotten: Forgotten) -> None:
    """Have the server clear the places of deleted rows and forget its statistics of them."""
    owners = {schema: role for role, schemas in copies.SCHEMAS.items() for schema in schemas}
    tables = [*forgotten.removed, "ops.quarantine"]
    with contextlib.closing(connect()) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        for name in tables:
            schema, table = name.split(".", 1)
            cursor.execute(
                sql.SQL("set role {}").format(sql.Identifier(owners.get(schema, "loader")))
            )
            cursor.execute("select to_regclass(%s) is not null", (f'{schema}."{table}"',))
            if cursor.fetchone()[0]:
                cursor.execute(
                    sql.SQL("vacuum (analyze, index_cleanup on) {}").format(
                        sql.Identifier(schema, table)
                    )
                )
