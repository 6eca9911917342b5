"""Texts that are kept: whatever of the person stands in them is wiped or becomes an ellipsis.

Of a row in quarantine nothing is kept but that it was there; results and messages keep the rest.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import Json

from elt.loading.contract import Table
from elt.loading.erasure import is_telling
from elt.privacy.erased_rows import Words, words_in
from elt.warehouse.rows import rows_as


def fields_of(row_text: str, columns: Sequence[str] | None, delimiter: str = ",") -> dict[str, str]:
    """Return the fields of a row by column, or nothing if it does not have one for each column."""
    try:
        rows = list(csv.reader(io.StringIO(row_text, newline=""), delimiter=delimiter))
    except csv.Error:
        return {}
    if len(rows) != 1 or len(rows[0]) != len(columns or ()):
        return {}
    # a header may be written otherwise than the contract
    names = [column.strip().lower() for column in columns or ()]
    return dict(zip(names, (field.strip() for field in rows[0]), strict=True))


def belongs(
    fields: Mapping[str, str],
    row_text: str,
    wanted: Mapping[str, set[str]],
    words: re.Pattern[str] | None,
) -> bool:
    """Tell whether a row in quarantine is the person's.

    Args:
        fields: its fields by column; a broken row has none.
        row_text: the row as it was delivered; it is looked through if there are no fields.
        wanted: the person's values by column.
        words: finds these values in a text; None: there is none that tells.
    """
    if fields:
        return any(fields.get(column) in values for column, values in wanted.items())
    return bool(words and words.search(row_text))


def may_belong(row_text: str, wanted: Mapping[str, set[str]], delimiter: str) -> bool:
    """Tell whether a broken row has a field that may be the person's key, or just a number."""
    short = {value for values in wanted.values() for value in values if not is_telling(value)}
    return bool(short) and any(
        field.strip() in short for field in re.split(rf"[{re.escape(delimiter)}\r\n]", row_text)
    )


@dataclass(frozen=True)
class _Quarantined:
    quarantine_id: int
    row_text: str
    row_key: Mapping[str, Any] | None
    source_columns: Sequence[str] | None


@dataclass(frozen=True)
class Wiped:
    """How many rows were wiped, the values of their key columns, and ids of rows to look at."""

    rows: int
    keys: Mapping[str, set[str]]
    undecided: list[int]


def wipe_quarantine(cursor: Cursor, table: Table, wanted: Mapping[str, set[str]]) -> Wiped:
    """Wipe the person's rows of a table. ``wanted`` has the person's values by column.

    An open row counts as resolved then. A broken row in which a short key may stand in any place
    is left alone: it may be somebody else's.
    """
    cursor.execute(
        "select quarantine_id, row_text, row_key, source_columns from ops.quarantine"
        " left join ops.load using (load_id)"
        " where quarantine.table_name = %s and row_text <> ''",
        (table.name,),
    )
    wanted = {column: values - {""} for column, values in wanted.items()}
    words = words_in(value for values in wanted.values() for value in values)
    found: list[int] = []
    undecided: list[int] = []
    keys: dict[str, set[str]] = {column: set() for column in table.primary_key}
    for row in rows_as(cursor, _Quarantined):
        fields = fields_of(row.row_text, row.source_columns, table.delimiter)
        key = {column: str(value) for column, value in (row.row_key or {}).items()}
        if belongs(key, "", wanted, None) or belongs(fields, row.row_text, wanted, words):
            found.append(row.quarantine_id)
            for column, values in keys.items():
                values.update(filter(None, [(fields | key).get(column)]))
        elif not fields and may_belong(row.row_text, wanted, table.delimiter):
            undecided.append(row.quarantine_id)
    cursor.execute(
        "update ops.quarantine set row_text = '', row_key = null,"
        " reason = 'Its person was forgotten.', resolution = coalesce(resolution, 'erased'),"
        " resolved_at = coalesce(resolved_at, now()) where quarantine_id = any (%s)",
        (found,),
    )
    return Wiped(len(found), keys, undecided)


HIDDEN = "…"
# whole rows: wipe_quarantine knows whose they are
ROWS = ("quarantine.row_text", "quarantine.row_key")


def hide(text: Any, words: Words) -> Any:
    """Return a text, or whatever JSON holds texts, with the words hidden."""
    if isinstance(text, str):
        if words.pattern:
            text = words.pattern.sub(HIDDEN, text)
        if words.named:
            text = words.named.sub(HIDDEN, text)
        return text
    if isinstance(text, list):
        return [hide(part, words) for part in text]
    if isinstance(text, dict):
        return {
            name: HIDDEN if str(part) in words.by_name.get(name, ()) else hide(part, words)
            for name, part in text.items()
        }
    return text


def hide_in_tables(
    cursor: Cursor,
    schema: str,
    words: Words,
    table_names: str = "%",
    *,
    keep: Collection[str] = (),
) -> dict[str, int]:
    """Hide the words wherever a text of a schema's tables has them.

    What identifies a row (a run, a task) stays as it is.

    Args:
        cursor: of a role that may write these tables.
        schema: its name.
        words: what is looked for.
        table_names: a pattern as SQL's ``like`` reads it.
        keep: names of columns, in lower case: they stand in a file's header, and stay there.

    Returns:
        How many texts were changed, by ``schema.table``; tables without any are left out.
    """
    changed: dict[str, int] = {}
    if not (words.telling or words.named):
        return changed
    for text in _texts(cursor, schema, table_names):
        if count := _wipe_column(cursor, schema, text, words, keep):
            name = f"{schema}.{text.table}"
            changed[name] = changed.get(name, 0) + count
    return changed


@dataclass(frozen=True)
class _Text:
    """A column that holds texts: ``kind`` is its type, ``is_single`` says no row has another's."""

    table: str
    column: str
    kind: str
    is_single: bool


@dataclass(frozen=True)
class _Found:
    # the row's ctid: it stays locked until it is changed
    place: str
    value: Any


def _wipe_column(
    cursor: Cursor, schema: str, text: _Text, words: Words, keep: Collection[str]
) -> int:
    parts = {"table": sql.Identifier(schema, text.table), "column": sql.Identifier(text.column)}
    looks = words.telling
    # as they stand in a text, and as they stand in the text of a JSON
    looks = sorted({*looks, *(json.dumps(look, ensure_ascii=False)[1:-1] for look in looks)})
    cursor.execute(
        sql.SQL(
            "select ctid::text as place, {column} as value from {table} where exists"
            " (select from unnest(%(looks)s::text[]) as look"
            " where strpos({column}::text, look) > 0)"
            " or (cardinality(%(names)s::text[]) > 0 and exists"
            " (select from unnest(%(names)s::text[]) as name"
            " where strpos({column}::text, name) > 0))"
            " for update"
        ).format(**parts),
        {"looks": looks, "names": sorted(words.by_name)},
    )
    changed = 0
    for found in rows_as(cursor, _Found):
        value = found.value
        hidden = _hide_names(value, words, keep) if text.kind == "text[]" else hide(value, words)
        if hidden == value:
            continue
        if text.is_single:
            # another row may have become the same
            hidden = sql.SQL("%s || ' ' || ctid::text"), hidden
        else:
            hidden = sql.SQL("%s"), Json(hidden) if text.kind == "jsonb" else hidden
        cursor.execute(
            sql.SQL("update {table} set {column} = {value} where ctid = %s::tid").format(
                value=hidden[0], **parts
            ),
            (hidden[1], found.place),
        )
        changed += 1
    return changed


def _hide_names(names: list[str], words: Words, keep: Collection[str]) -> list[str]:
    return [name if (name or "").strip().lower() in keep else hide(name, words) for name in names]


def _texts(cursor: Cursor, schema: str, table_names: str) -> list[_Text]:
    """Return the columns that hold texts and are no part of a primary key or another's key."""
    cursor.execute(
        """
        select
            relname as "table",
            attname as "column",
            format_type(atttypid, null) as kind,
            exists (
                select from pg_index
                where indrelid = pg_class.oid and indisunique and attnum = any (indkey)
            ) as is_single
        from pg_class
        inner join pg_attribute on attrelid = pg_class.oid and attnum > 0 and not attisdropped
        where relnamespace = to_regnamespace(%s)
            and relkind = 'r'
            and relname like %s
            and atttypid in ('text'::regtype, 'jsonb'::regtype, 'text[]'::regtype)
            and attgenerated = ''
            and relname || '.' || attname <> all (%s)
            and not exists (
                select from pg_index
                where indrelid = pg_class.oid and indisunique and attnum = any (indkey)
                    -- who reads load warnings by what they are about finds them by table and kind
                    and relname || '.' || attname <> 'load_warning.detail'
            )
        order by relname, attnum
        """,
        (schema, table_names, list(ROWS)),
    )
    return rows_as(cursor, _Text)
