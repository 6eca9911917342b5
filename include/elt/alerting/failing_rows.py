"""Up to five failing rows of a test, with only the columns that may leave the warehouse."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from elt.alerting import redact
from elt.alerting.redact import Node, Nodes, plain, shorten
from elt.loading import shown_values
from elt.loading.shown_values import HIDDEN, Kind, kind_of_ids
from elt.time_limit import Deadline, within
from elt.warehouse.connection import transaction

log = logging.getLogger(__name__)

MOST_ROWS = 5
VALUE_LIMIT = 60
# what a test itself says of a row, in the column `sentence`
SENTENCE_LIMIT = 400
# all samples of a task together
SECONDS = 2
# how many values of a column tell what its ids look like
VALUES_LOOKED_AT = 500
# distinct failing values whose rows are looked for
MOST_VALUES = 100
# Postgres' own number of a type of text
_TEXT = {18, 19, 25, 1042, 1043}

Sample = dict[str, Any]


def take(
    tests: Iterable[tuple[Node, str]], nodes: Nodes, seconds: float = SECONDS
) -> dict[str, Sample]:
    """Return samples by unique id, of as many tests as time allows. Never raises.

    A query that fails costs its own sample alone.

    Args:
        tests: nodes of failed tests with their compiled SQL.
        nodes: the manifest's nodes.
        seconds: for all of them together.
    """
    samples: dict[str, Sample] = {}
    try:
        # a connection that hangs keeps to no timeout of the server's
        within(seconds, _take, tests, nodes, Deadline(seconds), samples)
    except Exception as error:
        log.info("No failing rows are shown of the remaining tests: %s", type(error).__name__)
    return dict(samples)


def _take(
    tests: Iterable[tuple[Node, str]],
    nodes: Nodes,
    deadline: Deadline,
    samples: dict[str, Sample],
) -> None:
    with transaction("transformer", timeout_seconds=2) as cursor:
        cursor.execute("set transaction read only")
        for test, compiled in tests:
            if not deadline.left():
                break
            cursor.execute("savepoint sample")
            try:
                samples[test["unique_id"]] = _sample(cursor, test, compiled, nodes, deadline)
            except psycopg2.Error as error:
                # a lost connection raises here again
                cursor.execute("rollback to savepoint sample")
                log.info(
                    "No failing rows of %s are shown: %s", test["unique_id"], type(error).__name__
                )


def _sample(cursor: Cursor, test: Node, compiled: str, nodes: Nodes, deadline: Deadline) -> Sample:
    key = redact.key_of(test.get("attached_node") or "", nodes)
    query = _query(test, compiled, nodes)
    types = _types(cursor, query, deadline)
    if with_key := _with_key(test, query, list(types), key, nodes):
        cursor.execute("savepoint with_key")
        try:
            found = rows(cursor, test, with_key, nodes, deadline)
            return found | _more(cursor, query, types, key, deadline)
        except psycopg2.Error as error:
            cursor.execute("rollback to savepoint with_key")
            log.info("Failing rows without their key: %s", type(error).__name__)
    found = rows(cursor, test, query, nodes, deadline)
    return found | _more(cursor, query, types, key, deadline)


def _types(cursor: Cursor, query: sql.Composable, deadline: Deadline) -> dict[str, int]:
    """Return the columns of a query with the numbers of their types."""
    stop_at(cursor, deadline)
    cursor.execute(sql.SQL("select * from ({}) as failing limit 0").format(query))
    return {column.name: column.type_code for column in cursor.description or ()}


def rows(
    cursor: Cursor, test: Node, query: sql.Composable, nodes: Nodes, deadline: Deadline
) -> Sample:
    """Return up to five rows of a query over what a test tests, with dots for what is not shown.

    Args:
        cursor: of a transaction as the role transformer.
        test: its node; what it tests decides which columns are shown.
        query: a select of the failing rows.
        nodes: the manifest's nodes.
        deadline: when the server stops it.
    """
    types = _types(cursor, query, deadline)
    said = redact.said_columns(test, nodes)
    shown = redact.shown_columns(test, nodes) | said
    kinds = {
        # what is no text can't hold a person's words
        name: _kind(cursor, test, name, nodes, deadline) if type_code in _TEXT else None
        for name, type_code in types.items()
        if name in shown - said
    }
    # what may not be shown is never fetched, so never in an error or a log either
    values = [
        sql.SQL("left({}::text, {})").format(sql.Identifier(name), sql.Literal(SENTENCE_LIMIT))
        if name in shown
        else sql.Literal(HIDDEN)
        for name in types
    ]
    stop_at(cursor, deadline)
    cursor.execute(
        sql.SQL("select {} from ({}) as failing {} limit {}").format(
            sql.SQL(", ").join(values),
            query,
            # what nothing excuses first
            sql.SQL("order by failing.excuse nulls first" if "excuse" in types else ""),
            sql.Literal(MOST_ROWS),
        )
    )
    masked = [
        [
            _value(
                value,
                kinds.get(name),
                SENTENCE_LIMIT if name == "sentence" and name in said else VALUE_LIMIT,
            )
            for name, value in zip(types, row, strict=True)
        ]
        for row in cursor
    ]
    return {"columns": list(types), "rows": masked}


def _more(
    cursor: Cursor,
    query: sql.Composable,
    types: Mapping[str, int],
    key: Sequence[str],
    deadline: Deadline,
) -> Sample:
    """Return the names of the row's key, and how many rows each excuse of a test excuses."""
    more: Sample = {"key": list(key)} if key else {}
    if "excuse" in types:
        stop_at(cursor, deadline)
        cursor.execute(
            sql.SQL(
                "select excuse, count(*) from ({}) as failing where excuse is not null "
                "group by 1 order by 2 desc, 1"
            ).format(query)
        )
        more["excuses"] = dict(cursor.fetchall())
    return more


def _kind(cursor: Cursor, test: Node, name: str, nodes: Nodes, deadline: Deadline) -> Kind:
    """Return what a column of text holds: as it is declared, else as its ids look."""
    tested = redact.tested(test)
    if name in redact.ALIASES and test.get("column_name"):
        name = test["column_name"]
    kind = redact.declared_kind(name, tested, nodes)
    if kind.accepted or kind.data_type != "text":
        return kind
    for unique_id in tested:
        node = nodes.get(unique_id, {})
        if node.get("relation_name") and name in (node.get("columns") or {}):
            return _kind_of_ids(cursor, node["relation_name"], name, deadline)
    return kind


def _kind_of_ids(cursor: Cursor, relation: str, name: str, deadline: Deadline) -> Kind:
    cursor.execute("savepoint ids")
    try:
        stop_at(cursor, deadline)
        cursor.execute(
            sql.SQL("select left({0}::text, 200) from {1} where {0} is not null limit {2}").format(
                sql.Identifier(name), sql.SQL(relation), sql.Literal(VALUES_LOOKED_AT)
            )
        )
        return kind_of_ids(value for (value,) in cursor)
    except psycopg2.Error:
        cursor.execute("rollback to savepoint ids")
        return Kind()


def stop_at(cursor: Cursor, deadline: Deadline) -> None:
    """Have the server itself stop the next statement when the time is over."""
    milliseconds = max(1, int(1000 * deadline.left()))
    cursor.execute("select set_config('statement_timeout', %s, true)", (f"{milliseconds}ms",))


def _query(test: Node, compiled: str, nodes: Nodes) -> sql.Composable:
    """Return the query of failing rows; `not_null` itself would only show that nothing is there."""
    metadata = test.get("test_metadata") or {}
    relation = nodes.get(test.get("attached_node") or "", {}).get("relation_name")
    if metadata.get("name") == "not_null" and relation and test.get("column_name"):
        return sql.SQL("select * from {} where {} is null").format(
            sql.SQL(relation), sql.Identifier(test["column_name"])
        )
    return sql.SQL(compiled.strip().rstrip(";"))


def _with_key(
    test: Node, query: sql.Composable, names: Sequence[str], key: Sequence[str], nodes: Nodes
) -> sql.Composable | None:
    """Return a query of the rows whose value fails, with their key; None if it is there already.

    Tests of one column often tell its failing values alone, which nobody can find a row by.
    """
    tested = test.get("column_name")
    relation = nodes.get(test.get("attached_node") or "", {}).get("relation_name")
    given = next((name for name in names if name == tested or name in redact.ALIASES), None)
    has_key = set(key) <= {tested if name in redact.ALIASES else name for name in names}
    if not (tested and relation and given and key) or has_key:
        return None
    more = [name for name in names if name != given and name not in (*key, tested)]
    where = (test.get("config") or {}).get("where") or "true"
    if "{{" in where:
        return None
    return sql.SQL(
        "select {key}, rows.{tested}{more} from (select * from {relation} where {where}) as rows "
        "join (select distinct {given}{distinct} from ({query}) as found limit {most}) as failing "
        "on rows.{tested} = failing.{given}"
    ).format(
        key=sql.SQL(", ").join(sql.SQL("rows.{}").format(sql.Identifier(name)) for name in key),
        tested=sql.Identifier(tested),
        more=sql.SQL("").join(
            sql.SQL(", failing.{}").format(sql.Identifier(name)) for name in more
        ),
        relation=sql.SQL(relation),
        where=sql.SQL(where),
        given=sql.Identifier(given),
        distinct=sql.SQL("").join(sql.SQL(", {}").format(sql.Identifier(name)) for name in more),
        query=query,
        most=sql.Literal(MOST_VALUES),
    )


def _value(value: str | None, kind: Kind | None, limit: int) -> str:
    if value is None or value == HIDDEN:
        return value or ""
    text = " ".join(plain(value).split())
    return shorten(shown_values.shown(text, kind) if kind else text, limit)
