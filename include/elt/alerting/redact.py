"""What may leave the warehouse: of an error's text, and which columns of failing rows.

An error says whether trying again can help, too; dbt's manifest says of a column what it holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from elt.loading.shown_values import Kind
from elt.transform.project import variable

LIMIT = 1000

# bounded, because a message may be megabytes long
_PASSWORD_IN_URL = re.compile(r"\b(\w{1,30}://[^\s:/@]{0,200}):[^\s@/]{1,200}@")
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(\.[\w-]{1,63}){1,8}")
# also what turns round the text that follows, and halves of characters, which JSON can't hold
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
# lines that Postgres and dbt put after the message itself
_ROW_LINE = re.compile(r"^\s*(DETAIL|CONTEXT|QUERY|STATEMENT|LINE \d+|compiled code at)\b", re.I)
_CARET_LINE = re.compile(r"^\s*\^\s*$")
_DATABASE_HEADER = re.compile(r"^(Database|Runtime) Error\b")
# a quoted word after one of these names a thing of the database, any other may be data
_NAMED = (
    r"(?:relation|column|table|view|schema|constraint|index|type|function|role|user|database"
    r"|sequence|operator|server at|host name)"
)
_NAME = re.compile(rf'\b({_NAMED}) "([\w$.:-]{{1,130}})"')
_QUOTED_END = re.compile(r':\s+".*$')
_BYTES_END = re.compile(r":\s+0x.*$")

_RETRY_HELPS = re.compile(
    "|".join(
        [
            "connection to server",
            "could not connect",
            "connection refused",
            "connection reset",
            "connection already closed",
            "connection timed out",
            "closed the connection",
            "terminating connection",
            "connection has been closed",
            "connection not open",
            "could not (receive|send) data",
            "could not translate host name",
            "timeout expired",
            "deadlock detected",
            "could not serialize access",
            "lock timeout",
            "too many (clients|connections)",
            "remaining connection slots",
            "recovery mode",
            "starting up",
            "shutting down",
        ]
    ),
    re.I,
)
_RETRY_IS_VAIN = re.compile(
    r"authentication failed|(role|database) \S+ does not exist|no pg_hba.conf entry", re.I
)


def retry_helps(message: str | None) -> bool:
    """Tell whether an error is trouble that passes: a lost connection, a lock, a busy server."""
    text = message or ""
    return bool(_RETRY_HELPS.search(text)) and not _RETRY_IS_VAIN.search(text)


def plain(text: str, limit: int = LIMIT) -> str:
    """Return text without lines that hold rows, without e-mail addresses and passwords."""
    lines = text[: 20 * limit].splitlines()
    kept = [line.strip() for line in lines if not _ROW_LINE.match(line)]
    joined = "\n".join(line for line in kept if line)
    joined = _PASSWORD_IN_URL.sub(r"\1:…@", _CONTROL.sub(" ", joined))
    return shorten(_EMAIL.sub("…", joined), limit)


def shorten(text: str, limit: int) -> str:
    """Return text of at most so many characters, ending in an ellipsis if it was cut."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def database_words(text: str, limit: int = LIMIT) -> str:
    """Return a database error's own sentence, with whatever might be a value hidden."""
    lines = [line.strip() for line in text[: 20 * LIMIT].splitlines() if line.strip()]
    if not lines or _ROW_LINE.match(lines[0]):
        return "the database refused it"
    return plain(_without_values(lines[0]), limit)


def without_rows(text: str) -> str:
    """Return what dbt writes into a log without what a database error quotes of a row."""
    if "Database Error" not in text:
        return text
    lines = [line for line in text.splitlines() if not _ROW_LINE.match(line)]
    return "\n".join(_without_values(line) for line in lines if not _CARET_LINE.match(line))


def dbt_words(message: str | None, limit: int = LIMIT) -> str | None:
    """Return dbt's message on a node without anything that may come from a row.

    Of a database error, that is its first sentence; a compilation error never saw a row.
    """
    if not message:
        return None
    message = message[: 20 * LIMIT]
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    if lines and _DATABASE_HEADER.match(lines[0]):
        sentence = database_words("\n".join(lines[1:])) if lines[1:] else ""
        return shorten("\n".join(filter(None, [plain(lines[0]), sentence])), limit)
    lines = [line for line in lines if not _CARET_LINE.match(line) and not _ROW_LINE.match(line)]
    if "Database Error" in message:
        lines = [_without_values(line) for line in lines]
    return plain("\n".join(lines), limit)


def _without_values(line: str) -> str:
    line = _BYTES_END.sub(": …", _QUOTED_END.sub(": …", line[: 20 * LIMIT]))
    line = _NAME.sub("\\1 \x01\\2\x01", line)
    # a value may have quotes in it: everything from the first quote to the last one goes
    before, quote, rest = line.partition('"')
    line = f"{before}…{rest.rpartition(quote)[2] if quote in rest else ''}" if quote else line
    return line.replace("\x01", '"')


# what tests call the column that they test, and what they count
ALIASES = {"unique_field", "value_field", "from_field", "parent_key"}
COUNTS = {"unique": {"n_records"}, "accepted_values": {"n_records"}}
COUNTS["unique_combination"] = {"row_count"}
# what our own tests say of a row in words of theirs, and the file that brought it
SAID = {"excuse", "problem", "sentence", "judged_day", "is_error", "source_file"}
_A_VARIABLE = re.compile(r"\bvar\(\s*['\"](\w+)['\"]")

Node = Mapping[str, Any]
Nodes = Mapping[str, Node]


def shown_columns(test: Node, nodes: Nodes) -> set[str]:
    """Return the columns of a test's failing rows that may be shown.

    A column may, if every tested model that has it says ``meta.slack_sample: true`` and none calls
    it personal; also one of the row's key, unless it is that of a person. A name that no model
    knows is not shown.
    """
    allowed: dict[str, bool] = {}
    for unique_id in tested(test):
        key = _keys_of_no_person(unique_id, nodes)
        for name, column in (nodes.get(unique_id, {}).get("columns") or {}).items():
            may_be = _may_be_shown(column, is_key=name in key)
            allowed[name] = allowed.get(name, True) and may_be
    shown = {name for name, is_allowed in allowed.items() if is_allowed}
    metadata = test.get("test_metadata") or {}
    if test.get("column_name") in shown:
        shown |= ALIASES
    return shown | COUNTS.get(metadata.get("name") or "", set())


def said_columns(test: Node, nodes: Nodes) -> set[str]:
    """Return the columns of failing rows that hold words of the test's own, not of a row."""
    names = [nodes.get(unique_id, {}).get("columns") or {} for unique_id in tested(test)]
    return SAID.difference(*names)


def _may_be_shown(column: Node, *, is_key: bool) -> bool:
    meta = _meta(column)
    if meta.get("pii"):
        return False
    # whoever says no, means it
    return meta.get("slack_sample", is_key) is True


def tested(test: Node) -> list[str]:
    """Return the nodes that a test tests, or reads if it stands in a file."""
    attached = test.get("attached_node")
    return [attached] if attached else list(test.get("reads") or test["depends_on"]["nodes"])


def key_of(unique_id: str, nodes: Nodes) -> tuple[str, ...]:
    """Return the columns that identify a row of a model or source, as far as its YAML tells."""
    node = nodes.get(unique_id) or {}
    config = node.get("config") or {}
    if key := config.get("unique_key"):
        return (key,) if isinstance(key, str) else tuple(key)
    for constraint in node.get("constraints") or []:
        if constraint.get("type") == "primary_key" and constraint.get("columns"):
            return tuple(constraint["columns"])
    if key := _extract(node).get("primary_key"):
        return tuple(key)
    return _tested_key(unique_id, nodes)


def _tested_key(unique_id: str, nodes: Nodes) -> tuple[str, ...]:
    """Return the key that the tests of a model name: columns together, or one that is unique."""
    unique: list[str] = []
    for node in nodes.values():
        if node.get("attached_node") != unique_id:
            continue
        metadata = node.get("test_metadata") or {}
        if metadata.get("name") == "unique_combination":
            return tuple(metadata["kwargs"]["columns"])
        is_whole = not (node.get("config") or {}).get("where")
        if metadata.get("name") == "unique" and node.get("column_name") and is_whole:
            unique.append(node["column_name"])
    columns = list(nodes.get(unique_id, {}).get("columns") or {})
    unique.sort(key=lambda name: columns.index(name) if name in columns else len(columns))
    return tuple(unique[:1])


def _keys_of_no_person(unique_id: str, nodes: Nodes) -> set[str]:
    """Return the columns of a model's key that do not say which person a row is about."""
    parents = (nodes.get(unique_id, {}).get("depends_on") or {}).get("nodes") or []
    sources = [i for i in (unique_id, *parents) if _extract(nodes.get(i) or {})]
    # names tell less than lineage: two tables may call their key the same
    named = [_names_of_person(nodes[i]) for i in sources or nodes]
    return set(key_of(unique_id, nodes)).difference(*named)


def _names_of_person(node: Node) -> set[str]:
    """Return how the key of a source is called, here and in models, if it is that of a person."""
    extract = _extract(node)
    key = extract.get("primary_key") or []
    # a person's own row, or one of things that go with their last person
    if len(key) == 1 and extract.get("person") in key:
        return {*key, *(extract.get("key_downstream") or [])}
    return set()


def accepted_values(unique_id: str, column: str, nodes: Nodes) -> frozenset[str]:
    """Return the values that the tests of a model's column accept; empty: any."""
    found: set[str] = set()
    for node in nodes.values():
        if node.get("attached_node") == unique_id and node.get("column_name") == column:
            values = ((node.get("test_metadata") or {}).get("kwargs") or {}).get("values")
            if isinstance(values, str):
                named = _A_VARIABLE.search(values)
                values = variable(named[1]) if named else None
            found |= set(map(str, values or ()))
    return frozenset(found)


def declared_kind(name: str, unique_ids: Iterable[str], nodes: Nodes) -> Kind:
    """Return what a column of one of some nodes is declared to hold."""
    for unique_id in unique_ids:
        column = (nodes.get(unique_id, {}).get("columns") or {}).get(name)
        if column is not None:
            accepted = accepted_values(unique_id, name, nodes)
            return Kind(column.get("data_type") or "text", accepted)
    return Kind()


def _extract(node: Node) -> Node:
    return _meta(node).get("extract") or {}


def _meta(node: Node) -> dict[str, Any]:
    return {**(node.get("meta") or {}), **((node.get("config") or {}).get("meta") or {})}
