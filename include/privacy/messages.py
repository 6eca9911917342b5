"""Results and messages that are kept: whatever of the person stands in them becomes an ellipsis."""

from __future__ import annotations

import json
import re
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import Json

from include.privacy.quarantine import words_in

HIDDEN = "…"
# whole rows: include.privacy.quarantine knows whose they are
ROWS = ("quarantine.row_text", "quarantine.row_key")


def hide(text: Any, words: re.Pattern[str]) -> Any:
    """Return a text, or whatever JSON holds texts, with the words hidden."""
    if isinstance(text, str):
        return words.sub(HIDDEN, text)
    if isinstance(text, list):
        return [hide(part, words) for part in text]
    if isinstance(text, dict):
        return {name: hide(part, words) for name, part in text.items()}
    return text


def wipe(cursor: Cursor, schema: str, values: set[str], table_names: str = "%") -> int:
    """Hide the values wherever a text of a schema's tables has them; return in how many.

    ``table_names`` is a pattern as SQL's ``like`` reads it. What identifies a row (a run, a task)
    stays as it is.
    """
    words = words_in(values)
    if words is None:
        return 0
    changed = 0
    for table, column, is_json in _texts(cursor, schema, table_names):
        changed += _wipe_column(
            cursor, sql.Identifier(schema, table), column, is_json, words, values
        )
    return changed


def _wipe_column(
    cursor: Cursor,
    table: sql.Identifier,
    column: str,
    is_json: bool,
    words: re.Pattern[str],
    values: set[str],
) -> int:
    # as they stand in a text, and as they stand in the text of a JSON
    looks = {
        look for value in values for look in (value, json.dumps(value, ensure_ascii=False)[1:-1])
    }
    parts = {"table": table, "column": sql.Identifier(column)}
    cursor.execute(
        sql.SQL(
            "select ctid::text, {column} from {table} where exists"
            " (select from unnest(%s::text[]) as look where strpos({column}::text, look) > 0)"
            " for update"
        ).format(**parts),
        (sorted(looks),),
    )
    changed = 0
    for place, text in cursor.fetchall():
        if (hidden := hide(text, words)) != text:
            cursor.execute(
                sql.SQL("update {table} set {column} = %s where ctid = %s::tid").format(**parts),
                (Json(hidden) if is_json else hidden, place),
            )
            changed += 1
    return changed


def _texts(cursor: Cursor, schema: str, table_names: str) -> list[tuple[str, str, bool]]:
    """Return table, column and whether it is JSON of every text that is no part of a key."""
    cursor.execute(
        """
        select relname, attname, atttypid = 'jsonb'::regtype
        from pg_class
        inner join pg_attribute on attrelid = pg_class.oid and attnum > 0 and not attisdropped
        where relnamespace = to_regnamespace(%s)
            and relkind = 'r'
            and relname like %s
            and atttypid in ('text'::regtype, 'jsonb'::regtype)
            and relname || '.' || attname <> all (%s)
            and not exists (
                select from pg_index
                where indrelid = pg_class.oid and indisunique and attnum = any (indkey)
            )
        order by relname, attnum
        """,
        (schema, table_names, list(ROWS)),
    )
    return cursor.fetchall()
