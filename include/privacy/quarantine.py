"""A person's rows in quarantine: what they say is wiped, that they were there is kept."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence

from psycopg2.extensions import cursor as Cursor

from include.extract.contracts import Table

# a shorter word is found by its column only: it would be found in everybody's text
SHORTEST_WORD = 4


def fields_of(row_text: str, columns: Sequence[str] | None) -> dict[str, str]:
    """Return the fields of a row by column, or nothing if it does not have one for each column."""
    try:
        rows = list(csv.reader(io.StringIO(row_text, newline="")))
    except csv.Error:
        return {}
    if len(rows) != 1 or len(rows[0]) != len(columns or ()):
        return {}
    return dict(zip(columns, (field.strip() for field in rows[0]), strict=True))


def words_in(values: Iterable[str]) -> re.Pattern[str] | None:
    """Return a pattern that finds any of the values as a word of its own."""
    long_enough = sorted({v for v in values if len(v) >= SHORTEST_WORD}, key=len, reverse=True)
    if not long_enough:
        return None
    return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, long_enough))})(?![\w-])")


def belongs(
    fields: Mapping[str, str],
    row_text: str,
    wanted: Mapping[str, set[str]],
    words: re.Pattern | None,
) -> bool:
    """Tell whether a row in quarantine is the person's. ``wanted`` has values by column."""
    if fields:
        return any(fields.get(column) in values for column, values in wanted.items())
    return bool(words and words.search(row_text))


def wipe(
    cursor: Cursor, table: Table, wanted: Mapping[str, set[str]]
) -> tuple[int, dict[str, set[str]]]:
    """Wipe the person's rows of a table; return how many, and the values of their key columns.

    An open row counts as resolved then. ``wanted`` has the person's values by column.
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
    keys: dict[str, set[str]] = {column: set() for column in table.primary_key}
    for quarantine_id, row_text, row_key, columns in cursor:
        fields = fields_of(row_text, columns)
        key = {column: str(value) for column, value in (row_key or {}).items()}
        if belongs(key, "", wanted, None) or belongs(fields, row_text, wanted, words):
            found.append(quarantine_id)
            for column, values in keys.items():
                values.update(filter(None, [(fields | key).get(column)]))
    cursor.execute(
        "update ops.quarantine set row_text = '', row_key = null,"
        " reason = 'Its person was forgotten.', resolution = coalesce(resolution, 'erased'),"
        " resolved_at = coalesce(resolved_at, now()) where quarantine_id = any (%s)",
        (found,),
    )
    return len(found), keys
