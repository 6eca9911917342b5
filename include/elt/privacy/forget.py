"""Forget a person: one transaction over every schema that may hold a row of theirs."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from dataclasses import replace

import psycopg2
from psycopg2 import errors, sql
from psycopg2.extensions import cursor as Cursor

from elt.loading.contract import Table, has_own_key
from elt.privacy import copies, erased_rows, kept_texts, source_rows
from elt.privacy.erased_rows import SHORTEST_ALONE, Words
from elt.privacy.kept_texts import Wiped
from elt.privacy.outcome import BusyError, Forgotten, LeftoverError, UnknownPersonError
from elt.privacy.rules import Rules, person_column, read_rules
from elt.shop import SHOP
from elt.warehouse import lease
from elt.warehouse.connection import ALL_SCHEMAS, SCHEMAS, connect, transaction
from elt.warehouse.rows import one_value

# for the rows and tables that somebody else has locked
LOCK_SECONDS = 60
VACUUM_LOCK_SECONDS = 5


def forget(person_id: str, tables: Mapping[str, Table], run_id: str) -> Forgotten:
    """Remove every row of a person for good and see to it that a reload brings none back.

    Safe to repeat. It holds the lease meanwhile, under ``run_id``.

    Raises:
        UnknownPersonError: if nobody has this id.
        LeftoverError: if something of the person would stay where nobody finds it.
        BusyError: if somebody else kept a table locked for too long.
        ContractError: if the contracts do not say whose a row is.
        LeaseHeldError: if a run is at work.
    """
    rules = read_rules(tables)
    with lease.held(run_id):
        try:
            with transaction("loader") as cursor:
                lease.hold(cursor, run_id)
                _lock_tables(cursor, rules, LOCK_SECONDS)
                person_id = _as_key(cursor, rules, person_id)
                forgotten = _forget(cursor, rules, person_id, run_id)
        except errors.LockNotAvailable:
            raise BusyError(_describe_holders(LOCK_SECONDS)) from None
        except errors.DeadlockDetected:
            raise BusyError(
                "Somebody else changed the same tables meanwhile. Nothing was changed; try again."
            ) from None
        return replace(forgotten, not_vacuumed=tuple(_vacuum(forgotten)))


def _as_key(cursor: Cursor, rules: Rules, person_id: str) -> str:
    """Return an id as the server writes it: ``007`` of a number is ``7``."""
    column = rules.root.column(rules.root.primary_key[0])
    assert column is not None
    cursor.execute(
        sql.SQL("select {}::text").format(
            erased_rows.cast(erased_rows.text(person_id), column.data_type)
        )
    )
    key: str | None = one_value(cursor)
    if key is None:
        raise UnknownPersonError(
            f"This is no {column.name}: it must be a valid {column.data_type}. Nothing was changed."
        )
    return key


def _forget(cursor: Cursor, rules: Rules, person_id: str, run_id: str) -> Forgotten:
    erased_rows.prepare(cursor)
    removed: dict[str, int] = {}
    wiped: list[Wiped] = []
    erased_rows.note(cursor, rules.root.name, rules.root.primary_key[0], [person_id])
    for table in (rules.root, *rules.own):
        erased_rows.note(cursor, table.name, person_column(table), [person_id])
        removed[f"raw.{table.name}"] = source_rows.remove_own(
            cursor, rules, table, person_id, run_id
        )
    # before their parts: an order in quarantine has lines that are not
    for table in (rules.root, *rules.own):
        wiped.append(_wipe(cursor, rules, table))
    for table in rules.parts:
        removed[f"raw.{table.name}"] = source_rows.remove_parts(cursor, rules, table, run_id)
        wiped.append(_wipe(cursor, rules, table))
    was_known = source_rows.was_forgotten(cursor, rules, person_id)
    quarantined = sum(one.rows for one in wiped)
    if not (was_known or quarantined or any(removed.values())):
        raise UnknownPersonError(
            f"Nobody has this {rules.root.person}: neither raw.{rules.root.name} nor another table "
            "nor the quarantine has a row of theirs, and nobody was forgotten by it. "
            "Nothing was changed."
        )
    for table in rules.shared:
        removed[f"raw.{table.name}"] = source_rows.remove_shared(cursor, rules, table, run_id)
        wiped.append(_wipe(cursor, rules, table))
    source_rows.set_tombstones(cursor, rules)
    removed |= copies.remove(cursor, rules)
    if any(removed.values()):
        copies.build_whole_next(cursor)
    hidden = _hide(cursor, rules)
    return Forgotten(
        removed,
        sum(one.rows for one in wiped),
        hidden,
        tuple(_elsewhere(cursor, rules)),
        was_known,
        tuple(_look_for_more(cursor, rules)),
        tuple(place for one in wiped for place in one.undecided),
    )


def _wipe(cursor: Cursor, rules: Rules, table: Table) -> Wiped:
    wanted: dict[str, set[str]] = {
        column: set(values)
        for column, values in erased_rows.identifying_values(cursor, rules)
        .get(table.name, {})
        .items()
    }
    owners = {**rules.references[table.name]}
    if has_own_key(table):
        owners[table.primary_key[0]] = table
    of_person = {one.name for one in rules.tables}
    for column, owner in owners.items():
        # another column may hold somebody else's key: who brought the customer, say
        if owner.name in of_person and column in (table.person, *table.primary_key):
            (key,) = owner.primary_key
            wanted.setdefault(column, set()).update(
                erased_rows.erased_values(cursor, owner.name, [key])[key]
            )
    wiped = kept_texts.wipe_quarantine(cursor, table, wanted)
    for column, values in wiped.keys.items():
        erased_rows.note(cursor, table.name, column, values)
    return wiped


def _hide(cursor: Cursor, rules: Rules) -> dict[str, int]:
    words = erased_rows.personal_words(cursor, rules)
    known = {column.name for table in rules.declared for column in table.columns}
    hidden = kept_texts.hide_in_tables(cursor, "ops", words, keep=known)
    # keys that marts follow by stay, until they have; no name does
    names = Words(frozenset(erased_rows.personal_values(cursor, rules)[0]))
    hidden |= kept_texts.hide_in_tables(cursor, "raw", names, "change_log")
    cursor.execute("set local role publisher")
    hidden |= kept_texts.hide_in_tables(cursor, "marts", words, "data_status")
    cursor.execute("set local role loader")
    return hidden


def _look_for_more(cursor: Cursor, rules: Rules) -> list[str]:
    """Return in words what stays that may be the person's.

    Raises:
        LeftoverError: if something stays that can be nobody else's.
    """
    theirs, shared = (
        {word for word in words if len(word) >= SHORTEST_ALONE}
        for words in erased_rows.personal_values(cursor, rules)
    )
    found, doubtful = copies.leftovers_in_copies(cursor, rules, theirs, shared)
    if found:
        places = "; ".join(map(str, found))
        raise LeftoverError(
            f"Nothing was changed, because something of the person would stay: {places}. "
            "Let these models have the key (called as the contracts say: key_downstream in "
            f"{SHOP.contracts.name}), start a run and forget the person then; or drop a table that "
            "no model builds any more."
        )
    stays = [
        f"{place}: if it is theirs, it goes with the next run, but from a snapshot"
        for place in doubtful
    ]
    return stays + copies.leftovers_in_raw(cursor, rules, theirs)


def _elsewhere(cursor: Cursor, rules: Rules) -> list[str]:
    """Return the tables with such keys or personal columns that somebody else keeps here."""
    cursor.execute(
        "select format('%%I.%%I', nspname, relname) from pg_class"
        " inner join pg_namespace on relnamespace = pg_namespace.oid"
        " where relkind in ('r', 'p', 'm') and relpersistence <> 't' and nspname <> all (%s)"
        " and exists (select from pg_attribute where attrelid = pg_class.oid"
        " and attname = any (%s) and not attisdropped) order by 1",
        ([*ALL_SCHEMAS, "pg_catalog", "information_schema"], [*rules.keys, *rules.personal_names]),
    )
    return [name for (name,) in cursor]


def _vacuum(forgotten: Forgotten) -> list[str]:
    """Have the server clear the places of deleted rows and forget its statistics of them.

    Return the tables that somebody else has locked: theirs are cleared by autovacuum.
    """
    owners = {schema: role for role, schemas in SCHEMAS.items() for schema in schemas}
    tables = dict.fromkeys([*forgotten.removed, "ops.quarantine", *forgotten.messages_by_table])
    left = []
    with contextlib.closing(connect()) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("set lock_timeout = %s", (f"{VACUUM_LOCK_SECONDS}s",))
        for name in tables:
            schema, table = name.split(".", 1)
            cursor.execute(sql.SQL("set role {}").format(sql.Identifier(owners[schema])))
            cursor.execute("select to_regclass(%s) is not null", (f'{schema}."{table}"',))
            if not one_value(cursor):
                continue
            try:
                cursor.execute(
                    sql.SQL("vacuum (analyze, index_cleanup on) {}").format(
                        sql.Identifier(schema, table)
                    )
                )
            except psycopg2.OperationalError:
                left.append(name)
    return left


def _lock_tables(cursor: Cursor, rules: Rules, seconds: int) -> None:
    """Lock the person's tables in ``raw``; wait for a load that is at work, and say so.

    Raises:
        psycopg2.errors.LockNotAvailable: if that took too long, or takes so later on.
    """
    cursor.execute("select set_config('lock_timeout', %s, true)", (f"{seconds}s",))
    for table in rules.tables:
        cursor.execute("select to_regclass(format('raw.%%I', %s)) is null", (table.name,))
        if one_value(cursor):
            continue
        lock = sql.SQL("lock table {} in share row exclusive mode").format(
            sql.Identifier("raw", table.name)
        )
        cursor.execute("savepoint before_lock")
        try:
            cursor.execute(lock + sql.SQL(" nowait"))
        except errors.LockNotAvailable:
            cursor.execute("rollback to savepoint before_lock")
            print(
                f"Somebody is at work on raw.{table.name}: waiting up to {seconds} seconds.",
                file=sys.stderr,
                flush=True,
            )
            cursor.execute(lock)
        cursor.execute("release savepoint before_lock")


def _describe_holders(seconds: int) -> str:
    """Say that it took too long, and who is at work, as far as the server shows it."""
    holders = ""
    with contextlib.suppress(Exception), transaction("loader") as cursor:
        cursor.execute(
            "select string_agg(distinct format('session %%s%%s%%s', pid,"
            " ' (' || nullif(application_name, '') || ')',"
            " ' since ' || to_char(xact_start, 'HH24:MI') || ' UTC'), ', ')"
            " from pg_locks inner join pg_stat_activity using (pid)"
            " inner join pg_class on pg_class.oid = relation"
            " where relnamespace::regnamespace::text = any (%s)"
            " and mode not in ('AccessShareLock') and pid <> pg_backend_pid()",
            (ALL_SCHEMAS,),
        )
        found = one_value(cursor)
        holders = f": {found}" if found else ""
    return (
        f"Somebody else has kept a table locked for more than {seconds} seconds{holders}. "
        "Nothing was changed. Try again once that has ended."
    )
