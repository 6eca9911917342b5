"""Up to five failing rows of a test, with only the columns that may leave the warehouse."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from include.alert.bounded import Deadline, within
from include.alert.safe import plain, shorten
from include.warehouse.connection import transaction

log = logging.getLogger(__name__)

MOST_ROWS = 5
VALUE_LIMIT = 60
# all samples of a task together
SECONDS = 2
# what tests call the column that they test, and what they count
ALIASES = {"unique_field", "value_field", "parent_key"}
COUNTS = {"unique": {"n_records"}, "accepted_values": {"n_records"}}
COUNTS["unique_combination"] = {"row_count"}

Node = Mapping[str, Any]
Sample = dict[str, Any]


def shown_columns(test: Node, nodes: Mapping[str, Node]) -> set[str]:
    """Return the columns of a test's failing rows that may be shown.

    A column may, if every tested model that has it says ``meta.slack_sample: true`` and none calls
    it personal. A name that no model knows is not shown.
    """
    attached = test.get("attached_node")
    tested = [attached] if attached else test.get("reads") or test["depends_on"]["nodes"]
    allowed: dict[str, bool] = {}
    for unique_id in tested:
        for name, column in (nodes.get(unique_id, {}).get("columns") or {}).items():
            allowed[name] = allowed.get(name, True) and _may_be_shown(column)
    shown = {name for name, is_allowed in allowed.items() if is_allowed}
    metadata = test.get("test_metadata") or {}
    if test.get("column_name") in shown:
        shown |= ALIASES
    return shown | COUNTS.get(metadata.get("name"), set())


def _may_be_shown(column: Mapping[str, Any]) -> bool:
    meta = {**(column.get("meta") or {}), **((column.get("config") or {}).get("meta") or {})}
    return meta.get("slack_sample") is True and not meta.get("pii")


def take(
    tests: Iterable[tuple[Node, str]], nodes: Mapping[str, Node], seconds: float = SECONDS
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
    nodes: Mapping[str, Node],
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


def _sample(
    cursor: Cursor, test: Node, compiled: str, nodes: Mapping[str, Node], deadline: Deadline
) -> Sample:
    shown = shown_columns(test, nodes)
    query = _query(test, compiled, nodes)
    # never fetched, so never in an error or a log either
    _stop_at(cursor, deadline)
    cursor.execute(sql.SQL("select * from ({}) as failing limit 0").format(query))
    names = [column.name for column in cursor.description]
    values = [
        sql.SQL("left({}::text, 200)").format(sql.Identifier(name))
        if name in shown
        else sql.SQL("'•••'")
        for name in names
    ]
    _stop_at(cursor, deadline)
    cursor.execute(
        sql.SQL("select {} from ({}) as failing limit {}").format(
            sql.SQL(", ").join(values), query, sql.Literal(MOST_ROWS)
        )
    )
    return {"columns": names, "rows": [[_value(value) for value in row] for row in cursor]}


def _stop_at(cursor: Cursor, deadline: Deadline) -> None:
    """Have the server itself stop the next statement when the time is over."""
    milliseconds = max(1, int(1000 * deadline.left()))
    cursor.execute("select set_config('statement_timeout', %s, true)", (f"{milliseconds}ms",))


def _query(test: Node, compiled: str, nodes: Mapping[str, Node]) -> sql.Composable:
    """Return the query of failing rows; `not_null` itself would only show that nothing is there."""
    metadata = test.get("test_metadata") or {}
    relation = nodes.get(test.get("attached_node") or "", {}).get("relation_name")
    if metadata.get("name") == "not_null" and relation and test.get("column_name"):
        return sql.SQL("select * from {} where {} is null").format(
            sql.SQL(relation), sql.Identifier(test["column_name"])
        )
    return sql.SQL(compiled.strip().rstrip(";"))


def _value(value: str | None) -> str:
    return "" if value is None else shorten(" ".join(plain(value).split()), VALUE_LIMIT)
