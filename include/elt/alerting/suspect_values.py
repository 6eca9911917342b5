"""Where an error of the server's about a value may come from: odd values in a model's inputs.

`cannot convert infinity to bigint` names neither column nor row. So the columns that the model's
SQL speaks of are looked through for values that can do this. What is found is a suspicion, and
told as one; the first row is named by its key as far as that may be shown.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from elt.alerting import failing_rows, redact
from elt.alerting.redact import Nodes
from elt.loading.shown_values import HIDDEN
from elt.time_limit import Deadline, within
from elt.warehouse.connection import transaction
from elt.warehouse.rows import one_value, rows_as

log = logging.getLogger(__name__)

# views upon views, as staging upon raw
MOST_DEPTH = 3
_NUMBERS = {"numeric", "float4", "float8"}
_WHOLE_NUMBERS = {"int2", "int4", "int8"}
_INSTANTS = {"date", "timestamp", "timestamptz"}
_TEXTS = {"text", "varchar", "bpchar"}
_LIMITS = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}
_PRECISION = re.compile(r"numeric\s*\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)", re.I)
_DIVISOR = re.compile(r"/[\s(]*(?:cast\s*\()?[\s(]*(?:\"?\w+\"?\.)?\"?(\w+)", re.I)
_CAST = re.compile(
    r"cast\s*\(\s*(?:\"?\w+\"?\.)?\"?(\w+)\"?\s+as\s+(\w[\w ]*)"
    r"|(?:\"?\w+\"?\.)?\"?(\w+)\"?\)?\s*::\s*(\w+)",
    re.I,
)


@dataclass(frozen=True)
class Fault:
    """What an error says of a value. ``says`` ends a sentence that begins with a column."""

    kind: str
    says: str
    limit: int = 0
    data_type: str = ""


def fault_of(message: str, statement: str) -> Fault | None:
    """Return what a server's error says of a value, None if it is about something else."""
    text = message.lower()
    if "division by zero" in text:
        return Fault("zero", "is 0")
    if found := re.search(r"invalid input (?:syntax|value) for (?:type|enum) ([\w ]+)", text):
        return Fault("cast", f"is no {found[1].strip()}", data_type=found[1].strip())
    if "date/time field value out of range" in text:
        return Fault("cast", "is no date or time", data_type="timestamptz")
    if "infinit" in text or re.search(r"\bnan\b", text):
        return Fault("special", "is infinite or not a number")
    if "numeric field overflow" in text:
        found_all = _PRECISION.findall(statement)
        digits = min((int(p) - int(s or 0) for p, s in found_all), default=None)
        return Fault("large", f"has more than {digits} digits", 10**digits) if digits else None
    if found := re.search(r"(smallint|integer|bigint) out of range", text):
        return Fault("large", f"is too large for {found[1]}", _LIMITS[found[1]])
    if "out of range" in text or "overflow" in text:
        return Fault("special", "is infinite or not a number")
    return None


def suspicion(
    unique_id: str, message: str | None, statement: str | None, nodes: Nodes, seconds: float
) -> str | None:
    """Return in a sentence what may have caused the error of a node; None: nothing is known.

    Never raises, and takes no longer than it may.

    Args:
        unique_id: of the node that failed.
        message: the server's error.
        statement: the compiled SQL that raised it.
        nodes: the manifest's nodes.
        seconds: how long it may take.
    """
    fault = fault_of(message or "", statement or "")
    if fault is None or not statement:
        return None
    try:
        return within(seconds, _search, unique_id, fault, statement, nodes, Deadline(seconds))
    except Exception as error:
        log.info("What caused the error of %s is not known: %s", unique_id, type(error).__name__)
        return None


def _search(
    unique_id: str, fault: Fault, statement: str, nodes: Nodes, deadline: Deadline
) -> str | None:
    with transaction("transformer", timeout_seconds=2) as cursor:
        cursor.execute("set transaction read only")
        for found in _look(cursor, unique_id, fault, statement, nodes, deadline, MOST_DEPTH):
            return f"Perhaps because {found}."
    return None


def _look(
    cursor: Cursor,
    unique_id: str,
    fault: Fault,
    statement: str,
    nodes: Nodes,
    deadline: Deadline,
    depth: int,
) -> Iterator[str]:
    """Yield what is odd in the inputs of a node, and in those of a view among them."""
    node = nodes.get(unique_id, {})
    inputs = redact.tested(node) if node.get("resource_type") == "test" else _parents(node)
    for input_id in inputs:
        relation = nodes.get(input_id, {}).get("relation_name")
        if not relation:
            # ephemeral: its SQL is part of the statement
            if depth:
                yield from _look(cursor, input_id, fault, statement, nodes, deadline, depth - 1)
            continue
        cursor.execute("savepoint suspect")
        try:
            found = _odd_row(cursor, input_id, relation, fault, statement, nodes, deadline)
        except psycopg2.Error:
            cursor.execute("rollback to savepoint suspect")
            found = None
        if found:
            yield found
            continue
        cursor.execute("select pg_get_viewdef(to_regclass(%s))", (relation,))
        definition = one_value(cursor)
        if definition and depth:
            yield from _look(cursor, input_id, fault, definition, nodes, deadline, depth - 1)


def _parents(node: redact.Node) -> list[str]:
    return list((node.get("depends_on") or {}).get("nodes") or [])


def _odd_row(
    cursor: Cursor,
    input_id: str,
    relation: str,
    fault: Fault,
    statement: str,
    nodes: Nodes,
    deadline: Deadline,
) -> str | None:
    """Return which column of a relation has an odd value, and in which row, in words."""
    odd = dict(_conditions(cursor, relation, fault, statement))
    if not odd:
        return None
    failing_rows.stop_at(cursor, deadline)
    any_odd = sql.SQL(" or ").join(odd.values())
    blamed = sql.SQL(", ").join(
        sql.SQL("case when {} then {} end").format(condition, sql.Literal(name))
        for name, condition in odd.items()
    )
    cursor.execute(
        sql.SQL("select (array_remove(array[{}], null))[1] from {} where {} limit 1").format(
            blamed, sql.SQL(relation), any_odd
        )
    )
    if not (found := cursor.fetchone()):
        return None
    (column,) = found
    name = nodes[input_id].get("name") or input_id
    return f"`{name}.{column}` {fault.says} " + _where(
        cursor, input_id, relation, odd[column], nodes, deadline
    )


def _where(
    cursor: Cursor,
    input_id: str,
    relation: str,
    condition: sql.Composable,
    nodes: Nodes,
    deadline: Deadline,
) -> str:
    key = redact.key_of(input_id, nodes)
    if not key:
        return "in one of its rows"
    query = sql.SQL("select {} from {} where {}").format(
        sql.SQL(", ").join(map(sql.Identifier, key)), sql.SQL(relation), condition
    )
    row = failing_rows.rows(cursor, {"attached_node": input_id}, query, nodes, deadline)["rows"][0]
    shown = [f"{name} is {value}" for name, value in zip(key, row, strict=True) if value != HIDDEN]
    if not shown:
        return f"in a row whose key ({', '.join(key)}) may not leave the warehouse"
    return f"where {' and '.join(shown)}"


@dataclass(frozen=True)
class _Column:
    name: str
    data_type: str


def _conditions(
    cursor: Cursor, relation: str, fault: Fault, statement: str
) -> Iterator[tuple[str, sql.Composable]]:
    """Yield the columns that can do it, each with the condition of a row in which it does."""
    cursor.execute(
        "select attname as name, typname as data_type from pg_attribute "
        "join pg_type on atttypid = pg_type.oid where attrelid = to_regclass(%s) "
        "and attnum > 0 and not attisdropped order by attnum",
        (relation,),
    )
    spoken_of = set(re.findall(r"\w+", statement))
    divisors = set(_DIVISOR.findall(statement))
    casts = {a or b for a, _, b, _ in _CAST.findall(statement)}
    for one in rows_as(cursor, _Column):
        column, data_type, name = one.name, one.data_type, sql.Identifier(one.name)
        is_number = data_type in _NUMBERS
        if column not in spoken_of and "*" not in statement:
            continue
        if fault.kind == "zero" and column in divisors and (is_number or _is_whole(data_type)):
            yield column, sql.SQL("{} = 0").format(name)
        elif fault.kind == "cast" and column in casts and data_type in _TEXTS:
            valid = sql.SQL("not pg_input_is_valid({}, {})")
            yield column, valid.format(name, sql.Literal(fault.data_type))
        elif fault.kind == "large" and (is_number or _is_whole(data_type)):
            large = sql.SQL("abs({}::numeric) >= {}")
            yield column, large.format(name, sql.Literal(fault.limit))
        elif fault.kind == "special" and is_number:
            special = sql.SQL("{}::text in ('NaN', 'Infinity', '-Infinity')")
            yield column, special.format(name)
        elif fault.kind == "special" and data_type in _INSTANTS:
            yield column, sql.SQL("not isfinite({})").format(name)


def _is_whole(data_type: str) -> bool:
    return data_type in _WHOLE_NUMBERS
